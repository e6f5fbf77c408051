// The webhook against a real API server in this process: pods and policies are created as users do, and the API server
// calls us over HTTPS with the authority that we wrote into its configurations.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock, createLog, type SecureListener, serveHttps } from '@kubeai/daemon';
import { createKubeClient, type KubeClient, type KubeObject, PooledKubeConfig, resources } from '@kubeai/kube';
import { type Instant, instant, milliseconds, seconds } from '@kubeai/units';
import { parse, parseAllDocuments } from 'yaml';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { type ApiServer, startApiServer } from '../packages/local-cluster/api-server/api-server.ts';
import { createLookAround } from './look-around.ts';
import { listenWithOwnAuthority, type SecureListening } from './secure-listener.ts';
import { config, modelPod } from './testing/injection.ts';
import { createWebhookAnswers, type WebhookAnswers } from './webhook-answers.ts';
import { createWebhookHandler } from './webhook-handler.ts';
import { createWebhookMetrics } from './webhook-metrics.ts';

const repository = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(repository, path), 'utf8');
const clock = createClock();
const log = createLog({ level: 'silent', name: 'test' });

interface Configuration extends KubeObject {
  readonly webhooks: readonly { readonly clientConfig: { readonly caBundle?: string; readonly url?: string } }[];
}

let api: ApiServer;
let kubeConfig: PooledKubeConfig;
let client: KubeClient;
let answers: WebhookAnswers;
let secure: SecureListening;
/** Keeps its number over restarts, as a Service keeps its address. */
let port = 0;

/** Starts what main.ts starts. `now`: what this webhook's clock says, for certificates of another time. */
async function startWebhook(now: () => Instant = clock.now): Promise<void> {
  const metrics = createWebhookMetrics();
  answers = createWebhookAnswers({
    client,
    clock,
    log,
    injection: config,
    ownNamespace: 'kubeai-system',
    onPod: metrics.admitted,
  });
  const handler = createWebhookHandler(answers.answers, { metrics, clock, log });
  secure = await listenWithOwnAuthority({
    client,
    clock: { ...clock, now },
    log,
    namespace: 'kubeai-system',
    serviceName: 'localhost',
    onCertificate: (ends) => metrics.certificateEnds(ends / 1_000),
    async listen(pair): Promise<SecureListener> {
      const listener = await serveHttps(handler, pair, { host: '127.0.0.1', port });
      port = listener.port;
      return listener;
    },
  });
  await eventually(() => answers.unready() === undefined);
}

async function stopWebhook(): Promise<void> {
  secure.stop();
  answers.stop();
  await secure.listener.drain(milliseconds(0));
}

/** The configurations of deploy/webhook.yaml, pointed at this process. */
async function applyConfigurations(): Promise<void> {
  for (const document of parseAllDocuments(read('deploy/webhook.yaml'))) {
    const object = document.toJS() as Configuration;
    const resource = {
      MutatingWebhookConfiguration: resources.mutatingWebhooks,
      ValidatingWebhookConfiguration: resources.validatingWebhooks,
    }[object.kind ?? ''];
    if (resource === undefined) continue;
    const webhooks = object.webhooks.map((webhook) => {
      const { service, ...rest } = webhook.clientConfig as { service: { path: string } };
      return { ...webhook, clientConfig: { ...rest, url: `https://localhost:${port}${service.path}` } };
    });
    const existing = await client.find<Configuration>(resource, object.metadata);
    if (existing === undefined) await client.create(resource, { ...object, webhooks } as KubeObject);
    else
      await client.replace(resource, {
        ...object,
        metadata: { ...object.metadata, resourceVersion: existing.metadata.resourceVersion! },
        webhooks,
      } as KubeObject);
  }
}

const bundleOf = async () =>
  (await client.read<Configuration>(resources.mutatingWebhooks, { name: 'kubeai-webhook' })).webhooks[0]?.clientConfig
    .caBundle;

let pods = 0;
async function createPod(namespace: string, change: Parameters<typeof modelPod>[0] = {}) {
  const { metadata, spec } = modelPod(change);
  return client.create<KubeObject & { spec: { initContainers?: { name: string }[] } }>(resources.pods, {
    metadata: { ...metadata, name: `pod-${++pods}`, namespace },
    spec,
  } as unknown as KubeObject);
}
const hasAgent = ({ spec }: Awaited<ReturnType<typeof createPod>>) =>
  (spec.initContainers ?? []).some(({ name }) => name === 'kubeai-agent');
const statusOf = ({ metadata }: KubeObject) => metadata.annotations?.['kubeai.io/injection-status'];

beforeAll(async () => {
  api = await startApiServer({
    clock,
    crds: [parse(read('crds/kubeai.io_aiinferenceautoscalerpolicies.yaml')) as object],
  });
  kubeConfig = new PooledKubeConfig();
  kubeConfig.loadFromString(api.kubeconfig('system:serviceaccount:kubeai-system:kubeai-webhook'));
  client = createKubeClient(kubeConfig, { userAgent: 'webhook', clock });
  await client.create(resources.namespaces, { metadata: { name: 'kubeai-system' } });
  await client.create(resources.namespaces, { metadata: { name: 'ai', labels: { 'kubeai.io/injection': 'enabled' } } });
  await client.create(resources.namespaces, { metadata: { name: 'plain' } });
  await startWebhook();
  await applyConfigurations();
  await eventually(async () => (await bundleOf()) !== undefined);
});
afterAll(async () => {
  await stopWebhook();
  await kubeConfig.close();
  await api.stop();
});

