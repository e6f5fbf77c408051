// How long a step of load takes to become a change of size: `npm run bench:reaction`. Forty policies, each with one pod: a
// model server, the agent's own splice, books, reports and push before it, the controller with its ordinary tick, and an
// API server, all in one process. Two requests are on their way all the time; at some moment of the agent's second thirty
// are. Measured from the first byte of the step to the moment the API server has stored the new size.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, get, Agent as HttpAgent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSecretStore, ensureCertificates } from '@kubeai/certificates';
import { createClock, createLog } from '@kubeai/daemon';
import { createKubeClient, type KubeObject, PooledKubeConfig, resources } from '@kubeai/kube';
import { milliseconds, seconds } from '@kubeai/units';
import { parse } from 'yaml';
import { createJumpWatch } from '../../agent/jump-watch.ts';
import { reportInterval } from '../../agent/limits.ts';
import { startPush } from '../../agent/push.ts';
import { createReportWriter } from '../../agent/report-writer.ts';
import { absentSource } from '../../agent/source.ts';
import { startSplice } from '../../agent/splice.ts';
import { createTrafficBook } from '../../agent/traffic.ts';
import { createController } from '../../controller/controller.ts';
import { createMetrics } from '../../controller/metrics.ts';
import { serveReports } from '../../controller/report-listener.ts';
import { audience } from '../../controller/token-reviews.ts';
import { startApiServer } from '../../packages/local-cluster/api-server/api-server.ts';
import { jsonOption, keepFigures, readBenchLine, wholeNumberOption } from './bench-options.ts';
import { printVerdict, type Verdict } from './verdict.ts';

const targets = 40;
const quietSeconds = 10;
const quietLoad = 2;
const stepLoad = 30;
const { json, answers } = readBenchLine({
  name: 'bench:reaction',
  summary: 'Measures how long a step of load takes to become a change of size.',
  options: { json: jsonOption, answers: wholeNumberOption('how long an answer takes', 'MILLISECONDS', 2_000) },
});
const clock = createClock();
const log = createLog({ level: 'error', name: 'bench' });
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const crd = parse(readFileSync(join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'), 'utf8'));

const api = await startApiServer({ clock, crds: [crd] });
const config = new PooledKubeConfig();
config.loadFromString(api.kubeconfig());
const client = createKubeClient(config, { userAgent: 'bench', clock });
const namespace = 'models';
await client.create(resources.namespaces, { metadata: { name: namespace } });

const controller = await createController({
  client,
  clock,
  log,
  metrics: createMetrics(),
  tick: seconds(1),
});
const store = createSecretStore(client, { namespace: 'kube-system', name: 'kubeai-ca' });
const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock, log });
const identity = certificates.current();
const local = { clock, host: '127.0.0.1', port: 0 };
const listener = await serveReports(controller.ingest.receive, identity, local);

