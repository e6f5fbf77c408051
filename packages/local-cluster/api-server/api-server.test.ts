import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../daemon/testing/eventually.ts';
import { isApiError } from './api-error.ts';
import type { KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ version: '1.28' });
});
afterAll(() => server.stop());

const pods = '/api/v1/namespaces/default/pods';
const configMaps = '/api/v1/namespaces/default/configmaps';
const deployments = '/apis/apps/v1/namespaces/default/deployments';
const container = { name: 'main', image: 'nginx:1' };
const pod = (name: string, spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, ...metadata },
  spec: { containers: [container], ...spec },
});
const deployment = (name: string, replicas = 1) => ({
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [container] } },
  },
});
const merge = { 'content-type': 'application/merge-patch+json' };

test('the version is the one it was told to pretend', async () => {
  const { body } = await server.ask('GET', '/version');
  expect([body.major, body.minor, body.gitVersion]).toEqual(['1', '28', 'v1.28.0']);
});

test('a server from before native sidecars takes their mark out of what it is sent', async () => {
  const sidecar = { name: 'sidecar', image: 'nginx:1', restartPolicy: 'Always' };
  const { body: older } = await server.ask('POST', pods, pod('older', { initContainers: [sidecar] }));
  expect(older.spec.initContainers[0]).not.toHaveProperty('restartPolicy');
  const draft = deployment('older');
  Object.assign(draft.spec.template.spec, { initContainers: [sidecar] });
  const { body: workload } = await server.ask('POST', deployments, draft);
  expect(workload.spec.template.spec.initContainers[0]).not.toHaveProperty('restartPolicy');
  const newer = await startTestServer({ version: 'v1.29.3' });
  const { body: kept } = await newer.ask('POST', pods, pod('newer', { initContainers: [sidecar] }));
  await newer.stop();
  expect(kept.spec.initContainers[0]).toHaveProperty('restartPolicy', 'Always');
});

test.each<[string, string, string, unknown, number, string, string]>([
  ['a missing object', 'GET', `${pods}/gone`, undefined, 404, 'NotFound', 'pods "gone" not found'],
  [
    'a missing object of a group',
    'GET',
    `${deployments}/gone`,
    undefined,
    404,
    'NotFound',
    'deployments.apps "gone" not found',
  ],
  [
    'an unknown path',
    'GET',
    '/apis/nobody/v1/things',
    undefined,
    404,
    'NotFound',
    'the server could not find the requested resource',
  ],
  [
    'a missing namespace',
    'POST',
    '/api/v1/namespaces/nowhere/pods',
    pod('x'),
    404,
    'NotFound',
    'namespaces "nowhere" not found',
  ],
  [
    'another kind',
    'POST',
    pods,
    { kind: 'Service', apiVersion: 'v1', metadata: { name: 'x' } },
    400,
    'BadRequest',
    'must be of type Pod',
  ],
  [
    'another version',
    'POST',
    pods,
    { kind: 'Pod', apiVersion: 'v2', metadata: { name: 'x' } },
    400,
    'BadRequest',
    'the API version in the data (v2) does not match the expected API version (v1)',
  ],
  [
    'another namespace',
    'POST',
    pods,
    pod('x', {}, { namespace: 'other' }),
    400,
    'BadRequest',
    'does not match the namespace sent on the request',
  ],
  [
    'a version on create',
    'POST',
    pods,
    pod('x', {}, { resourceVersion: '5' }),
    400,
    'BadRequest',
    'resourceVersion should not be set',
  ],
  ['no JSON', 'POST', pods, '{', 400, 'BadRequest', 'json parse error'],
  [
    'a wrong type',
    'POST',
    pods,
    pod('x', { hostNetwork: 'yes' }),
    400,
    'BadRequest',
    'cannot unmarshal string into Go struct field Pod.spec.hostNetwork of type bool',
  ],
  [
    'a JavaScript time in a lease',
    'POST',
    '/apis/coordination.k8s.io/v1/namespaces/default/leases',
    { metadata: { name: 'x' }, spec: { renewTime: '2026-01-01T00:00:00.123Z' } },
    400,
    'BadRequest',
    'parsing time "2026-01-01T00:00:00.123Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse ".123Z" as ".000000"',
  ],
  [
    'a field nobody indexes',
    'GET',
    `${pods}?fieldSelector=spec.hostname%3Dx`,
    undefined,
    400,
    'BadRequest',
    'field label not supported: spec.hostname',
  ],
  ['another dry run', 'POST', `${pods}?dryRun=Some`, pod('x'), 400, 'BadRequest', 'dryRun: Unsupported value'],
  [
    'a shell in a pod',
    'POST',
    `${pods}/x/exec`,
    {},
    501,
    'NotImplemented',
    'pods/exec is not offered by the local cluster',
  ],
  ['an apply without a manager', 'PATCH', `${pods}/x`, pod('x'), 422, 'Invalid', 'fieldManager: Required value'],
])('%s is refused in the words of Kubernetes', async (_, method, path, body, code, reason, message) => {
  const headers = method === 'PATCH' ? { 'content-type': 'application/apply-patch+yaml' } : undefined;
  const answer = await server.ask(method, path, body, headers);
  expect(answer.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason });
  expect(answer.code).toBe(code);
  expect(answer.body.message).toContain(message);
});

