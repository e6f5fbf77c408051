import { expect, test } from '@jest/globals';
import type { Container, EnvironmentVariable, Pod, Service } from '../workloads/objects.ts';
import type { PodFacts } from './downward.ts';
import { type ConfigurationSource, environmentOf } from './environment.ts';
import { expand } from './expansion.ts';
import { pathRewriter } from './mount-paths.ts';

test.each([
  ['--host=$(IP)', '--host=127.64.0.9'],
  ['$(A)$(B)', 'onetwo'],
  ['$(MISSING) stays', '$(MISSING) stays'],
  ['$$(A)', '$(A)'],
  ['$$$(A)', '$one'],
  ['$A {A} $', '$A {A} $'],
  ['$(A', '$(A'],
  ['$(EMPTY)', ''],
])('%j expands to %j', (text, expected) => {
  const variables = new Map(Object.entries({ IP: '127.64.0.9', A: 'one', B: 'two', EMPTY: '' }));
  expect(expand(text, variables)).toBe(expected);
});

test.each([
  ['/etc/config/a.yaml', '/pod/cfg/a.yaml'],
  ['--file=/etc/config', '--file=/pod/cfg'],
  ['/etc/config/deep/x', '/pod/deep/x'],
  ['/etc/configuration', '/etc/configuration'],
  ['/host/etc/config', '/host/etc/config'],
  ['http://host/etc/config', 'http://host/etc/config'],
  ['/etc/config:/etc/config', '/pod/cfg:/pod/cfg'],
])('the path %j becomes %j', (text, expected) => {
  const rewrite = pathRewriter([
    { mountPath: '/etc/config/', directory: '/pod/cfg' },
    { mountPath: '/etc/config/deep', directory: '/pod/deep' },
  ]);
  expect(rewrite(text)).toBe(expected);
});

const container: Container = { name: 'main', resources: { requests: { cpu: '250m' }, limits: { memory: '1Gi' } } };
const pod: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u-1', labels: { 'a.b/c': 'blue' }, annotations: { note: 'hi' } },
  spec: { nodeName: 'local', serviceAccountName: 'seller', containers: [container] },
};
const facts: PodFacts = { pod, podIP: '127.64.0.9', hostIP: '127.0.0.1', allocatable: { cpu: 8, memory: 2 ** 34 } };
const source: ConfigurationSource = {
  configMap: async (_namespace, name) =>
    name === 'map'
      ? { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { k: 'v', 'other.key': 'w' } }
      : undefined,
  secret: async (_namespace, name) =>
    name === 'secret' ? { apiVersion: 'v1', kind: 'Secret', metadata: { name }, data: { k: 'czNjcmV0' } } : undefined,
};

const from = (valueFrom: NonNullable<EnvironmentVariable['valueFrom']>): EnvironmentVariable => ({
  name: 'X',
  valueFrom,
});
const field = (fieldPath: string) => from({ fieldRef: { fieldPath } });
const resource = (name: string, divisor?: string) =>
  from({ resourceFieldRef: { resource: name, ...(divisor === undefined ? {} : { divisor }) } });

test.each<[EnvironmentVariable, string | undefined]>([
  [{ name: 'X', value: 'plain' }, 'plain'],
  [{ name: 'X' }, ''],
  [field('metadata.name'), 'web-1'],
  [field('metadata.namespace'), 'shop'],
  [field('metadata.uid'), 'u-1'],
  [field("metadata.labels['a.b/c']"), 'blue'],
  [field("metadata.annotations['missing']"), ''],
  [field('spec.nodeName'), 'local'],
  [field('spec.serviceAccountName'), 'seller'],
  [field('status.podIP'), '127.64.0.9'],
  [field('status.hostIP'), '127.0.0.1'],
  [resource('requests.cpu', '1m'), '250'],
  [resource('requests.cpu'), '1'],
  [resource('limits.memory', '1Mi'), '1024'],
  [resource('limits.cpu'), '8'],
  [from({ configMapKeyRef: { name: 'map', key: 'k' } }), 'v'],
  [from({ secretKeyRef: { name: 'secret', key: 'k' } }), 's3cret'],
  [from({ configMapKeyRef: { name: 'none', key: 'k', optional: true } }), undefined],
])('the variable %j is %j', async (variable, expected) => {
  const environment = await environmentOf({ ...container, env: [variable] }, facts, [], source);
  expect(environment.get('X')).toBe(expected);
});

test.each<[EnvironmentVariable, string]>([
  [field('spec.nothing'), 'unsupported fieldPath: spec.nothing'],
  [from({ configMapKeyRef: { name: 'map', key: 'z' } }), "couldn't find key z in ConfigMap shop/map"],
  [from({ configMapKeyRef: { name: 'none', key: 'k' } }), 'configmap "none" not found'],
  [from({ secretKeyRef: { name: 'none', key: 'k' } }), 'secret "none" not found'],
])('the variable %j is refused: %s', async (variable, message) => {
  await expect(environmentOf({ ...container, env: [variable] }, facts, [], source)).rejects.toThrow(message);
});

test('later variables win and see what stands before them', async () => {
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'model-server' },
    spec: { clusterIP: '127.96.0.5', ports: [{ name: 'http', port: 80 }] },
  };
  const environment = await environmentOf(
    {
      ...container,
      envFrom: [{ prefix: 'MAP_', configMapRef: { name: 'map' } }],
      env: [
        {
          name: 'URL',
          value: 'http://$(MODEL_SERVER_SERVICE_HOST):$(MODEL_SERVER_SERVICE_PORT_HTTP)/$(MAP_k)$(LATER)',
        },
        { name: 'LATER', value: 'x' },
        { name: 'MAP_k', value: 'own' },
      ],
    },
    facts,
    [service],
    source,
  );
  expect(environment.get('URL')).toBe('http://127.96.0.5:80/v$(LATER)');
  expect(environment.get('MAP_k')).toBe('own');
  expect(environment.get('MODEL_SERVER_PORT_80_TCP_ADDR')).toBe('127.96.0.5');
});
