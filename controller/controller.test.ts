// The controller against a real API server in this process: policies, targets and pods as a cluster has them, agents that
// report over TLS with their pods' own tokens.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createSecretStore, ensureCertificates } from '@kubeai/certificates';
import { type Clock, createClock, createLog, serveHttp } from '@kubeai/daemon';
import { type DecisionRecord, replay } from '@kubeai/decision';
import {
  createKubeClient,
  type KubeClient,
  type KubeObject,
  PooledKubeConfig,
  type Resource,
  resources,
} from '@kubeai/kube';
import {
  encodeReport,
  maxReportBytes,
  type PodIdentity,
  protocolVersion,
  type Report,
  reportsPath,
  reportsProtocol,
} from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { instant, milliseconds, seconds } from '@kubeai/units';
import { parse } from 'yaml';
import { type ApiServer, startApiServer } from '../packages/local-cluster/api-server/api-server.ts';
import { openBrowser, withBrowser } from '../test/browser.ts';
import { createAuthorityPublisher } from './authority-publisher.ts';
import { type Controller, type ControllerOptions, createController } from './controller.ts';
import { createPages } from './http-pages.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { type ReportListener, serveReports } from './report-listener.ts';
import { audience } from './token-reviews.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const crd = parse(readFileSync(join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'), 'utf8'));
const clock = createClock();
const log = createLog({ level: 'silent', name: 'tested' });
const folder = mkdtempSync(join(tmpdir(), 'controller-'));

interface Status {
  readonly status?: {
    readonly currentReplicas?: number;
    readonly decisions?: readonly {
      readonly from: number;
      readonly to: number;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
    }[];
    readonly history?: object;
  };
}
type PolicyObject = KubeObject & Status;

let api: ApiServer;
let config: PooledKubeConfig;
let client: KubeClient;
let namespaces = 0;
let namespace: string;
let running: { controller: Controller; listener: ReportListener; metrics: Metrics; stop(): Promise<void> } | undefined;
let agents: { stop(): void }[];

beforeAll(async () => {
  api = await startApiServer({ clock, crds: [crd, thingDefinition()] });
  config = new PooledKubeConfig();
  config.loadFromString(api.kubeconfig());
  client = createKubeClient(config, { userAgent: 'test', clock });
});
afterAll(async () => {
  await config.close();
  await api.stop();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  agents = [];
  namespace = `models-${++namespaces}`;
  await client.create(resources.namespaces, { metadata: { name: namespace } });
});
afterEach(async () => {
  for (const agent of agents) agent.stop();
  await running?.stop();
  running = undefined;
  for await (const policy of (await client.list(resources.policies)).items) {
    await client.delete(resources.policies, policy.metadata as { name: string });
  }
});

/** Starts what main.ts starts: the controller and its HTTPS listener with a certificate of our own. */
async function start(journal?: string, server?: string, more: Partial<ControllerOptions> = {}) {
  const metrics = createMetrics();
  const own = new PooledKubeConfig();
  const kubeconfig = api.kubeconfig('system:serviceaccount:kubeai-system:kubeai-controller');
  own.loadFromString(server === undefined ? kubeconfig : kubeconfig.replace(api.url, server));
  const calls = createKubeClient(own, { userAgent: 'controller', clock, onCall: metrics.called });
  const controller = await createController({
    client: calls,
    clock,
    log,
    metrics,
    tick: milliseconds(100),
    journal,
    ...more,
  });
  const store = createSecretStore(calls, { namespace: 'kube-system', name: 'kubeai-ca' });
  const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock, log });
  const { serving, bundle } = certificates.current();
  const listener = await serveReports(controller.ingest.receive, serving, { clock, host: '127.0.0.1', port: 0 });
  await controller.start();
  running = {
    controller,
    listener,
    metrics,
    async stop() {
      certificates.stop();
      await controller.stop();
      await listener.drain(seconds(0));
      await own.close();
    },
  };
  return { ...running, bundle };
}

