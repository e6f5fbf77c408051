// Webhooks over real HTTPS: what they are sent, in which order, and what their answers do.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { createServingCertificate } from './certificates.ts';
import type { JsonObject } from './kube-object.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

interface Review {
  readonly path: string;
  // biome-ignore lint/suspicious/noExplicitAny: a review is whatever the API server sent
  readonly request: any;
}

let server: TestServer;
let webhook: Server;
let caBundle: string;
let reviews: Review[] = [];
let answer: (review: Review) => JsonObject = () => ({ allowed: true });

beforeAll(async () => {
  server = await startTestServer();
  const certificate = await createServingCertificate(['hook.default.svc'], ['127.0.0.1'], instant(Date.now()));
  caBundle = Buffer.from(certificate.authority).toString('base64');
  webhook = createServer({ cert: certificate.certificate, key: certificate.key }, (request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { request: asked } = JSON.parse(Buffer.concat(parts).toString('utf8')) as { request: Review['request'] };
      const review = { path: request.url ?? '', request: asked };
      reviews.push(review);
      const body = {
        apiVersion: 'admission.k8s.io/v1',
        kind: 'AdmissionReview',
        response: { uid: asked.uid, ...answer(review) },
      };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const plural of ['mutatingwebhookconfigurations', 'validatingwebhookconfigurations']) {
    await server.ask('DELETE', `/apis/admissionregistration.k8s.io/v1/${plural}`);
  }
  await server.ask('DELETE', '/api/v1/namespaces/default/configmaps');
  await server.ask('DELETE', '/api/v1/namespaces/default/pods', { gracePeriodSeconds: 0 });
  reviews = [];
  answer = () => ({ allowed: true });
});

afterAll(async () => {
  await server.stop();
  webhook.closeAllConnections();
  await new Promise((resolve) => webhook.close(resolve));
});

const port = () => (webhook.address() as AddressInfo).port;
const configMapRule = {
  operations: ['CREATE', 'UPDATE', 'DELETE'],
  apiGroups: [''],
  apiVersions: ['v1'],
  resources: ['configmaps'],
};
const hook = (path: string, more: object = {}): JsonObject => ({
  name: `${path}.hooks.example.com`,
  clientConfig: { url: `https://127.0.0.1:${port()}/${path}`, caBundle },
  rules: [configMapRule],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});

async function register(kind: 'Mutating' | 'Validating', ...webhooks: JsonObject[]): Promise<void> {
  const plural = `${kind.toLowerCase()}webhookconfigurations`;
  const { code, text } = await server.ask('POST', `/apis/admissionregistration.k8s.io/v1/${plural}`, {
    metadata: { name: kind.toLowerCase() },
    webhooks,
  });
  expect([code, code === 201 ? '' : text]).toEqual([201, '']);
}

const configMap = (name: string, labels?: Record<string, string>) => ({
  metadata: { name, ...(labels && { labels }) },
  data: { a: '1' },
});
const create = (body: object, query = '') => server.ask('POST', `/api/v1/namespaces/default/configmaps${query}`, body);
const patch = (...operations: object[]) => ({
  allowed: true,
  patchType: 'JSONPatch',
  patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
});

test('a review says all that the real server says', async () => {
  await register('Validating', hook('check'));
  await create(configMap('told'), '?fieldManager=tester');
  const [{ path, request }] = reviews as [Review];
  expect(path).toBe('/check?timeout=10s');
  expect(request).toMatchObject({
    uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
    kind: { group: '', version: 'v1', kind: 'ConfigMap' },
    resource: { group: '', version: 'v1', resource: 'configmaps' },
    requestKind: { group: '', version: 'v1', kind: 'ConfigMap' },
    requestResource: { group: '', version: 'v1', resource: 'configmaps' },
    name: 'told',
    namespace: 'default',
    operation: 'CREATE',
    userInfo: { username: 'kubernetes-admin', groups: ['system:masters', 'system:authenticated'] },
    object: {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { name: 'told', namespace: 'default', uid: expect.any(String) },
      data: { a: '1' },
    },
    oldObject: null,
    dryRun: false,
    options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1', fieldManager: 'tester' },
  });
});

test('patches that meet at a webhook all come through, those that name a version do not', async () => {
  await register('Validating', hook('check'));
  const created = (await create(configMap('met'))).body;
  const path = '/api/v1/namespaces/default/configmaps/met';
  const send = (body: object) => server.ask('PATCH', path, body, { 'content-type': 'application/merge-patch+json' });
  const patched = await Promise.all(['b', 'c', 'd'].map((key) => send({ data: { [key]: key } })));
  expect(patched.map(({ code }) => code)).toEqual([200, 200, 200]);
  expect((await server.ask('GET', path)).body.data).toEqual({ a: '1', b: 'b', c: 'c', d: 'd' });
  const { resourceVersion } = created.metadata;
  expect((await send({ metadata: { resourceVersion }, data: { e: 'e' } })).code).toBe(409);
  const seen = (await server.ask('GET', path)).body.metadata.resourceVersion;
  const named = ['e', 'f'].map((key) => send({ metadata: { resourceVersion: seen }, data: { [key]: key } }));
  expect((await Promise.all(named)).map(({ code }) => code).sort()).toEqual([200, 409]);
});

test('an update shows both objects, a delete only the old one', async () => {
  await register('Validating', hook('check'));
  await create(configMap('both'));
  const path = '/api/v1/namespaces/default/configmaps/both';
  await server.ask('PATCH', path, { data: { a: '2' } }, { 'content-type': 'application/merge-patch+json' });
  await server.ask('DELETE', path);
  const shown = reviews.map(({ request }) => [
    request.operation,
    request.object?.data?.a,
    request.oldObject?.data?.a,
    request.options.kind,
  ]);
  expect(shown).toEqual([
    ['CREATE', '1', undefined, 'CreateOptions'],
    ['UPDATE', '2', '1', 'PatchOptions'],
    ['DELETE', undefined, '2', 'DeleteOptions'],
  ]);
});

test('mutating webhooks come first and one after the other, by name; validating ones see the result', async () => {
  await register('Mutating', hook('first'), hook('second'));
  await register('Validating', hook('last'));
  answer = ({ path, request }) => {
    if (path.startsWith('/first')) return patch({ op: 'add', path: '/data/b', value: 'first' });
    if (path.startsWith('/second'))
      return patch({ op: 'replace', path: '/data/b', value: `${request.object.data.b}+second` });
    return { allowed: request.object.data.b === 'first+second' };
  };
  const { code, body } = await create(configMap('ordered'));
  expect([code, body.data]).toEqual([201, { a: '1', b: 'first+second' }]);
  expect(reviews.map(({ path }) => path.split('?')[0])).toEqual(['/first', '/second', '/last']);
});

test('a webhook that asked for it is called again when a later one has changed the object', async () => {
  await register('Mutating', hook('again', { reinvocationPolicy: 'IfNeeded' }), hook('once'));
  answer = ({ path }) =>
    path.startsWith('/once') ? patch({ op: 'add', path: '/data/b', value: '2' }) : { allowed: true };
  await create(configMap('reinvoked'));
  expect(reviews.map(({ path }) => path.split('?')[0])).toEqual(['/again', '/once', '/again']);
});

test('a refusal carries the code and the words of the webhook', async () => {
  await register('Validating', hook('deny'));
  answer = () => ({ allowed: false, status: { code: 422, reason: 'Invalid', message: 'spec.x: no such thing' } });
  const { code, body } = await create(configMap('denied'));
  expect([code, body.reason, body.message]).toEqual([
    422,
    'Invalid',
    'admission webhook "deny.hooks.example.com" denied the request: spec.x: no such thing',
  ]);
  answer = () => ({ allowed: false });
  expect((await create(configMap('denied'))).body).toMatchObject({
    code: 403,
    message: 'admission webhook "deny.hooks.example.com" denied the request without explanation',
  });
});

test('warnings reach the client', async () => {
  await register('Validating', hook('warn'));
  answer = () => ({ allowed: true, warnings: ['mind the "gap"'] });
  expect((await create(configMap('warned'))).headers.warning).toBe('299 - "mind the \\"gap\\""');
});

test.each<[string, object, object, boolean]>([
  [
    'a namespace without the label',
    { namespaceSelector: { matchLabels: { 'kubeai.io/injection': 'enabled' } } },
    {},
    false,
  ],
  [
    'a namespace by its name label',
    { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } },
    {},
    true,
  ],
  ['an object with the label', { objectSelector: { matchLabels: { a: 'b' } } }, { a: 'b' }, true],
  ['an object without it', { objectSelector: { matchLabels: { a: 'b' } } }, {}, false],
  ['another operation', { rules: [{ ...configMapRule, operations: ['UPDATE'] }] }, {}, false],
  ['another group', { rules: [{ ...configMapRule, apiGroups: ['apps'] }] }, {}, false],
  ['everything', { rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }] }, {}, true],
  ['cluster-scoped objects only', { rules: [{ ...configMapRule, scope: 'Cluster' }] }, {}, false],
])('whether a webhook is concerned by %s', async (_, more, labels, expected) => {
  await register('Validating', hook('maybe', more));
  await create(configMap('selected', labels as Record<string, string>));
  expect(reviews.length > 0).toBe(expected);
});

