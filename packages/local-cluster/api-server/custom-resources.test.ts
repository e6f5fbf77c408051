import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { eventually } from '../../daemon/testing/eventually.ts';
import type { JsonObject } from './kube-object.ts';
import { startTestServer, type TestServer } from './testing/test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.stop());

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const version = (name: string, storage: boolean, more: object = {}) => ({
  name,
  served: true,
  storage,
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: {
        spec: { type: 'object', properties: { size: { type: 'integer', default: 1 } } },
        status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
  },
  subresources: { status: {} },
  ...more,
});
const definition = (
  plural: string,
  kind: string,
  versions: object[] = [version('v1', true)],
  scope = 'Namespaced',
) => ({
  metadata: { name: `${plural}.example.io` },
  spec: { group: 'example.io', scope, names: { plural, kind }, versions },
});
const conditionsOf = async (plural: string): Promise<Record<string, string>> => {
  const { body } = await server.ask('GET', `${crds}/${plural}.example.io`);
  const conditions: { type: string; status: string }[] = body.status?.conditions ?? [];
  return Object.fromEntries(conditions.map(({ type, status }) => [type, status]));
};

test('a definition is served at once, established soon, and found by discovery', async () => {
  expect((await server.ask('POST', crds, definition('things', 'Thing'))).code).toBe(201);
  expect(
    (await server.ask('POST', '/apis/example.io/v1/namespaces/default/things', { metadata: { name: 'a' }, spec: {} }))
      .body.spec,
  ).toEqual({ size: 1 });
  await eventually(async () => (await conditionsOf('things')).Established === 'True');
  const { body } = await server.ask('GET', '/apis/example.io/v1');
  expect(body.resources.map(({ name }: { name: string }) => name)).toEqual(['things', 'things/status']);
  const { body: openApi } = await server.ask('GET', '/openapi/v3/apis/example.io/v1');
  expect(openApi.components.schemas['io.example.v1.Thing'].properties.spec.properties.size).toEqual({
    type: 'integer',
    default: 1,
  });
});

test('two versions are two faces of one object', async () => {
  await server.ask(
    'POST',
    crds,
    definition('twins', 'Twin', [version('v1alpha1', false, { deprecated: true }), version('v1', true)]),
  );
  await server.ask('POST', '/apis/example.io/v1/namespaces/default/twins', {
    metadata: { name: 'a' },
    spec: { size: 3 },
  });
  const old = await server.ask('GET', '/apis/example.io/v1alpha1/namespaces/default/twins/a');
  expect([old.body.apiVersion, old.body.spec.size]).toEqual(['example.io/v1alpha1', 3]);
  const patched = await server.ask(
    'PATCH',
    '/apis/example.io/v1alpha1/namespaces/default/twins/a',
    { spec: { size: 4 } },
    { 'content-type': 'application/merge-patch+json' },
  );
  expect(patched.headers.warning).toBe('299 - "example.io/v1alpha1 Twin is deprecated"');
  expect((await server.ask('GET', '/apis/example.io/v1/namespaces/default/twins/a')).body).toMatchObject({
    apiVersion: 'example.io/v1',
    spec: { size: 4 },
    metadata: { generation: 2 },
  });
  const { body } = await server.ask('GET', '/apis/example.io');
  expect(body.preferredVersion.version).toBe('v1');
});

test('a kind that is taken is not accepted', async () => {
  await server.ask('POST', crds, definition('stuff', 'Thing'));
  await eventually(async () => (await conditionsOf('stuff')).NamesAccepted === 'False');
  expect((await server.ask('GET', '/apis/example.io/v1/namespaces/default/stuff')).code).toBe(404);
});

test.each<[string, JsonObject, string]>([
  [
    'another name',
    { ...definition('wrongs', 'Wrong'), metadata: { name: 'x.example.io' } },
    'must be spec.names.plural+"."+spec.group',
  ],
  [
    'no storage version',
    definition('wrongs', 'Wrong', [version('v1', false)]),
    'must have exactly one version marked as storage version',
  ],
  ['no schema', definition('wrongs', 'Wrong', [{ name: 'v1', served: true, storage: true }]), 'schemas are required'],
  [
    'a column path nobody can read',
    definition('wrongs', 'Wrong', [
      version('v1', true, { additionalPrinterColumns: [{ name: 'X', type: 'string', jsonPath: '.a[?(@.n>1)]' }] }),
    ]),
    'cannot be read',
  ],
])('a definition with %s is refused', async (_, body, message) => {
  const answer = await server.ask('POST', crds, body);
  expect(answer.code).toBe(422);
  expect(answer.body.message).toContain(message);
});

test('a changed schema counts from the next write on', async () => {
  await server.ask('POST', crds, definition('grows', 'Grow', undefined, 'Cluster'));
  const path = '/apis/example.io/v1/grows';
  await server.ask('POST', path, { metadata: { name: 'a' }, spec: { more: 1 } });
  expect((await server.ask('GET', `${path}/a`)).body.spec).toEqual({ size: 1 });
  const schema = {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { more: { type: 'integer', maximum: 5 } } } },
    },
  };
  await server.ask(
    'PATCH',
    `${crds}/grows.example.io`,
    { spec: { versions: [version('v1', true, { schema })] } },
    { 'content-type': 'application/merge-patch+json' },
  );
  const merge = { 'content-type': 'application/merge-patch+json' };
  expect((await server.ask('PATCH', `${path}/a`, { spec: { more: 2 } }, merge)).body.spec).toEqual({ more: 2 });
  expect((await server.ask('PATCH', `${path}/a`, { spec: { more: 6 } }, merge)).code).toBe(422);
});

test('a definition takes its objects along, waiting for their finalizers', async () => {
  await server.ask('POST', crds, definition('leavings', 'Leaving'));
  const path = '/apis/example.io/v1/namespaces/default/leavings/a';
  await server.ask('POST', path.slice(0, -2), { metadata: { name: 'a', finalizers: ['example.io/wait'] } });
  await eventually(
    async () => (await server.ask('GET', `${crds}/leavings.example.io`)).body.metadata.finalizers !== undefined,
  );
  await server.ask('DELETE', `${crds}/leavings.example.io`);
  await eventually(async () => (await server.ask('GET', path)).body.metadata.deletionTimestamp !== undefined);
  expect((await server.ask('GET', `${crds}/leavings.example.io`)).code).toBe(200);
  await server.ask(
    'PATCH',
    path,
    { metadata: { finalizers: null } },
    { 'content-type': 'application/merge-patch+json' },
  );
  await eventually(async () => (await server.ask('GET', `${crds}/leavings.example.io`)).code === 404);
  expect((await server.ask('GET', '/apis/example.io/v1/leavings')).code).toBe(404);
});