const spec = (change: object = {}) => ({
  targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
  minReplicas: 1,
  maxReplicas: 8,
  metrics: { concurrency: { targetPerReplica: 4 } },
  ...change,
});
const applyPolicy = (name: string, change: object = {}) =>
  client.create(resources.policies, { metadata: { namespace, name }, spec: spec(change) } as KubeObject);

async function createDeployment(replicas: number) {
  const labels = { app: 'chat' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'kubeai/model-server' }] } };
  const object = {
    metadata: { namespace, name: 'chat' },
    spec: { replicas, selector: { matchLabels: labels }, template },
  };
  await client.create(resources.deployments, object as KubeObject);
}

/** A pod that serves, as a kubelet would report it. */
async function createPod(name: string): Promise<PodIdentity> {
  const metadata = { namespace, name, labels: { app: 'chat' } };
  const pod = await client.create<KubeObject>(resources.pods, {
    metadata,
    spec: { containers: [{ name: 'main', image: 'kubeai/model-server' }] },
  } as KubeObject);
  const since = new Date().toISOString().replace(/\.\d+Z/, 'Z');
  const conditions = ['PodScheduled', 'Ready'].map((type) => ({ type, status: 'True', lastTransitionTime: since }));
  const containerStatuses = [
    {
      name: 'main',
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: since } },
      image: '',
      imageID: '',
    },
  ];
  await client.patch(
    resources.pods,
    { namespace, name },
    { status: { phase: 'Running', conditions, containerStatuses } },
    { kind: 'merge', subresource: 'status' },
  );
  return { namespace, name, uid: pod.metadata.uid ?? '' };
}

const tokenFor = async (pod: PodIdentity, audiences: string[] = [audience]): Promise<string> => {
  const issued = await api
    .client('test')
    .issueToken({ namespace: pod.namespace, name: 'default' }, { audiences, expirationSeconds: 3_600, pod });
  return issued.token;
};

const empty = createSketch().encode();
function reportOf(pod: PodIdentity, sequence: number, inFlight: number): Report {
  return {
    version: protocolVersion,
    run: 'one',
    sequence,
    ageMs: 0,
    windowMs: 1_000,
    pod,
    traffic: {
      inFlight,
      waitingFirstByte: 0,
      concurrency: inFlight,
      started: inFlight,
      finished: { '2xx': inFlight },
      failed: 0,
      aborted: 0,
      rejected: 0,
      generatedTokens: 0,
      latencyMs: empty,
      timeToFirstByteMs: empty,
      timeToFirstTokenMs: empty,
      interTokenMs: empty,
      unobservedConnections: 0,
    },
    queue: { length: 0, source: 'firstByte' },
    absent: {},
  };
}

interface Opened {
  /** Writes as soon as the controller has let us in. */
  write(text: string): void;
  destroy(): void;
  /** Status and everything answered so far. */
  readonly answer: { code: number; text: string; ended: boolean };
}