test('every wrong field is named, with a cause of its own', async () => {
  const { code, body } = await server.ask('POST', deployments, {
    metadata: { name: 'Bad_', labels: { 'a b': 'c' } },
    spec: {
      selector: { matchLabels: { app: 'x' } },
      template: {
        metadata: { labels: { app: 'y' } },
        spec: { containers: [{ name: 'a' }, { name: 'a', image: 'b', ports: [{ containerPort: 99999 }] }] },
      },
    },
  });
  expect(code).toBe(422);
  expect(body.details.causes.map(({ field, reason }: Record<string, string>) => `${reason} ${field}`)).toEqual([
    'FieldValueInvalid metadata.name',
    'FieldValueInvalid metadata.labels',
    'FieldValueInvalid spec.template.metadata.labels',
    'FieldValueRequired spec.template.spec.containers[0].image',
    'FieldValueInvalid spec.template.spec.containers[1].ports[0].containerPort',
    'FieldValueDuplicate spec.template.spec.containers[1].name',
  ]);
});

test('nobody comes in without a token, and a wrong one is told so', async () => {
  const anonymous = await server.ask('GET', '/api/v1/pods', undefined, { authorization: '' });
  expect([anonymous.code, anonymous.body.reason]).toEqual([403, 'Forbidden']);
  const wrong = await server.ask('GET', '/api/v1/pods', undefined, { authorization: 'Bearer nonsense' });
  expect([wrong.code, wrong.body.reason]).toEqual([401, 'Unauthorized']);
  expect((await server.ask('GET', '/readyz', undefined, { authorization: '' })).text).toBe('ok');
});

test('a body beyond the limit is not read', async () => {
  const big = { metadata: { name: 'big' }, data: { a: 'x'.repeat(limits.bodyBytes) } };
  expect((await server.ask('POST', configMaps, big)).code).toBe(413);
});

test('unknown fields are warned about, refused or ignored as asked', async () => {
  const body = { metadata: { name: 'unknown' }, data: {}, bogus: 1 };
  const dry = `${configMaps}?dryRun=All`;
  const warned = await server.ask('POST', dry, body);
  expect([warned.code, warned.headers.warning]).toEqual([201, '299 - "unknown field \\"bogus\\""']);
  const strict = await server.ask('POST', `${dry}&fieldValidation=Strict`, body);
  expect([strict.code, strict.body.message]).toEqual([
    400,
    'ConfigMap in version "v1" cannot be handled as a ConfigMap: strict decoding error: unknown field "bogus"',
  ]);
  const ignored = await server.ask('POST', `${dry}&fieldValidation=Ignore`, body);
  expect([ignored.code, ignored.headers.warning]).toEqual([201, undefined]);
});

