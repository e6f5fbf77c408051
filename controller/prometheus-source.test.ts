// Prometheus as a source: a real HTTP server that answers well or badly, and Debian's Prometheus where it is installed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ensureCertificates, type SecretStore } from '@kubeai/certificates';
import { createClock, createLog } from '@kubeai/daemon';
import {
  createSignalFold,
  decide,
  type ExternalSample,
  emptyHistory,
  ledgerOf,
  type PodFacts,
  type SignalFold,
} from '@kubeai/decision';
import type { KubeClient } from '@kubeai/kube';
import { type Policy, parsePolicy } from '@kubeai/policy';
import { type Instant, instant, milliseconds, minutes, seconds } from '@kubeai/units';
import { createPrometheusSource, type PrometheusSource } from './prometheus-source.ts';
import { reportOf } from './testing/report-sender.ts';

const clock = createClock();
const log = createLog({ level: 'silent', name: 'tested' });
const binary = '/usr/bin/prometheus';
const secrets: Record<string, string> = { token: 's3cret', user: 'me', password: 'pw' };
const client = {
  read: async () => ({
    data: Object.fromEntries(Object.entries(secrets).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  }),
} as unknown as KubeClient;

let servers: Server[];
let source: PrometheusSource;
let delivered: ExternalSample[];
let waiting: (() => void)[];
beforeEach(() => {
  servers = [];
  delivered = [];
  waiting = [];
});
afterEach(async () => {
  source?.stop();
  for (const server of servers) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

function policyFor(metrics: object, prometheus: object = {}): Policy {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { namespace: 'models', name: 'chat' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
      maxReplicas: 20,
      metrics,
      prometheus,
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  // The schema's least interval is for production; what is asked does not depend on it.
  return {
    ...parsed.value,
    prometheus: { ...parsed.value.prometheus, interval: milliseconds(200), timeout: milliseconds(1_000) },
  };
}

function follow(policy: Policy, url: string | undefined, pods: string[] = ['chat-a']): void {
  source = createPrometheusSource({
    client,
    clock,
    log,
    url,
    deliver(_key, sample) {
      delivered.push(sample);
      for (const wake of waiting.splice(0)) wake();
    },
  });
  source.follow('models/chat', policy, () => pods);
}
/** Resolves with the first delivery that is wanted. */
async function awaitSample(wanted: (sample: ExternalSample) => boolean): Promise<ExternalSample> {
  for (;;) {
    const found = delivered.find(wanted);
    if (found !== undefined) return found;
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;
async function serve(handle: Handler, tls?: { key: string; cert: string }): Promise<string> {
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    handle(request, response, body);
  };
  const server = tls === undefined ? createServer(listener) : (createSecureServer(tls, listener) as unknown as Server);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
const answerWith = (text: string): string =>
  JSON.stringify({
    status: 'success',
    data: { resultType: 'vector', result: [{ value: [Date.now() / 1_000, text] }] },
  });
const queried = { concurrency: { targetPerReplica: 4, prometheusQuery: 'my_query' } };

test.each<[string, Handler | undefined, object]>([
  ['a good answer', (_request, response) => response.end(answerWith('7')), { kind: 'value', value: 7 }],
  [
    'a server error',
    (_request, response) => response.writeHead(503).end('busy'),
    { kind: 'missing', cause: 'Refused' },
  ],
  ['an answer that is no JSON', (_request, response) => response.end('<html>'), { kind: 'missing', cause: 'Refused' }],
  [
    'an endless answer',
    (_request, response) => response.end('x'.repeat(2_000_000)),
    { kind: 'missing', cause: 'Refused' },
  ],
  ['no answer in time', () => undefined, { kind: 'missing', cause: 'Timeout' }],
  ['nobody there', undefined, { kind: 'missing', cause: 'Unreachable' }],
])('%s becomes a state', async (_what, handle, sample) => {
  const url = handle === undefined ? 'http://127.0.0.1:1' : await serve(handle);
  follow(policyFor(queried), url);
  expect(await awaitSample(() => true)).toMatchObject({ name: 'concurrency', ...sample });
});

test('no Prometheus to ask is a state too', async () => {
  follow(policyFor(queried), undefined);
  expect(await awaitSample(() => true)).toMatchObject({ kind: 'missing', cause: 'Refused' });
});

test('an outage is over with the next answer', async () => {
  let broken = true;
  const url = await serve((_request, response) =>
    broken ? response.writeHead(500).end() : response.end(answerWith('3')),
  );
  follow(policyFor(queried), url);
  await awaitSample(({ kind }) => kind === 'missing');
  broken = false;
  expect(await awaitSample(({ kind }) => kind === 'value')).toMatchObject({ value: 3 });
});

test.each<[string, object, string]>([
  ['a bearer token', { bearerToken: { name: 's', key: 'token' } }, 'Bearer s3cret'],
  [
    'basic auth',
    { basicAuth: { username: { name: 's', key: 'user' }, password: { name: 's', key: 'password' } } },
    `Basic ${Buffer.from('me:pw').toString('base64')}`,
  ],
])(
  '%s comes from its Secret, over TLS that trusts the authority from another',
  async (_what, access, authorization) => {
    let kept: Readonly<Record<string, string>> | undefined;
    const store: SecretStore = {
      read: async () => (kept === undefined ? undefined : { version: '1', data: kept }),
      async create(data) {
        kept = data;
        return true;
      },
      replace: async () => false,
    };
    const certificates = await ensureCertificates(store, {
      dnsNames: ['prometheus'],
      ipAddresses: ['127.0.0.1'],
      clock,
      log,
    });
    certificates.stop();
    const { serving, bundle } = certificates.current();
    secrets['ca'] = bundle;
    const seen: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end(answerWith('5'));
    }, serving);
    follow(policyFor(queried, { url, certificateAuthority: { name: 's', key: 'ca' }, ...access }), undefined);
    expect(await awaitSample(() => true)).toMatchObject({ kind: 'value', value: 5 });
    expect(seen[0]).toBe(authorization);
  },
);

test('a key that a Secret lacks is a state, and says so', async () => {
  const url = await serve((_request, response) => response.end(answerWith('5')));
  follow(policyFor(queried, { url, bearerToken: { name: 's', key: 'absent' } }), undefined);
  expect(await awaitSample(() => true)).toMatchObject({ kind: 'missing', cause: 'Refused' });
});

const installed = existsSync(binary) ? test : test.skip;

installed('with Debian’s Prometheus the decision is that of the agents, and its end shrinks nothing', async () => {
  const load = 33;
  const page = await serve((_request, response) => response.end(`kubeai_requests_in_flight ${load}\n`));
  const folder = mkdtempSync(join(tmpdir(), 'prometheus-'));
  const { prometheus, url } = await startPrometheus(folder, page.replace('http://', ''));
  try {
    const asked = policyFor({ concurrency: { targetPerReplica: 4, source: 'prometheus' } });
    const told = policyFor({ concurrency: { targetPerReplica: 4, source: 'agents' } });
    const byPrometheus = createSignalFold(asked);
    const byAgents = createSignalFold(told);
    follow(asked, url);
    const sample = await awaitSample(({ kind }) => kind === 'value');
    expect(sample).toMatchObject({ value: load });

    const start = clock.now();
    for (let second = 0; second < 90; second++) {
      const at = instant(start + second * 1_000);
      byAgents.accept(reportOf({ namespace: 'models', name: 'chat-a', uid: 'u' }, second, load), at);
      byAgents.fold(pods(start), at);
    }
    byPrometheus.acceptExternal(sample, instant(start + 90_000));
    const at = instant(start + 90_000);
    const [fromAgents, fromPrometheus] = [wanted(told, byAgents, start, at), wanted(asked, byPrometheus, start, at)];
    expect(fromAgents.recommended).toBeGreaterThan(2);
    expect(Math.abs(fromAgents.recommended - fromPrometheus.recommended)).toBeLessThanOrEqual(1);

    delivered.length = 0;
    prometheus.kill('SIGKILL');
    await once(prometheus, 'exit');
    const gone = await awaitSample(({ kind }) => kind === 'missing');
    expect(gone).toMatchObject({ cause: 'Unreachable' });
    byPrometheus.acceptExternal(gone, at);
    expect(wanted(asked, byPrometheus, start, at)).toMatchObject({ recommended: 2, reason: 'NoFreshSignals' });
  } finally {
    prometheus.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  }
});

async function startPrometheus(folder: string, target: string): Promise<{ prometheus: ChildProcess; url: string }> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  const scrape = {
    job_name: 'agents',
    static_configs: [{ targets: [target], labels: { namespace: 'models', pod: 'chat-a' } }],
  };
  writeFileSync(
    join(folder, 'prometheus.yml'),
    JSON.stringify({ global: { scrape_interval: '1s' }, scrape_configs: [scrape] }),
  );
  const prometheus = spawn(
    binary,
    [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: 'ignore' },
  );
  return { prometheus, url: `http://127.0.0.1:${port}` };
}

const pods = (start: Instant): PodFacts[] => [
  {
    name: 'chat-a',
    uid: 'u',
    phase: 'Running',
    createdAt: instant(start - minutes(30)),
    conditions: [{ type: 'Ready', status: 'True', since: instant(start - minutes(20)) }],
    containers: [],
  },
];

/** What two replicas, one of them reporting for both, should become. */
function wanted(policy: Policy, fold: SignalFold, start: Instant, at: Instant) {
  const facts = pods(start);
  const history = emptyHistory(2, instant(at - seconds(1)));
  const { signals, traffic } = fold.fold(facts, at);
  const snapshot = { replicas: 2, ledger: ledgerOf(2, facts, history, at), signals, traffic };
  return decide(policy, snapshot, history, at).decision;
}