async function open(
  listener: ReportListener,
  ca: string,
  token: string | undefined,
  options: object = {},
): Promise<Opened> {
  const asked = request(`${listener.url}${reportsPath}`, {
    ca,
    servername: 'kubeai-controller',
    agent: false,
    headers: {
      connection: 'upgrade',
      upgrade: reportsProtocol,
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...options,
  });
  const answer = { code: 0, text: '', ended: false };
  const ended = () => {
    answer.ended = true;
  };
  const listen = (code: number | undefined, stream: Readable) => {
    answer.code = code ?? 0;
    stream.on('data', (chunk) => {
      answer.text += chunk;
    });
    stream.on('error', ended).on('close', ended);
  };
  asked.on('error', ended);
  asked.on('response', (response) => listen(response.statusCode, response));
  const line = new Promise<Duplex>((resolve) => {
    asked.on('upgrade', (response, socket) => {
      listen(response.statusCode, socket);
      resolve(socket);
    });
  });
  asked.end();
  return {
    write: (text) => void line.then((socket) => socket.write(text)),
    destroy() {
      asked.destroy();
      void line.then((socket) => socket.destroy());
    },
    answer,
  };
}

/** An agent that reports ten times a second, which is a second's worth of news to us. */
async function startAgent(ingest: { listener: ReportListener; bundle: string }, pod: PodIdentity, load: () => number) {
  const sending = await open(ingest.listener, ingest.bundle, await tokenFor(pod));
  let sequence = 0;
  const send = () => sending.write(encodeReport(reportOf(pod, sequence++, load())));
  const timer = setInterval(send, 100);
  send();
  const agent = {
    answer: sending.answer,
    sent: () => sequence,
    stop() {
      clearInterval(timer);
      sending.destroy();
    },
  };
  agents.push(agent);
  return agent;
}

/** A controller whose one policy has grown its target, because of an agent that keeps reporting too much. */
async function startUnderLoad() {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat');
  const controller = await start();
  await startAgent(controller, pod, () => 30);
  await until(async () => (await replicas()) > 1);
  return controller;
}

async function until<Value>(
  look: () => Promise<Value | false | undefined> | Value | false | undefined,
): Promise<Value> {
  for (;;) {
    const seen = await look();
    if (seen) return seen as Value;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
const policy = (name: string) => client.read<PolicyObject>(resources.policies, { namespace, name });
const condition = async (name: string, type: string) =>
  (await policy(name)).status?.conditions?.find((each) => each.type === type);
const settled = (name: string, type: string, status: string) =>
  until(async () => {
    const found = await condition(name, type);
    return found?.status === status && found;
  });
const replicas = async (of: Resource = resources.deployments) =>
  (await client.read<KubeObject & { spec: { replicas: number } }>(of, { namespace, name: 'chat' })).spec.replicas;

test('load on an agent becomes replicas, a status, an Event, a metric and a line in the journal', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat');
  const journal = join(folder, 'journal.jsonl');
  const controller = await start(journal);
  let load = 2;
  await startAgent(controller, pod, () => load);
  await settled('chat', 'Ready', 'True');
  expect(await replicas()).toBe(1);

  load = 30;
  expect(await until(async () => (await replicas()) > 1)).toBe(true);
  const scaled = await until(async () => {
    const found = await policy('chat');
    return (found.status?.decisions?.length ?? 0) > 0 && found;
  });
  const [decision] = scaled.status!.decisions!.slice(-1);
  expect(decision).toMatchObject({ from: 1, reason: 'MetricAboveTarget' });
  expect(decision!.message).toMatch(
    /^1 → \d: a metric asks for more replicas \(concurrency is .* in all, target 4 a replica\)$/,
  );
  const event = await until(async () => {
    const { items } = await client.list<KubeObject & { reason: string; message: string }>(resources.events, {
      namespace,
    });
    return items.find(({ reason }) => reason === 'ScaledUp');
  });
  expect(event).toMatchObject({
    involvedObject: { kind: 'AIInferenceAutoscalerPolicy', name: 'chat' },
    message: `MetricAboveTarget: ${decision!.message}`,
  });
  expect(await controller.metrics.registry.getSingleMetricAsString('kubeai_scalings_total')).toContain(
    '{direction="up",reason="MetricAboveTarget"}',
  );
  const lines = await until(() => {
    const text = readFileSync(journal, 'utf8');
    return text.includes('MetricAboveTarget') && text.endsWith('\n') && text.trim().split('\n');
  });
  // What was kept is enough to make each decision again.
  for (const line of lines) {
    const record = JSON.parse(line) as DecisionRecord;
    expect(replay(record)).toEqual(record.decision);
  }
});

test('a restarted controller knows what was decided, and remembers the window', async () => {
  const first = await startUnderLoad();
  await until(() => (first.controller.memories().get(`${namespace}/chat`)?.history?.events.length ?? 0) > 0);
  const before = first.controller.memories().get(`${namespace}/chat`)!;
  await first.stop();
  for (const agent of agents) agent.stop();

  const second = await start();
  const after = await until(() => second.controller.memories().get(`${namespace}/chat`));
  expect(after.history?.coveredFrom).toBe(before.history?.coveredFrom);
  expect(after.history?.events).toEqual(before.history?.events);
  expect(after.status.decisions).toEqual(before.status.decisions);
});

test('of two policies on one target the older scales; the younger says so and takes over when it is gone', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('a-first');
  await applyPolicy('b-second', { minReplicas: 5 });
  const controller = await start();
  await startAgent(controller, pod, () => 1);
  await settled('a-first', 'Ready', 'True');
  const conflict = await settled('b-second', 'Conflict', 'True');
  expect(conflict.message).toBe('the older policy a-first scales the same target: delete one of the two');
  expect(await settled('b-second', 'Ready', 'False')).toMatchObject({ reason: 'Conflict' });
  expect(await replicas()).toBe(1);
  await applyPolicy('c-tried', { minReplicas: 3, mode: 'Recommend' });
  await settled('c-tried', 'Conflict', 'False');
  await settled('c-tried', 'Ready', 'True');

  await client.delete(resources.policies, { namespace, name: 'a-first' });
  await until(async () => (await replicas()) === 5);
  await settled('b-second', 'Conflict', 'False');
});

test('a policy that changes, but for its metrics, is never without signals', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat');
  const { controller, ...started } = await start();
  await startAgent(started, pod, () => 2);
  await settled('chat', 'Ready', 'True');
  const change = { spec: { maxReplicas: 7 } };
  await client.patch(resources.policies, { namespace, name: 'chat' }, change, { kind: 'merge' });
  // Its status is written with the first decision after the change.
  const ready = await until(async () => {
    const found = await condition('chat', 'Ready');
    return found?.observedGeneration === 2 && found;
  });
  expect(ready).toMatchObject({ status: 'True', reason: 'Scaling' });
  expect(controller.memories().get(`${namespace}/chat`)?.last?.decision.bounds.max).toBe(7);
});