test('a pod gets its service account, its token volume and its defaults', async () => {
  const { body } = await server.ask(
    'POST',
    pods,
    pod('defaulted', { initContainers: [{ name: 'side', image: 'x', restartPolicy: 'Always' }] }),
  );
  expect(body.spec).toMatchObject({
    serviceAccountName: 'default',
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    terminationGracePeriodSeconds: 30,
    enableServiceLinks: true,
    priority: 0,
  });
  const [main] = body.spec.containers;
  expect(main).toMatchObject({ imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log' });
  expect(main.volumeMounts[0]).toMatchObject({
    name: body.spec.volumes[0].name,
    mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    readOnly: true,
  });
  expect(body.spec.volumes[0].name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
  expect(body.status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' });
});

test('a generated name is the prefix and five letters', async () => {
  const { body } = await server.ask('POST', configMaps, { metadata: { generateName: 'made-' } });
  expect(body.metadata.name).toMatch(/^made-[a-z0-9]{5}$/);
});

test('a dry run answers like the real thing and stores nothing', async () => {
  const dry = await server.ask('POST', `${configMaps}?dryRun=All`, { metadata: { name: 'dry' } });
  expect([dry.code, dry.body.metadata.uid === undefined]).toEqual([201, false]);
  expect((await server.ask('GET', `${configMaps}/dry`)).code).toBe(404);
});

test('the generation counts changes of the spec, status is written only through its subresource', async () => {
  await server.ask('POST', deployments, deployment('counted'));
  const read = async () => (await server.ask('GET', `${deployments}/counted`)).body;
  await server.ask(
    'PATCH',
    `${deployments}/counted`,
    { metadata: { labels: { a: 'b' } }, status: { replicas: 9 } },
    merge,
  );
  expect([(await read()).metadata.generation, (await read()).status]).toEqual([1, {}]);
  await server.ask('PATCH', `${deployments}/counted/status`, { status: { replicas: 2 }, spec: { replicas: 7 } }, merge);
  expect([(await read()).metadata.generation, (await read()).status.replicas, (await read()).spec.replicas]).toEqual([
    1, 2, 1,
  ]);
  await server.ask('PATCH', `${deployments}/counted`, { spec: { replicas: 3 } }, merge);
  expect((await read()).metadata.generation).toBe(2);
});

test('scale is read and written through its subresource', async () => {
  await server.ask('POST', deployments, deployment('scaled', 2));
  const scale = await server.ask('GET', `${deployments}/scaled/scale`);
  expect(scale.body).toMatchObject({
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    spec: { replicas: 2 },
    status: { replicas: 0, selector: 'app=scaled' },
  });
  const put = await server.ask('PUT', `${deployments}/scaled/scale`, { ...scale.body, spec: { replicas: 5 } });
  expect([put.code, put.body.spec.replicas]).toEqual([200, 5]);
  const stale = await server.ask('PUT', `${deployments}/scaled/scale`, { ...scale.body, spec: { replicas: 6 } });
  expect([stale.code, stale.body.reason]).toEqual([409, 'Conflict']);
  const patched = await server.ask('PATCH', `${deployments}/scaled/scale`, { spec: { replicas: 0 } }, merge);
  expect(patched.body.spec).toEqual({});
  const owner = (await server.ask('GET', `${deployments}/scaled`)).body;
  expect(owner.spec.replicas).toBe(0);
  expect(
    owner.metadata.managedFields.find(({ subresource }: { subresource?: string }) => subresource === 'scale').fieldsV1,
  ).toEqual({ 'f:spec': { 'f:replicas': {} } });
});

test('a selector cannot change', async () => {
  await server.ask('POST', deployments, deployment('fixed'));
  const { code, body } = await server.ask(
    'PATCH',
    `${deployments}/fixed`,
    {
      spec: {
        selector: { matchLabels: { app: 'fixed', more: 'x' } },
        template: { metadata: { labels: { more: 'x' } } },
      },
    },
    merge,
  );
  expect([code, body.details.causes[0].field]).toEqual([422, 'spec.selector']);
  expect(body.message).toContain('field is immutable');
});

test('an update with an old version is a conflict, a write that changes nothing is none', async () => {
  const created = (await server.ask('POST', configMaps, { metadata: { name: 'raced' }, data: { a: '1' } })).body;
  const first = await server.ask('PUT', `${configMaps}/raced`, { ...created, data: { a: '2' } });
  const second = await server.ask('PUT', `${configMaps}/raced`, { ...created, data: { a: '3' } });
  expect([first.code, second.code]).toEqual([200, 409]);
  expect(second.body.message).toBe(
    'Operation cannot be fulfilled on configmaps "raced": the object has been modified; please apply your changes to the latest version and try again',
  );
  const again = await server.ask('PUT', `${configMaps}/raced`, first.body);
  expect(again.body.metadata.resourceVersion).toBe(first.body.metadata.resourceVersion);
});

test('JSON patches are all or nothing', async () => {
  await server.ask('POST', configMaps, { metadata: { name: 'patched' }, data: { a: '1' } });
  const headers = { 'content-type': 'application/json-patch+json' };
  const good = await server.ask(
    'PATCH',
    `${configMaps}/patched`,
    [
      { op: 'test', path: '/data/a', value: '1' },
      { op: 'replace', path: '/data/a', value: '2' },
    ],
    headers,
  );
  expect(good.body.data).toEqual({ a: '2' });
  for (const wrong of [
    { op: 'test', path: '/data/a', value: '1' },
    { op: 'remove', path: '/data/none' },
  ]) {
    const bad = await server.ask(
      'PATCH',
      `${configMaps}/patched`,
      [{ op: 'add', path: '/data/b', value: 'x' }, wrong],
      headers,
    );
    expect(bad.code).toBe(422);
  }
  expect((await server.ask('GET', `${configMaps}/patched`)).body.data).toEqual({ a: '2' });
});

test('a list can be read page by page, as it was at the first page', async () => {
  for (const name of ['p1', 'p2', 'p3', 'p4'])
    await server.ask('POST', configMaps, { metadata: { name, labels: { paged: 'yes' } } });
  const path = `${configMaps}?labelSelector=paged%3Dyes&limit=3`;
  const first = await server.ask('GET', path);
  expect([first.body.items.length, first.body.metadata.remainingItemCount]).toEqual([3, 1]);
  await server.ask('DELETE', `${configMaps}/p4`);
  const second = await server.ask('GET', `${path}&continue=${first.body.metadata.continue}`);
  expect(second.body.items.map(({ metadata }: KubeObject) => metadata.name)).toEqual(['p4']);
  expect(second.body.metadata.continue).toBeUndefined();
  expect((await server.ask('GET', `${path}&continue=nonsense`)).code).toBe(400);
});

test('a watch shows what is there, then what happens, and what leaves its selection', async () => {
  const created = (await server.ask('POST', configMaps, { metadata: { name: 'seen', labels: { watched: 'yes' } } }))
    .body;
  const watch = await server.watch(
    `${configMaps}?watch=1&labelSelector=watched%3Dyes&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan`,
  );
  expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { metadata: { uid: created.metadata.uid } } });
  expect(await watch.next()).toMatchObject({
    type: 'BOOKMARK',
    object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
  });
  await server.ask('PATCH', `${configMaps}/seen`, { data: { a: '1' } }, merge);
  expect(await watch.next()).toMatchObject({ type: 'MODIFIED', object: { data: { a: '1' } } });
  await server.ask('PATCH', `${configMaps}/seen`, { metadata: { labels: { watched: null } } }, merge);
  expect(await watch.next()).toMatchObject({ type: 'DELETED', object: { metadata: { name: 'seen' } } });
  await server.ask('PATCH', `${configMaps}/seen`, { metadata: { labels: { watched: 'yes' } } }, merge);
  expect(await watch.next()).toMatchObject({ type: 'ADDED' });
  await server.ask('DELETE', `${configMaps}/seen`);
  expect(await watch.next()).toMatchObject({ type: 'DELETED' });
  watch.close();
});

test('a watch from a version that is forgotten says 410 and ends', async () => {
  const client = server.client('test');
  const before = (await client.list('configmaps')).resourceVersion;
  await client.create('configmaps', { metadata: { name: 'busy', namespace: 'default' } });
  for (let round = 0; round < limits.eventsPerResource * 2; round += 1) {
    await client.patch(
      'configmaps',
      { name: 'busy', namespace: 'default' },
      { data: { round: String(round) } },
      { type: 'merge' },
    );
  }
  const watch = await server.watch(`${configMaps}?watch=1&resourceVersion=${before}`);
  expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } });
  expect(await watch.next()).toBeUndefined();
});