test.each<['Ignore' | 'Fail', number]>([
  ['Ignore', 201],
  ['Fail', 500],
])('a webhook that cannot be reached and failurePolicy %s → %d', async (failurePolicy, expected) => {
  const clientConfig = { url: 'https://127.0.0.1:1/gone', caBundle };
  await register('Validating', hook('gone', { failurePolicy, clientConfig }));
  const { code, body } = await create(configMap('unreachable'));
  expect(code).toBe(expected);
  if (expected === 500)
    expect(body.message).toMatch(
      /^Internal error occurred: failed calling webhook "gone.hooks.example.com": failed to call webhook: Post "https:\/\/127.0.0.1:1\/gone\?timeout=10s": /,
    );
});

test('a webhook with a certificate of somebody else is not believed', async () => {
  const stranger = await createServingCertificate(['x'], ['127.0.0.1'], instant(Date.now()));
  const clientConfig = {
    url: `https://127.0.0.1:${port()}/x`,
    caBundle: Buffer.from(stranger.authority).toString('base64'),
  };
  await register('Validating', hook('stranger', { clientConfig }));
  expect((await create(configMap('unbelieved'))).code).toBe(500);
  expect(reviews).toEqual([]);
});

test('a webhook behind a Service is asked at a ready endpoint and known by its DNS name', async () => {
  const services = '/api/v1/namespaces/default/services';
  await server.ask('POST', services, { metadata: { name: 'hook' }, spec: { ports: [{ port: 443 }] } });
  await server.ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
    metadata: { name: 'hook', labels: { 'kubernetes.io/service-name': 'hook' } },
    addressType: 'IPv4',
    ports: [{ port: port() }],
    endpoints: [
      { addresses: ['127.0.0.2'], conditions: { ready: false } },
      { addresses: ['127.0.0.1'], conditions: { ready: true } },
    ],
  });
  const clientConfig = { service: { name: 'hook', namespace: 'default', path: '/served', port: 443 }, caBundle };
  await register('Validating', hook('served', { clientConfig }));
  const served = await create(configMap('served'));
  expect([served.code, served.code === 201 ? '' : served.text]).toEqual([201, '']);
  expect(reviews.map(({ path }) => path)).toEqual(['/served?timeout=10s']);
  await server.ask('DELETE', `${services}/hook`);
  expect((await create(configMap('unserved'))).body.message).toContain('service "hook" not found');
});

test('a webhook is told of a dry run', async () => {
  await register('Validating', hook('pure'));
  const { code } = await create(configMap('dry'), '?dryRun=All');
  expect([code, reviews[0]?.request.dryRun]).toEqual([201, true]);
});

test('a pod that a webhook added a container to gets its defaults and its token there too', async () => {
  await register(
    'Mutating',
    hook('inject', { rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }] }),
  );
  answer = () =>
    patch({
      op: 'add',
      path: '/spec/initContainers',
      value: [{ name: 'agent', image: 'agent:1', restartPolicy: 'Always' }],
    });
  const pod = { metadata: { generateName: 'web-' }, spec: { containers: [{ name: 'main', image: 'x:1' }] } };
  const { code, body } = await server.ask('POST', '/api/v1/namespaces/default/pods', pod);
  expect(code).toBe(201);
  expect(body.spec.initContainers[0]).toMatchObject({
    name: 'agent',
    imagePullPolicy: 'IfNotPresent',
    volumeMounts: [{ mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }],
  });
  // As on a real cluster, the pod has no name yet when the webhook sees it.
  expect(reviews.map(({ request }) => request.object.metadata.name)).toEqual([undefined]);
});
