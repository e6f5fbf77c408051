// What programs do with the official client library, held against the API server: watches, conflicts, leases, scale,
// tokens. The same tests run against a real server when CONTRACT_KUBECONFIG names one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import {
  ApiException,
  AppsV1Api,
  AuthenticationV1Api,
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  PolicyV1Api,
  setHeaderOptions,
  V1MicroTime,
  Watch,
} from '@kubernetes/client-node';
import { type ContractTarget, startContractTarget } from './contract-target.ts';

let target: ContractTarget;
let config: KubeConfig;
let core: CoreV1Api;
let apps: AppsV1Api;
let namespace: string;

beforeAll(async () => {
  target = await startContractTarget();
  namespace = target.namespace;
  config = new KubeConfig();
  config.loadFromFile(target.kubeconfigPath);
  core = config.makeApiClient(CoreV1Api);
  apps = config.makeApiClient(AppsV1Api);
  await core.createNamespace({ body: { metadata: { name: namespace } } });
});

afterAll(async () => {
  await core.deleteNamespace({ name: namespace });
  await target.stop();
});

const codeOf = async (work: Promise<unknown>): Promise<number> => {
  try {
    await work;
    return 200;
  } catch (error) {
    if (error instanceof ApiException) return error.code;
    throw error;
  }
};

const configMap = (name: string, more: object = {}) => ({ metadata: { name, ...more }, data: { a: '1' } });

test('objects are created, read, listed page by page and deleted', async () => {
  for (const name of ['a', 'b', 'c']) {
    await core.createNamespacedConfigMap({ namespace, body: configMap(name, { labels: { listed: 'yes' } }) });
  }
  const first = await core.listNamespacedConfigMap({ namespace, labelSelector: 'listed=yes', limit: 2 });
  expect(first.items.map(({ metadata }) => metadata?.name)).toEqual(['a', 'b']);
  const rest = await core.listNamespacedConfigMap({
    namespace,
    labelSelector: 'listed=yes',
    limit: 2,
    _continue: first.metadata?._continue ?? '',
  });
  expect(rest.items.map(({ metadata }) => metadata?.name)).toEqual(['c']);
  await core.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: 'listed=yes' });
  expect((await core.listNamespacedConfigMap({ namespace, labelSelector: 'listed=yes' })).items).toEqual([]);
});

test('two writers with the same version: one wins, the other gets 409', async () => {
  const created = await core.createNamespacedConfigMap({ namespace, body: configMap('raced') });
  const write = (value: string) =>
    codeOf(core.replaceNamespacedConfigMap({ name: 'raced', namespace, body: { ...created, data: { a: value } } }));
  expect((await Promise.all([write('2'), write('3')])).sort()).toEqual([200, 409]);
  expect(await codeOf(core.createNamespacedConfigMap({ namespace, body: configMap('raced') }))).toBe(409);
  expect(await codeOf(core.readNamespacedConfigMap({ name: 'none', namespace }))).toBe(404);
});

test('patches that name no version all come through, and none is lost', async () => {
  await core.createNamespacedConfigMap({ namespace, body: configMap('shared') });
  const patch = (key: string) =>
    core.patchNamespacedConfigMap(
      { name: 'shared', namespace, body: { data: { [key]: key } } },
      setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
    );
  await Promise.all(['b', 'c', 'd', 'e'].map(patch));
  const { data } = await core.readNamespacedConfigMap({ name: 'shared', namespace });
  expect(data).toEqual({ a: '1', b: 'b', c: 'c', d: 'd', e: 'e' });
});

test('a watch from a list misses nothing', async () => {
  const { metadata } = await core.listNamespacedConfigMap({ namespace });
  const path = `/api/v1/namespaces/${namespace}/configmaps`;
  await core.createNamespacedConfigMap({ namespace, body: configMap('watched') });
  const seen: string[] = [];
  await new Promise<void>((resolve, reject) => {
    const watch = new Watch(config).watch(
      path,
      {
        resourceVersion: metadata?.resourceVersion,
        allowWatchBookmarks: true,
        fieldSelector: 'metadata.name=watched',
        timeoutSeconds: 20,
      },
      (type, object) => {
        seen.push(`${type} ${object.metadata.name}`);
        if (type === 'ADDED') void core.deleteNamespacedConfigMap({ name: 'watched', namespace });
        if (type === 'DELETED') void watch.then((controller) => controller.abort());
      },
      (error) => (seen.length >= 2 ? resolve() : reject(error)),
    );
    watch.catch(reject);
  });
  expect(seen).toEqual(['ADDED watched', 'DELETED watched']);
});

test('a lease holds microseconds and refuses less', async () => {
  const leases = config.makeApiClient(CoordinationV1Api);
  const now = new V1MicroTime('2026-01-01T00:00:00.000Z');
  const lease = await leases.createNamespacedLease({
    namespace,
    body: {
      metadata: { name: 'leader' },
      spec: { holderIdentity: 'one', leaseDurationSeconds: 15, acquireTime: now, renewTime: now },
    },
  });
  expect(lease.spec?.holderIdentity).toBe('one');
  const raw = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name: 'plain', namespace },
    spec: { renewTime: '2026-01-01T00:00:00.123Z' },
  };
  expect(await codeOf(KubernetesObjectApi.makeApiClient(config).create(raw as never))).toBe(400);
});