test('a watcher that does not read is cut', async () => {
  const client = server.client('test');
  const watch = await server.stalledWatch(`${configMaps}?watch=1&fieldSelector=metadata.name%3Dflood`);
  await client.create('configmaps', { metadata: { name: 'flood', namespace: 'default' } });
  const filler = 'x'.repeat(1024 * 1024);
  let round = 0;
  // The kernel's own buffers take some of it first, so how many writes it takes is the machine's business.
  await eventually(async () => {
    round += 1;
    await client.patch(
      'configmaps',
      { name: 'flood', namespace: 'default' },
      { data: { filler, round: String(round) } },
      { type: 'merge' },
    );
    return server.warnings.some((warning) => warning.startsWith('Cut a watcher'));
  });
  watch.close();
  await client.delete('configmaps', { name: 'flood', namespace: 'default' });
});

test('an evicted pod ends as a deleted one does', async () => {
  await server.ask('POST', pods, pod('evicted'));
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'evicted' } };
  expect((await server.ask('POST', `${pods}/evicted/eviction`, eviction)).body).toMatchObject({
    kind: 'Status',
    status: 'Success',
  });
  expect((await server.ask('GET', `${pods}/evicted`)).code).toBe(404);
});

test('a pod on a node ends gracefully, one without a node at once', async () => {
  const client = server.client('test');
  const read = () => client.find('pods', { name: 'ending', namespace: 'default' });
  await client.create(
    'pods',
    pod('ending', { nodeName: 'local', terminationGracePeriodSeconds: 20 }, { namespace: 'default' }),
  );
  const { body } = await server.ask('DELETE', `${pods}/ending`);
  expect(body.metadata).toMatchObject({ deletionGracePeriodSeconds: 20, deletionTimestamp: '2026-01-01T00:00:20Z' });
  await server.ask('DELETE', `${pods}/ending`, { gracePeriodSeconds: 60 });
  expect((await read())?.metadata.deletionGracePeriodSeconds).toBe(20);
  await server.ask('DELETE', `${pods}/ending`, { gracePeriodSeconds: 5 });
  expect((await read())?.metadata.deletionGracePeriodSeconds).toBe(5);
  await server.ask('DELETE', `${pods}/ending`, { gracePeriodSeconds: 0 });
  expect(await read()).toBeUndefined();
  await client.create('pods', pod('homeless', {}, { namespace: 'default' }));
  await server.ask('DELETE', `${pods}/homeless`);
  expect(await client.find('pods', { name: 'homeless', namespace: 'default' })).toBeUndefined();
});