const directory = mkdtempSync(join(tmpdir(), 'kubeai-reaction-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
const caFile = join(directory, 'ca.crt');
writeFileSync(caFile, identity.bundle);
const server = createServer((_request, response) => {
  setTimeout(() => response.setHeader('content-type', 'application/json').end('{}'), answers);
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const upstream = { host: '127.0.0.1', port: (server.address() as AddressInfo).port };

const scaledAt = new Map<string, number>();
api.client('bench').watch<never>('deployments.apps', {}, ({ object }) => {
  const { metadata, spec } = object as KubeObject & { spec: { replicas: number } };
  if (spec.replicas > 1 && !scaledAt.has(metadata.name)) scaledAt.set(metadata.name, clock.monotonic());
});
await controller.start();

const results = await Promise.all(Array.from({ length: targets }, (_, number) => measure(`chat-${number}`, number)));
const quantile = (values: number[], q: number) =>
  values.toSorted((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;
const line = (name: string, values: number[]) => {
  const [p50, p95, p99] = [quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.99)];
  process.stdout.write(
    `${name.padEnd(44)}p50 ${p50.toFixed(0).padStart(6)} ms   p95 ${p95.toFixed(0).padStart(6)} ms   p99 ${p99.toFixed(0).padStart(6)} ms\n`,
  );
};
line(
  'step at a socket to the first report of it',
  results.map(({ told }) => told),
);
line(
  'first report of the step to the new size',
  results.map(({ scaled, told }) => scaled - told),
);
const fromSocket = results.map(({ scaled }) => scaled);
const verdicts: Verdict[] = [
  { what: 'step at a socket to PATCH, p50, ms', value: quantile(fromSocket, 0.5), must: 500, excellent: 120 },
  { what: 'step at a socket to PATCH, p99, ms', value: quantile(fromSocket, 0.99), must: 1_500, excellent: 300 },
];
for (const verdict of verdicts) printVerdict(verdict);
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
process.stdout.write(
  `early reports: ${sum(results.map(({ quietEarly }) => quietEarly))} among ${sum(results.map(({ quietReports }) => quietReports))} before the step, ${sum(results.map(({ early }) => early))} after it\n`,
);
keepFigures(json, { bench: 'reaction', verdicts, results });
process.exit(0);

/** One target from quiet to its first growth; spans in milliseconds, from the step on. */
async function measure(name: string, number: number) {
  const { pod, token } = await createTarget(name);
  const tokenFile = join(directory, `${name}.token`);
  writeFileSync(tokenFile, token);
  await clock.sleep(milliseconds((number * reportInterval) / targets));
  const agent = await startAgent(pod, tokenFile);
  const load = startLoad(agent.port);
  load.grow(quietLoad);
  // Prime to the stagger of the agents: steps fall evenly into their seconds.
  await clock.sleep(milliseconds(quietSeconds * 1_000 + number * 137));
  const before = agent.reports.length;
  const stepped = clock.monotonic();
  load.grow(stepLoad - quietLoad);
  while (!scaledAt.has(name)) await clock.sleep(milliseconds(5));
  load.stop();
  await agent.stop();
  const since = agent.reports.slice(before);
  return {
    told: since[0]!.at - stepped,
    scaled: scaledAt.get(name)! - stepped,
    quietReports: before,
    quietEarly: agent.reports.slice(0, before).filter(({ isEarly }) => isEarly).length,
    early: since.filter(({ isEarly }) => isEarly).length,
  };
}

/** A Deployment of one pod that has served for long, its policy, and the pod's token. */
async function createTarget(name: string) {
  const labels = { app: name };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'kubeai/model-server' }] } };
  const metadata = { namespace, name };
  await client.create(resources.deployments, {
    metadata,
    spec: { replicas: 1, selector: { matchLabels: labels }, template },
  } as KubeObject);
  const created = await client.create<KubeObject>(resources.pods, {
    metadata: { ...metadata, labels },
    spec: template.spec,
  } as KubeObject);
  const since = new Date(Date.now() - 600_000).toISOString().replace(/\.\d+Z/, 'Z');
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: since }];
  await client.patch(
    resources.pods,
    metadata,
    { status: { phase: 'Running', conditions } },
    { kind: 'merge', subresource: 'status' },
  );
  await client.create(resources.policies, {
    metadata,
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name },
      maxReplicas: 8,
      metrics: { concurrency: { targetPerReplica: 4 } },
    },
  } as KubeObject);
  const pod = { ...metadata, uid: created.metadata.uid ?? '' };
  const { token } = await api
    .client('bench')
    .issueToken({ namespace, name: 'default' }, { audiences: [audience], expirationSeconds: 3_600, pod });
  return { pod, token };
}

/** What of the agent lies between a socket and a report, wired as its main.ts does. */
async function startAgent(pod: Parameters<typeof createReportWriter>[0]['pod'], tokenFile: string) {
  const jump = createJumpWatch(clock, () => report());
  const book = createTrafficBook(clock.monotonic(), jump.began);
  const absent = absentSource('NotAsked');
  const splice = await startSplice({
    listen: { host: '127.0.0.1', port: 0 },
    upstream,
    book,
    clock,
    log,
    gate: undefined,
  });
  const writer = createReportWriter({
    pod,
    run: 'bench',
    book,
    gate: undefined,
    sources: { engine: absent, gpu: absent, container: absent, host: absent },
    observes: true,
    start: clock.monotonic(),
  });
  const url = new URL(`https://127.0.0.1:${listener.port}`);
  const push = startPush({ url, serverName: 'kubeai-controller', tokenFile, caFile, clock, log });
  const reports: { readonly at: number; readonly isEarly: boolean }[] = [];
  const report = (): void => {
    splice.catchUp();
    const now = clock.monotonic();
    const written = writer.write(now, { leaving: false, jumped: jump.seen });
    jump.told(written.traffic, written.windowMs, now);
    push.send(written, now);
    reports.push({ at: now, isEarly: written.jumped === true });
  };
  const reporting = clock.every(reportInterval, report);
  return {
    port: splice.port,
    reports,
    async stop() {
      reporting.stop();
      await push.stop(milliseconds(1));
      await splice.close();
    },
  };
}

/** Clients that ask again as soon as they have their answer. */
function startLoad(port: number) {
  const agent = new HttpAgent({ keepAlive: true });
  let stopped = false;
  const ask = (): void => {
    if (stopped) return;
    get({ host: '127.0.0.1', port, agent }, (response) => response.resume().on('end', ask)).on(
      'error',
      () => undefined,
    );
  };
  return {
    grow(clients: number) {
      for (let at = 0; at < clients; at += 1) ask();
    },
    stop() {
      stopped = true;
      agent.destroy();
    },
  };
}
