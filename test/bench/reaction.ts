// How long a step of load takes to become a change of size: `npm run bench:reaction`. Forty policies, each with one pod whose
// agent reports once a second over TLS, the controller with its ordinary tick, and an API server in the same process.
// Measured from the moment an agent writes a report to the moment the API server has stored the new size; once from the
// first report that shows the step, once from the report that the decision followed.
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSecretStore, ensureCertificates } from '@kubeai/certificates';
import { createClock, createLog, serveHttps } from '@kubeai/daemon';
import { createKubeClient, type KubeObject, PooledKubeConfig, resources } from '@kubeai/kube';
import { encodeReport, protocolVersion, type Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { milliseconds, seconds } from '@kubeai/units';
import { parse } from 'yaml';
import { createController } from '../../controller/controller.ts';
import { createMetrics } from '../../controller/metrics.ts';
import { audience } from '../../controller/token-reviews.ts';
import { startApiServer } from '../../packages/local-cluster/api-server/api-server.ts';
import { printVerdict } from './verdict.ts';

const targets = 40;
const quietSeconds = 6;
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
const { serving, bundle } = certificates.current();
const local = { host: '127.0.0.1', port: 0, requestTimeout: milliseconds(0) };
const listener = await serveHttps(controller.ingest.handle, serving, local);

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
  'first report of the step to the new size',
  results.map(({ fromFirst }) => fromFirst),
);
line(
  'last report before it to the new size',
  results.map(({ fromLast }) => fromLast),
);
// The step itself falls anywhere into the second that the first report tells of: here, spread evenly over it.
const reportEveryMs = 1_000;
const fromSocket = results.map(({ fromFirst }, at) => fromFirst + (reportEveryMs * (at + 0.5)) / targets);
for (const [q, must, excellent] of [
  [0.5, 500, 120],
  [0.99, 1_500, 300],
] as const) {
  printVerdict({ what: `step at a socket to PATCH, p${q * 100}, ms`, value: quantile(fromSocket, q), must, excellent });
}
process.stdout.write(
  `reports it took: ${Math.min(...results.map(({ reports }) => reports))} to ${Math.max(...results.map(({ reports }) => reports))}\n`,
);
process.exit(0);

/** One target from quiet to its first growth. */
async function measure(name: string, number: number) {
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
  const agent = request({
    host: '127.0.0.1',
    port: listener.port,
    ca: bundle,
    servername: 'kubeai-controller',
    path: '/v1/reports',
    method: 'POST',
    agent: new Agent({ maxSockets: 1 }),
    headers: { 'content-type': 'application/x-ndjson', authorization: `Bearer ${token}` },
  });
  agent.on('response', (response) => response.resume());
  await clock.sleep(milliseconds((number * 1_000) / targets));
  const writes: number[] = [];
  for (let sequence = 0; !scaledAt.has(name); sequence++) {
    if (sequence >= quietSeconds) writes.push(clock.monotonic());
    agent.write(encodeReport(reportOf(pod, sequence, sequence < quietSeconds ? 2 : 30)));
    await clock.sleep(seconds(1));
  }
  agent.destroy();
  const at = scaledAt.get(name)!;
  const before = writes.filter((written) => written <= at);
  return { fromFirst: at - before[0]!, fromLast: at - before.at(-1)!, reports: before.length };
}

function reportOf(pod: Report['pod'], sequence: number, inFlight: number): Report {
  const empty = createSketch().encode();
  return {
    version: protocolVersion,
    run: 'bench',
    sequence,
    ageMs: 0,
    windowMs: 1_000,
    pod,
    traffic: {
      inFlight,
      waitingFirstByte: 0,
      concurrency: inFlight,
      started: inFlight,
      finished: { '2xx': 2 },
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