test('a finalizer keeps an object until it is taken away', async () => {
  const client = server.client('test');
  const name = { name: 'kept', namespace: 'default' };
  await client.create('configmaps', { metadata: { ...name, finalizers: ['example.com/wait'] } } as never);
  await client.delete('configmaps', name);
  expect((await client.read('configmaps', name)).metadata.deletionTimestamp).toBeDefined();
  await client.patch('configmaps', name, { metadata: { finalizers: null } }, { type: 'merge' });
  expect(await client.find('configmaps', name)).toBeUndefined();
});

test('a delete with another uid is a conflict', async () => {
  await server.ask('POST', configMaps, { metadata: { name: 'guarded' } });
  const { code, body } = await server.ask('DELETE', `${configMaps}/guarded`, { preconditions: { uid: 'other' } });
  expect([code, body.message]).toEqual([
    409,
    expect.stringContaining('Precondition failed: UID in precondition: other'),
  ]);
});

test.each<['Background' | 'Foreground' | 'Orphan', boolean]>([
  ['Background', false],
  ['Foreground', false],
  ['Orphan', true],
])('%s deletion of an owner', async (propagationPolicy, survives) => {
  const client = server.client('test');
  const at = (name: string) => ({ name: `${name}-${propagationPolicy.toLowerCase()}`, namespace: 'default' });
  const own = (owner: KubeObject) => [
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      name: owner.metadata.name,
      uid: owner.metadata.uid,
      blockOwnerDeletion: true,
    },
  ];
  const owner = await client.create('configmaps', { metadata: at('owner') });
  const child = await client.create('configmaps', {
    metadata: { ...at('child'), ownerReferences: own(owner) },
  } as never);
  await client.create('configmaps', { metadata: { ...at('grandchild'), ownerReferences: own(child) } } as never);
  await client.delete('configmaps', at('owner'), { propagationPolicy });
  await eventually(async () => (await client.find('configmaps', at('owner'))) === undefined);
  if (survives) {
    expect((await client.read('configmaps', at('child'))).metadata.ownerReferences).toBeUndefined();
    return;
  }
  await eventually(async () => (await client.find('configmaps', at('grandchild'))) === undefined);
  expect(await client.find('configmaps', at('child'))).toBeUndefined();
});