test('a GPU budget stops growth with its reason', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat', { gpu: { budget: 'shared', perReplica: 2 } });
  const started = await start(undefined, undefined, { gpuBudgets: new Map([['shared', 5]]) });
  await startAgent(started, pod, () => 30);
  const last = () => started.controller.memories().get(`${namespace}/chat`)?.last?.decision;
  await until(() => last()?.current === 2 && last()?.reason === 'GpuBudget');
  expect(await replicas()).toBe(2);
});

test('a forecast is shown while it is observed, and is a floor once it is on', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat', { prediction: { mode: 'Observe' } });
  const started = await start();
  await startAgent(started, pod, () => 2);
  const memory = () => started.controller.memories().get(`${namespace}/chat`);
  await until(() => memory()?.foresight);
  // Half an hour of a climb is more than a test should take.
  const forecast = () => ({ replicas: 2.6, score: 0.5, model: 'holt' });
  memory()!.foresight = { ...memory()!.foresight!, forecast };
  await until(() => memory()?.last?.snapshot.forecast && memory()?.last?.decision.reason === 'WithinTarget');
  expect(await replicas()).toBe(1);

  await client.patch(
    resources.policies,
    { namespace, name: 'chat' },
    { spec: { prediction: { mode: 'On' } } },
    { kind: 'merge' },
  );
  await until(async () => (await replicas()) === 3);
  expect((await until(async () => (await policy('chat')).status?.decisions))[0]).toMatchObject({
    from: 1,
    to: 3,
    reason: 'PredictedLoad',
  });
});