test('a scale is read and written through its subresource, and generation follows the spec', async () => {
  const labels = { app: 'scaled' };
  const body = {
    metadata: { name: 'scaled' },
    spec: {
      replicas: 0,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'example/none' }] } },
    },
  };
  await apps.createNamespacedDeployment({ namespace, body });
  const scale = await apps.readNamespacedDeploymentScale({ name: 'scaled', namespace });
  expect([scale.spec?.replicas, scale.status?.selector]).toEqual([undefined, 'app=scaled']);
  const patch = { name: 'scaled', namespace, fieldManager: 'autoscaler' };
  await apps.patchNamespacedDeploymentScale(
    { ...patch, body: { spec: { replicas: 0 } } },
    setHeaderOptions('Content-Type', PatchStrategy.MergePatch),
  );
  const paused = await apps.patchNamespacedDeployment(
    { ...patch, body: [{ op: 'add', path: '/spec/paused', value: true }] },
    setHeaderOptions('Content-Type', PatchStrategy.JsonPatch),
  );
  expect([paused.metadata?.generation, paused.spec?.paused]).toEqual([2, true]);
});

test('server-side apply creates, agrees, and refuses to take what is another’s', async () => {
  const apply = (manager: string, data: object) =>
    core.patchNamespacedConfigMap(
      {
        name: 'applied',
        namespace,
        fieldManager: manager,
        body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data },
      },
      setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply),
    );
  await apply('one', { a: '1', b: '1' });
  await apply('two', { a: '1' });
  expect(await codeOf(apply('two', { b: '2' }))).toBe(409);
  await apply('one', { b: '1' });
  expect((await core.readNamespacedConfigMap({ name: 'applied', namespace })).data).toEqual({ a: '1', b: '1' });
});

test('a token for an audience is good for that audience', async () => {
  const reviews = config.makeApiClient(AuthenticationV1Api);
  const { status } = await core.createNamespacedServiceAccountToken({
    name: 'default',
    namespace,
    body: { spec: { audiences: ['kubeai.io'], expirationSeconds: 600 } },
  });
  const review = async (audience: string) =>
    (await reviews.createTokenReview({ body: { spec: { token: status?.token ?? '', audiences: [audience] } } })).status;
  expect(await review('kubeai.io')).toMatchObject({
    authenticated: true,
    user: { username: `system:serviceaccount:${namespace}:default` },
  });
  expect((await review('elsewhere'))?.authenticated).not.toBe(true);
});

test('an eviction that a disruption budget does not allow is told to come back', async () => {
  const labels = { app: 'guarded' };
  // No node takes it, so that no kubelet corrects what is said of it.
  const nodeSelector = { 'example.com/absent': 'true' };
  const spec = { nodeSelector, containers: [{ name: 'main', image: 'example/none' }] };
  await core.createNamespacedPod({ namespace, body: { metadata: { name: 'guarded', labels }, spec } });
  const merge = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  const status = { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] };
  await core.patchNamespacedPodStatus({ name: 'guarded', namespace, body: { status } }, merge);
  const policies = config.makeApiClient(PolicyV1Api);
  const budget = { metadata: { name: 'guard' }, spec: { minAvailable: 1, selector: { matchLabels: labels } } };
  await policies.createNamespacedPodDisruptionBudget({ namespace, body: budget });
  // What the disruption controller of a whole cluster writes.
  const counts = {
    observedGeneration: 1,
    currentHealthy: 1,
    desiredHealthy: 1,
    expectedPods: 1,
    disruptionsAllowed: 0,
  };
  const counted = { name: 'guard', namespace, body: { status: counts } };
  await policies.patchNamespacedPodDisruptionBudgetStatus(counted, merge);
  const evict = () =>
    core.createNamespacedPodEviction({ name: 'guarded', namespace, body: { metadata: { name: 'guarded' } } });
  const refused = await evict().catch((error: unknown) => error as ApiException<string>);
  expect(refused).toMatchObject({ code: 429 });
  expect(JSON.parse((refused as ApiException<string>).body)).toMatchObject({
    reason: 'TooManyRequests',
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [{ reason: 'DisruptionBudget', message: expect.stringContaining('guard needs 1 healthy pods') }],
    },
  });
  await policies.deleteNamespacedPodDisruptionBudget({ name: 'guard', namespace });
  expect(await codeOf(evict())).toBe(200);
});

test('dependents go with their owner', async () => {
  const owner = await core.createNamespacedConfigMap({ namespace, body: configMap('owner') });
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata?.uid ?? '' }];
  await core.createNamespacedConfigMap({ namespace, body: configMap('dependent', { ownerReferences }) });
  await core.deleteNamespacedConfigMap({ name: 'owner', namespace });
  while ((await codeOf(core.readNamespacedConfigMap({ name: 'dependent', namespace }))) !== 404)
    await new Promise((resolve) => setTimeout(resolve, 20));
});