test('an object whose owner never was is collected', async () => {
  const client = server.client('test');
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'never', uid: 'never' }];
  await client.create('configmaps', { metadata: { name: 'lost', namespace: 'default', ownerReferences } } as never);
  await eventually(async () => (await client.find('configmaps', { name: 'lost', namespace: 'default' })) === undefined);
});

test('a namespace goes with all that is in it, and takes nothing new meanwhile', async () => {
  const client = server.client('test');
  await client.create('namespaces', { metadata: { name: 'doomed' } });
  await client.create('configmaps', {
    metadata: { name: 'held', namespace: 'doomed', finalizers: ['example.com/wait'] },
  } as never);
  await client.create('pods', pod('inside', {}, { namespace: 'doomed' }));
  await client.create('configmaps', { metadata: { name: 'other', namespace: 'doomed' } } as never);
  await client.delete('namespaces', { name: 'doomed' });
  // `kubectl delete -f` of a file that holds both asks for it a moment later.
  await new Promise((resolve) => setTimeout(resolve, 300));
  await client.delete('configmaps', { name: 'other', namespace: 'doomed' });
  await eventually(async () => (await client.find('pods', { name: 'inside', namespace: 'doomed' })) === undefined);
  const late = await server.ask('POST', '/api/v1/namespaces/doomed/configmaps', { metadata: { name: 'late' } });
  expect([late.code, late.body.message]).toEqual([
    403,
    'configmaps "late" is forbidden: unable to create new content in namespace doomed because it is being terminated',
  ]);
  await client.patch(
    'configmaps',
    { name: 'held', namespace: 'doomed' },
    { metadata: { finalizers: null } },
    { type: 'merge' },
  );
  await eventually(async () => (await client.find('namespaces', { name: 'doomed' })) === undefined);
});

test('a service account token names its account and pod, and dies with the pod', async () => {
  const client = server.client('test');
  const owner = await client.create('pods', pod('bearer', {}, { namespace: 'default' }));
  const { token } = await client.issueToken(
    { name: 'default', namespace: 'default' },
    { audiences: ['kubeai.io'], expirationSeconds: 600, pod: { name: 'bearer', uid: owner.metadata.uid ?? '' } },
  );
  const review = async (audiences: string[]) =>
    (await server.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', { spec: { token, audiences } })).body
      .status;
  expect(await review(['kubeai.io', 'other'])).toMatchObject({
    authenticated: true,
    audiences: ['kubeai.io'],
    user: {
      username: 'system:serviceaccount:default:default',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/pod-name': ['bearer'],
        'authentication.kubernetes.io/pod-uid': [owner.metadata.uid],
      },
    },
  });
  expect((await review(['other'])).authenticated).toBeUndefined();
  // It is not meant for the API server itself.
  expect((await server.ask('GET', '/api/v1/pods', undefined, { authorization: `Bearer ${token}` })).code).toBe(401);
  await client.delete('pods', { name: 'bearer', namespace: 'default' });
  expect(await review(['kubeai.io'])).toMatchObject({
    error: expect.stringContaining('pod default/bearer has been deleted'),
  });
});