test('a pod of a labelled namespace is stored with its agent, one elsewhere as it is', async () => {
  const injected = await createPod('ai');
  expect(hasAgent(injected)).toBe(true);
  expect(JSON.parse(statusOf(injected)!)).toMatchObject({ status: 'injected', port: 8000, reach: 'port' });
  const plain = await createPod('plain');
  expect([hasAgent(plain), statusOf(plain)]).toEqual([false, undefined]);
});

test('a Service that targets the number of the port is seen before its pods come', async () => {
  const spec = { selector: { app: 'numbered' }, ports: [{ port: 80, targetPort: 8000 }] };
  await client.create(resources.services, {
    metadata: { name: 'numbered', namespace: 'ai' },
    spec,
  } as unknown as KubeObject);
  const reach = async () =>
    (JSON.parse(statusOf(await createPod('ai', { metadata: { labels: { app: 'numbered' } } }))!) as { reach: string })
      .reach;
  await eventually(async () => (await reach()) === 'none');
  await client.patch(
    resources.services,
    { name: 'numbered', namespace: 'ai' },
    [{ op: 'replace', path: '/spec/ports/0/targetPort', value: 'http' }],
    { kind: 'json' },
  );
  await eventually(async () => (await reach()) === 'port');
});

test('a pod that gets no agent says why', async () => {
  const pod = await createPod('ai', { spec: { hostNetwork: true } });
  expect(JSON.parse(statusOf(pod)!)).toEqual({ status: 'skipped', reason: 'HostNetwork', version: config.version });
});

test('our own pods are not even asked about', async () => {
  expect(
    statusOf(await createPod('ai', { metadata: { labels: { 'app.kubernetes.io/part-of': 'kubeai-autoscaler' } } })),
  ).toBeUndefined();
});

test('a wrong policy is refused by field, where the schema could not', async () => {
  const spec = {
    targetRef: { kind: 'Deployment', name: 'chat' },
    maxReplicas: 3,
    preset: 'interactive',
    schedule: [{ name: 'x', cron: 'soon', durationSeconds: 60, minReplicas: 1 }],
  };
  const create = (object: object) =>
    client.create(resources.policies, {
      metadata: { name: 'chat', namespace: 'ai' },
      spec: object,
    } as unknown as KubeObject);
  await expect(create(spec)).rejects.toThrow(
    /policy "chat" is invalid: spec\.schedule\[0\]\.cron: must be five cron fields/,
  );
  expect(await create({ ...spec, schedule: [] })).toMatchObject({ spec: { minReplicas: 1, mode: 'Active' } });
});

test('what stands around a policy is found: its size, other policies, other autoscalers', async () => {
  const look = createLookAround(client, clock, log);
  const target = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'rivalled' };
  expect(await look('plain', target)).toEqual({ policies: [], autoscalers: [], targetExists: false });
  const inPlain = (name: string, spec: object) =>
    ({ metadata: { name, namespace: 'plain' }, spec }) as unknown as KubeObject;
  const labels = { app: 'rivalled' };
  const template = { metadata: { labels }, spec: modelPod().spec };
  await client.create(
    resources.deployments,
    inPlain('rivalled', { replicas: 2, selector: { matchLabels: labels }, template }),
  );
  await client.create(resources.policies, inPlain('one', { targetRef: target, maxReplicas: 2, preset: 'batch' }));
  await client.create(
    resources.horizontalPodAutoscalers,
    inPlain('two', { scaleTargetRef: target, maxReplicas: 2, metrics: [] }),
  );
  const rivalled = { kind: 'Deployment', name: 'rivalled' };
  expect(await look('plain', target)).toEqual({
    policies: [{ kind: 'policy', name: 'one', target: rivalled }],
    autoscalers: [{ kind: 'HorizontalPodAutoscaler', name: 'two', target: rivalled }],
    currentReplicas: 2,
    targetExists: true,
  });
});

test('whoever applies the configurations anew finds our authority back in them', async () => {
  const before = await bundleOf();
  await applyConfigurations();
  await eventually(async () => (await bundleOf()) === before);
  expect(hasAgent(await createPod('ai'))).toBe(true);
});

test('with the webhook stopped every pod is created, without an agent and without our mark', async () => {
  await stopWebhook();
  const created = await Promise.all(Array.from({ length: 20 }, () => createPod('ai')));
  expect(created.filter(hasAgent)).toEqual([]);
  expect(created.filter((pod) => statusOf(pod) !== undefined)).toEqual([]);
  await startWebhook();
  expect(hasAgent(await createPod('ai'))).toBe(true);
});

test('with an expired certificate every pod is created, and a renewed one serves again', async () => {
  await stopWebhook();
  // Ten days ago is when the lifetime of a serving certificate made then is over now.
  await startWebhook(() => instant(clock.now() - seconds(11 * 24 * 3_600)));
  const created = await Promise.all(Array.from({ length: 5 }, () => createPod('ai')));
  expect(created.filter(hasAgent)).toEqual([]);
  await stopWebhook();
  await startWebhook();
  expect(hasAgent(await createPod('ai'))).toBe(true);
});