test('no line of the log holds a token, whatever becomes of it', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  const bearer = 'prometheus-bearer-token';
  await client.create(resources.secrets, {
    metadata: { namespace, name: 'access' },
    data: { token: Buffer.from(bearer).toString('base64') },
  } as KubeObject);
  const prometheus = { url: 'http://127.0.0.1:9', bearerToken: { name: 'access', key: 'token' } };
  await applyPolicy('chat', { metrics: { concurrency: { targetPerReplica: 4, prometheusQuery: 'up' } }, prometheus });
  let lines = '';
  const write = (line: string) => {
    lines += line;
  };
  const told = createLog({ level: 'trace', name: 'tested', destination: { write } });
  const { listener, bundle } = await start(undefined, undefined, { log: told });
  const tokens = [
    await tokenFor(pod),
    await tokenFor(pod, ['somebody-else']),
    'eyJub3QiOiJhIn0.b3VyLXRva2Vu.c2lnbmF0dXJl',
  ];
  for (const token of tokens) {
    const sending = await open(listener, bundle, token);
    sending.write('{"version":1,"sequence":0}\n');
    await until(() => sending.answer.code > 200 || sending.answer.text !== '');
    sending.destroy();
  }
  await until(() => lines.includes('Query of a metric failed') && lines.includes('Refused a report'));
  expect([bearer, ...tokens].filter((token) => lines.includes(token))).toEqual([]);
});

test('a HorizontalPodAutoscaler on the same target keeps us from scaling until it is deleted', async () => {
  await createDeployment(1);
  await createPod('chat-a');
  await client.create(resources.horizontalPodAutoscalers, {
    metadata: { namespace, name: 'other' },
    spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' }, maxReplicas: 3 },
  } as KubeObject);
  await applyPolicy('chat', { minReplicas: 4 });
  await start();
  expect((await settled('chat', 'Conflict', 'True')).message).toContain('HorizontalPodAutoscaler other');
  expect(await replicas()).toBe(1);
  await client.delete(resources.horizontalPodAutoscalers, { namespace, name: 'other' });
  await until(async () => (await replicas()) === 4);
});

/** A way to the API server that can be cut. */
async function createCable() {
  const sockets = new Set<Socket>();
  let cut = false;
  const { port } = new URL(api.url);
  const cable = createServer((near) => {
    if (cut) return void near.destroy();
    const far = connect(Number(port), '127.0.0.1');
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
    }
    near.pipe(far).pipe(near);
  }).listen(0, '127.0.0.1');
  await once(cable, 'listening');
  return {
    url: `https://127.0.0.1:${(cable.address() as AddressInfo).port}`,
    cut() {
      cut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() {
      cut = false;
    },
    close: () => cable.close(),
  };
}

test('while the API server is away nothing changes and nothing is lost; when it is back the load is answered', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat');
  const cable = await createCable();
  const controller = await start(undefined, cable.url);
  let load = 1;
  await startAgent(controller, pod, () => load);
  await settled('chat', 'Ready', 'True');
  const failed = async () =>
    (await controller.metrics.registry.getSingleMetricAsString('controller_runtime_reconcile_total')).includes('error');

  cable.cut();
  load = 30;
  await until(failed);
  expect(await replicas()).toBe(1);
  cable.mend();
  await until(async () => (await replicas()) > 1);
  expect(controller.controller.ingest.connections()).toBe(1);
  cable.close();
});

test('a clock that is set an hour back and then two on costs no report and no decision', async () => {
  await createDeployment(1);
  const pod = await createPod('chat-a');
  await applyPolicy('chat');
  let set = 0;
  const now = () => instant(clock.now() + set);
  // What is done every few seconds is done often, so that nobody has to wait for it.
  const every: Clock['every'] = (span, action) => clock.every(milliseconds(span / 50), action);
  const controller = await start(undefined, undefined, { clock: { ...clock, now, every } });
  const { ingest } = controller.controller;
  const refusals = () => Object.values(ingest.counts.refused).reduce((sum, count) => sum + count, 0);
  let load = 1;
  const agent = await startAgent(controller, pod, () => load);
  await settled('chat', 'Ready', 'True');

  set = -3_600_000;
  load = 12;
  await until(async () => (await replicas()) > 1);
  expect({ refusals: refusals(), ended: agent.answer.ended }).toEqual({ refusals: 0, ended: false });

  // By this clock every token has run out. Its agent comes again, and the API server, whose clock counts, knows it.
  set = 3_600_000;
  load = 30;
  await until(() => agent.answer.ended);
  const again = await startAgent(controller, pod, () => load);
  await until(async () => (await replicas()) > 6);
  const sent = again.sent();
  await until(() => again.sent() > sent + 5);
  expect(again.answer.ended).toBe(false);
});