test('a token expires', async () => {
  const client = server.client('test');
  const { token, expirationTimestamp } = await client.issueToken(
    { name: 'default', namespace: 'default' },
    { expirationSeconds: 600 },
  );
  expect(expirationTimestamp).toBe('2026-01-01T00:10:00Z');
  const own = { authorization: `Bearer ${token}` };
  expect((await server.ask('GET', '/api/v1/namespaces/default', undefined, own)).code).toBe(200);
  server.moveClock(600_000);
  expect((await server.ask('GET', '/api/v1/namespaces/default', undefined, own)).code).toBe(401);
  server.moveClock(-600_000);
});

test('Services get addresses of their own; a given one is honoured while it is free', async () => {
  const services = '/api/v1/namespaces/default/services';
  const service = (name: string, spec: object = {}) => ({
    metadata: { name },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  const first = (await server.ask('POST', services, service('one'))).body.spec;
  const second = (await server.ask('POST', services, service('two'))).body.spec;
  expect(first).toMatchObject({
    type: 'ClusterIP',
    sessionAffinity: 'None',
    ports: [{ port: 80, protocol: 'TCP', targetPort: 80 }],
    ipFamilies: ['IPv4'],
  });
  expect(first.clusterIP).toMatch(/^127\.96\./);
  expect(second.clusterIP).not.toBe(first.clusterIP);
  const given = await server.ask('POST', services, service('three', { clusterIP: '127.96.7.7' }));
  expect(given.body.spec.clusterIPs).toEqual(['127.96.7.7']);
  const taken = await server.ask('POST', services, service('four', { clusterIP: '127.96.7.7' }));
  expect([taken.code, taken.body.message]).toEqual([422, expect.stringContaining('provided IP is already allocated')]);
  expect((await server.ask('POST', services, service('five', { clusterIP: 'None' }))).body.spec.clusterIP).toBe('None');
  const kept = await server.ask('PUT', `${services}/one`, service('one', { selector: { a: 'b' } }));
  expect(kept.body.spec.clusterIP).toBe(first.clusterIP);
});

test('events have two faces over one storage', async () => {
  const note = {
    regarding: { kind: 'Pod', namespace: 'default', name: 'web' },
    note: 'hello',
    reason: 'Said',
    type: 'Normal',
    action: 'Say',
    reportingController: 'c',
    reportingInstance: 'i',
    eventTime: '2026-01-01T00:00:00.000000Z',
  };
  const posted = await server.ask('POST', '/apis/events.k8s.io/v1/namespaces/default/events', {
    metadata: { name: 'said' },
    ...note,
  });
  expect([posted.code, posted.body.kind]).toEqual([201, 'Event']);
  const old = (await server.ask('GET', '/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dweb'))
    .body.items[0];
  expect(old).toMatchObject({
    apiVersion: 'v1',
    involvedObject: { name: 'web' },
    message: 'hello',
    reportingComponent: 'c',
  });
  const fresh = (await server.ask('GET', '/apis/events.k8s.io/v1/namespaces/default/events/said')).body;
  expect(fresh).toMatchObject({ apiVersion: 'events.k8s.io/v1', ...note });
});

test('autoscalers have two versions over one storage, and nothing is lost between them', async () => {
  const path = '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers';
  const scaleTargetRef = { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' };
  await server.ask('POST', path, {
    metadata: { name: 'old' },
    spec: { scaleTargetRef, maxReplicas: 3, targetCPUUtilizationPercentage: 60 },
  });
  const fresh = (await server.ask('GET', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/old')).body;
  const utilization = (averageUtilization: number) => ({
    type: 'Resource',
    resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } },
  });
  expect([fresh.apiVersion, fresh.spec.minReplicas, fresh.spec.metrics]).toEqual([
    'autoscaling/v2',
    1,
    [utilization(60)],
  ]);
  const pods = {
    type: 'Pods',
    pods: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '5' } },
  };
  await server.ask('PUT', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/old', {
    ...fresh,
    spec: { ...fresh.spec, metrics: [pods, utilization(70)] },
  });
  const old = (await server.ask('GET', `${path}/old`)).body;
  expect([old.apiVersion, old.spec.targetCPUUtilizationPercentage, old.spec.metrics]).toEqual([
    'autoscaling/v1',
    70,
    undefined,
  ]);
  await server.ask('PUT', `${path}/old`, { ...old, spec: { ...old.spec, targetCPUUtilizationPercentage: 75 } });
  const back = (await server.ask('GET', '/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers/old')).body;
  expect([back.spec.metrics, back.metadata.annotations]).toEqual([[pods, utilization(75)], undefined]);
});

