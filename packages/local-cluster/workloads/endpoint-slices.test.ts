import { expect, test } from '@jest/globals';
import { endpointSlicesOf, endpointsOf, targetPort } from './endpoint-slices.ts';
import { endpointsPerSlice } from './limits.ts';
import type { Container, Pod, Service } from './objects.ts';

const port = (name: string, containerPort: number) => ({ name, containerPort });
const container = (name: string, ports: Container['ports'], restartPolicy?: string): Container => ({
  name,
  ports: ports ?? [],
  ...(restartPolicy === undefined ? {} : { restartPolicy }),
});

interface Traits {
  readonly ready?: boolean;
  readonly leaving?: boolean;
  readonly phase?: string;
  readonly address?: string;
  readonly containers?: Container[];
  readonly init?: Container[];
}

const pod = (name: string, traits: Traits = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'shop', uid: name, ...(traits.leaving ? { deletionTimestamp: 'now' } : {}) },
  spec: {
    nodeName: 'local',
    containers: traits.containers ?? [container('main', [port('http', 8000)])],
    initContainers: traits.init ?? [],
  },
  status: {
    phase: traits.phase ?? 'Running',
    podIP: traits.address ?? `ip-${name}`,
    conditions: [{ type: 'Ready', status: (traits.ready ?? true) ? 'True' : 'False' }],
  },
});

const service = (targetPortOf: string | number, spec: Partial<Service['spec']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'shop', uid: 's' },
  spec: { ports: [{ port: 80, targetPort: targetPortOf }], ...spec },
});

test.each<[string, string | number | undefined, Pod, number | undefined]>([
  ['a number', 9000, pod('a'), 9000],
  ['a number in a string', '9000', pod('a'), 9000],
  ['none: the port itself', undefined, pod('a'), 80],
  ['a name', 'http', pod('a'), 8000],
  ['a name that no container has', 'admin', pod('a'), undefined],
  [
    'the name of a native sidecar',
    'http',
    pod('a', { containers: [container('main', [])], init: [container('agent', [port('http', 15001)], 'Always')] }),
    15001,
  ],
  [
    'not that of an init container, which has ended',
    'http',
    pod('a', { containers: [container('main', [])], init: [container('setup', [port('http', 1)])] }),
    undefined,
  ],
])('the target port: %s', (_case, target, of, expected) => {
  expect(targetPort(of, { port: 80, ...(target === undefined ? {} : { targetPort: target }) })).toBe(expected);
});

test.each<[string, Pod, Partial<Service['spec']>, string]>([
  ['ready', pod('a'), {}, 'ready serving'],
  ['not ready', pod('a', { ready: false }), {}, ''],
  ['leaving and still answering', pod('a', { leaving: true }), {}, 'serving terminating'],
  ['leaving and silent', pod('a', { leaving: true, ready: false }), {}, 'terminating'],
  ['published anyway', pod('a', { ready: false }), { publishNotReadyAddresses: true }, 'ready serving'],
  ['without an address', pod('a', { address: '' }), {}, 'absent'],
  ['finished', pod('a', { phase: 'Succeeded' }), {}, 'absent'],
])('a pod that is %s', (_case, of, spec, expected) => {
  const [endpoint] = endpointSlicesOf(service('http', spec), [of]).flatMap(({ endpoints }) => endpoints);
  const conditions = Object.entries(endpoint?.conditions ?? { absent: true });
  expect(conditions.flatMap(([name, holds]) => (holds ? [name] : [])).join(' ')).toBe(expected);
});

test('pods with different ports behind one name stand in different slices, with stable names', () => {
  const moved = pod('b', { containers: [container('main', [port('http', 9000)])] });
  const slices = endpointSlicesOf(service('http'), [pod('a'), moved, pod('c')]);
  expect(slices.map(({ ports, endpoints }) => [ports?.[0]?.port, endpoints.map((one) => one.addresses[0])])).toEqual([
    [8000, ['ip-a', 'ip-c']],
    [9000, ['ip-b']],
  ]);
  const again = endpointSlicesOf(service('http'), [moved, pod('a')]);
  expect(again.map(({ metadata }) => metadata.name).sort()).toEqual(slices.map(({ metadata }) => metadata.name).sort());
});

test('a slice holds no more than its bound, and a Service without pods has an empty one', () => {
  const many = Array.from({ length: endpointsPerSlice + 1 }, (_, number) => pod(`p${number}`));
  expect(endpointSlicesOf(service('http'), many).map(({ endpoints }) => endpoints.length)).toEqual([
    endpointsPerSlice,
    1,
  ]);
  expect(endpointSlicesOf(service('http'), []).map(({ endpoints }) => endpoints.length)).toEqual([0]);
});

test('Endpoints list ready and unready addresses, and no leaving ones', () => {
  const pods = [pod('a'), pod('b', { ready: false }), pod('c', { leaving: true })];
  const [subset] = endpointsOf(service('http'), pods).subsets ?? [];
  expect(subset?.addresses?.map(({ ip }) => ip)).toEqual(['ip-a']);
  expect(subset?.notReadyAddresses?.map(({ ip }) => ip)).toEqual(['ip-b']);
  expect(subset?.ports).toEqual([{ port: 8000, protocol: 'TCP' }]);
});