test('the public authority is put into labelled namespaces, and again when somebody deletes it', async () => {
  const name = { namespace, name: 'kubeai-ca' };
  const read = async () => (await client.find<KubeObject & { data: object }>(resources.configMaps, name))?.data;
  const publisher = createAuthorityPublisher(client, clock, log);
  try {
    await publisher.publish('first');
    expect(await read()).toBeUndefined();
    await client.patch(
      resources.namespaces,
      { name: namespace },
      { metadata: { labels: { 'kubeai.io/injection': 'enabled' } } },
      { kind: 'merge' },
    );
    await until(async () => JSON.stringify(await read()) === '{"ca.crt":"first"}');
    await publisher.publish('second');
    expect(await read()).toEqual({ 'ca.crt': 'second' });
    await client.delete(resources.configMaps, name);
    await until(async () => JSON.stringify(await read()) === '{"ca.crt":"second"}');
  } finally {
    publisher.stop();
  }
});

test('a target that is not there yet is named, and scaled as soon as it is', async () => {
  await applyPolicy('chat', { minReplicas: 2 });
  await start();
  const missing = await settled('chat', 'Ready', 'False');
  expect(missing).toMatchObject({ reason: 'TargetNotFound', message: `there is no Deployment ${namespace}/chat` });
  await createDeployment(1);
  await until(async () => (await replicas()) === 2);
});

test('anything with a scale subresource is scaled; anything without says so', async () => {
  const things: Resource = { group: 'example.dev', version: 'v1', plural: 'things', kind: 'Thing', namespaced: true };
  await client.create(things, {
    metadata: { namespace, name: 'chat' },
    spec: { replicas: 1 },
    status: {},
  } as KubeObject);
  await applyPolicy('thing', {
    targetRef: { apiVersion: 'example.dev/v1', kind: 'Thing', name: 'chat' },
    minReplicas: 3,
  });
  await applyPolicy('map', { targetRef: { apiVersion: 'v1', kind: 'ConfigMap', name: 'chat' } });
  await start();
  await until(async () => (await replicas(things)) === 3);
  expect(await settled('map', 'Ready', 'False')).toMatchObject({ reason: 'TargetNotScalable' });
});