test('secrets take text and keep base64', async () => {
  const { body } = await server.ask('POST', '/api/v1/namespaces/default/secrets', {
    metadata: { name: 's' },
    stringData: { a: 'b' },
  });
  expect([body.data, body.stringData, body.type]).toEqual([{ a: 'Yg==' }, undefined, 'Opaque']);
});

test('a list comes as a table or as metadata when asked', async () => {
  const table = await server.ask('GET', '/api/v1/namespaces', undefined, {
    accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json',
  });
  expect(table.body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Status', 'Age']);
  expect(table.body.rows[0]).toMatchObject({
    cells: ['default', 'Active', '0s'],
    object: { kind: 'PartialObjectMetadata' },
  });
  const metadata = await server.ask('GET', configMaps, undefined, {
    accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io',
  });
  expect(metadata.body.kind).toBe('PartialObjectMetadataList');
  expect(metadata.body.items[0].data).toBeUndefined();
});

test('logs come from the provider, from the container that is meant', async () => {
  const seen: object[] = [];
  server.setPodLogProvider(async function* (request) {
    seen.push(request);
    yield 'one\n';
    yield 'two\n';
  });
  await server.ask('POST', pods, pod('talking', { containers: [container, { name: 'other', image: 'x' }] }));
  const unclear = await server.ask('GET', `${pods}/talking/log`);
  expect(unclear.body.message).toBe('a container name must be specified for pod talking, choose one of: [main other]');
  expect((await server.ask('GET', `${pods}/talking/log?container=none`)).code).toBe(400);
  const log = await server.ask('GET', `${pods}/talking/log?container=other&tailLines=2&previous=true`);
  expect([log.text, log.headers['content-type']]).toEqual(['one\ntwo\n', 'text/plain']);
  expect(seen).toMatchObject([{ container: 'other', tailLines: 2, previous: true, follow: false }]);
});

test('the client in this process hands over events in turns of their own', async () => {
  const client = server.client('test');
  const seen: string[] = [];
  const stop = client.watch('configmaps', { namespace: 'kube-public' }, ({ type, object }) =>
    seen.push(`${type} ${object.metadata.name}`),
  );
  expect(seen).toEqual(['ADDED kube-root-ca.crt']);
  const created = await client.create('configmaps', { metadata: { name: 'x', namespace: 'kube-public' } });
  expect(seen).toHaveLength(1);
  await eventually(() => seen.length === 2);
  stop();
  await client.delete('configmaps', { name: 'x', namespace: 'kube-public' });
  await new Promise((resolve) => setImmediate(resolve));
  expect(seen).toEqual(['ADDED kube-root-ca.crt', 'ADDED x']);
  expect(Object.isFrozen(created.metadata)).toBe(true);
  const error = await client.read('pods', { name: 'gone', namespace: 'default' }).catch((thrown: unknown) => thrown);
  expect(isApiError(error, 404)).toBe(true);
});