test('steady, noisy load costs the API server nothing', async () => {
  await createDeployment(2);
  const pods = [await createPod('chat-a'), await createPod('chat-b')];
  await applyPolicy('chat');
  const controller = await start();
  for (const pod of pods) await startAgent(controller, pod, () => 3 + Math.round(Math.random()));
  await settled('chat', 'Ready', 'True');
  const writes = async () => {
    const text = await controller.metrics.registry.getSingleMetricAsString('rest_client_requests_total');
    const counts = [...text.matchAll(/method="(PATCH|PUT|POST)".*? (\d+)$/gm)].map((match) => Number(match[2]));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const looks = () => controller.controller.memories().get(`${namespace}/chat`)!.history!.at;
  // Once the pods' first reports are in, look after look must leave the API server alone.
  const first = looks();
  await until(() => looks() - first > 500);
  const [before, since] = [await writes(), looks()];
  await until(() => looks() - since > 2_500);
  expect((await writes()) - before).toBeLessThanOrEqual(1);
});

test.each<
  [
    string,
    (pod: PodIdentity) => Promise<{ token?: string | undefined; line?: string; options?: object }>,
    number,
    string,
    string | undefined,
  ]
>([
  ['no token', async () => ({}), 401, 'no bearer token was sent', 'Unauthenticated'],
  ['a token that nobody issued', async () => ({ token: 'x.y.z' }), 401, 'refused', 'Unauthenticated'],
  [
    'a token for another audience',
    async (pod) => ({ token: await tokenFor(pod, ['other']) }),
    401,
    'refused',
    'Unauthenticated',
  ],
  [
    'a report of another pod',
    async (pod) => ({ token: await tokenFor(pod), line: encodeReport(reportOf({ ...pod, uid: 'other' }, 1, 0)) }),
    101,
    'another pod',
    'WrongPod',
  ],
  [
    'a line that is no JSON',
    async (pod) => ({ token: await tokenFor(pod), line: '{"version":\n' }),
    101,
    'cannot be read',
    'Malformed',
  ],
  [
    'another version',
    async (pod) => ({
      token: await tokenFor(pod),
      line: `${JSON.stringify({ ...reportOf(pod, 1, 0), version: 99 })}\n`,
    }),
    101,
    'does not speak',
    'UnsupportedVersion',
  ],
  [
    'a line that is too long',
    async (pod) => ({ token: await tokenFor(pod), line: `${'x'.repeat(maxReportBytes + 1)}\n` }),
    101,
    'longer than',
    'TooLarge',
  ],
  [
    'the same report twice',
    async (pod) => ({ token: await tokenFor(pod), line: encodeReport(reportOf(pod, 7, 0)).repeat(2) }),
    101,
    '"refused":7',
    'Duplicate',
  ],
  [
    'more reports than an agent sends',
    async (pod) => ({
      token: await tokenFor(pod),
      line: Array.from({ length: 300 }, (_, n) => encodeReport(reportOf(pod, n, 0))).join(''),
    }),
    101,
    'faster',
    'TooMany',
  ],
  ['another path', async () => ({ options: { path: '/v2/reports' } }), 404, '/v1/reports', undefined],
  ['another method', async () => ({ options: { method: 'PUT' } }), 405, 'GET', undefined],
  [
    'a request that asks for no other protocol',
    async () => ({ options: { headers: {} } }),
    426,
    'Upgrade header',
    undefined,
  ],
  [
    'another protocol',
    async () => ({ options: { headers: { connection: 'upgrade', upgrade: 'websocket' } } }),
    426,
    'kubeai-reports',
    undefined,
  ],
])('%s is refused over TLS with its reason, and counted', async (_what, given, code, text, reason) => {
  const controller = await start();
  const pod = await createPod('chat-a');
  const { token, line, options } = await given(pod);
  const sending = await open(controller.listener, controller.bundle, token, options);
  if (line !== undefined) sending.write(line);
  const { answer } = sending;
  await until(() => answer.text.includes(text));
  expect(answer.code).toBe(code);
  const { refused } = controller.controller.ingest.counts;
  expect(
    Object.entries(refused)
      .filter(([, count]) => count > 0)
      .map(([name]) => name),
  ).toEqual(reason === undefined ? [] : [reason]);
  sending.destroy();
});

test('a good report is acknowledged by its number; a pod that is deleted is cut off', async () => {
  const controller = await start();
  const pod = await createPod('chat-a');
  const sending = await open(controller.listener, controller.bundle, await tokenFor(pod));
  sending.write(encodeReport(reportOf(pod, 41, 0)));
  const { answer } = sending;
  await until(() => answer.text === '{"accepted":41}\n');
  expect(controller.controller.ingest.connections()).toBe(1);
  await client.delete(resources.pods, pod);
  await client.delete(resources.pods, pod).catch(() => undefined);
  await until(() => answer.ended);
  expect(answer.text).toContain('UnknownPod');
  expect(controller.controller.ingest.connections()).toBe(0);
});

async function servePages({ controller, metrics }: { controller: Controller; metrics: Metrics }) {
  const { policies, memories } = controller;
  const pages = createPages({ policies, memories, metrics, clock, isLeader: () => true });
  const listener = await serveHttp(pages.app, { host: '127.0.0.1', port: 0 });
  return {
    url: listener.url,
    async stop() {
      pages.stop();
      await listener.drain(seconds(0));
    },
  };
}

test('the API tells the present of each policy in numbers and words, once and each second', async () => {
  const controller = await startUnderLoad();
  const pages = await servePages(controller);
  try {
    const { policies } = (await (await fetch(`${pages.url}/api/policies`)).json()) as { policies: object[] };
    expect(policies).toEqual([
      expect.objectContaining({
        namespace,
        name: 'chat',
        target: 'Deployment/chat',
        ready: expect.objectContaining({ status: 'True' }),
        replicas: expect.objectContaining({ min: 1, max: 8, ledger: expect.objectContaining({ serving: 1 }) }),
        signals: [
          expect.objectContaining({
            name: 'concurrency',
            state: 'value',
            target: 4,
            text: expect.stringContaining('target 4 a replica'),
          }),
        ],
        decision: expect.objectContaining({ reason: expect.any(String), steps: expect.any(Array) }),
      }),
    ]);
    const one = await fetch(`${pages.url}/api/policies/${namespace}/chat`);
    expect(await one.json()).toMatchObject({
      events: [{ from: 1, reason: 'MetricAboveTarget' }],
      trail: { points: expect.any(Array) },
    });
    expect((await fetch(`${pages.url}/api/policies/${namespace}/other`)).status).toBe(404);

    const stream = (await fetch(`${pages.url}/api/events`)).body!;
    let text = '';
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (text.split('event: present').length > 2) break;
    }
    expect(text.startsWith('event: trails\ndata: {"states":["requested"')).toBe(true);
    const metrics = await (await fetch(`${pages.url}/metrics`)).text();
    expect(metrics).toContain('rest_client_requests_total{');
    expect((await fetch(`${pages.url}/elsewhere`)).status).toBe(404);
  } finally {
    await pages.stop();
  }
});

withBrowser('the dashboard draws a policy in a browser, without an error and without asking anybody else', async () => {
  const controller = await startUnderLoad();
  const pages = await servePages(controller);
  const profile = join(folder, 'browser');
  const browser = await openBrowser(profile);
  try {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (message) => message.type() === 'error' && wrong.push(message.text()));
    page.on(
      'request',
      (asked) => asked.url().startsWith(pages.url) || asked.url().startsWith('data:') || wrong.push(asked.url()),
    );
    await page.goto(pages.url);
    await page.waitForSelector('.u-wrap canvas');
    const text = await page.innerText('main');
    expect(text).toContain(`${namespace}/chat`);
    expect(text).toContain('scales Deployment/chat');
    expect(text).toMatch(/1 → \d/);
    expect(text).toContain('MetricAboveTarget');
    expect(wrong).toEqual([]);
  } finally {
    await browser.close();
    await pages.stop();
  }
});

function thingDefinition() {
  const version = {
    name: 'v1',
    served: true,
    storage: true,
    schema: {
      openAPIV3Schema: {
        type: 'object',
        properties: {
          spec: { type: 'object', properties: { replicas: { type: 'integer' } } },
          status: { type: 'object', properties: { replicas: { type: 'integer' }, selector: { type: 'string' } } },
        },
      },
    },
    subresources: {
      status: {},
      scale: {
        specReplicasPath: '.spec.replicas',
        statusReplicasPath: '.status.replicas',
        labelSelectorPath: '.status.selector',
      },
    },
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'things.example.dev' },
    spec: {
      group: 'example.dev',
      scope: 'Namespaced',
      names: { plural: 'things', singular: 'thing', kind: 'Thing' },
      versions: [version],
    },
  };
}
