import { expect, test } from '@jest/globals';
import type { NamespaceView } from './eligibility.ts';
import { admitPod } from './mutate-pods.ts';
import { parsePod } from './pod.ts';
import { createServiceIndex, serviceView } from './service-view.ts';
import { servingPortOf } from './serving-port.ts';
import { config, labelled, modelPod, ownNamespace } from './testing/injection.ts';

const service = (targetPort: unknown, selector: unknown = { app: 'chat' }) => ({
  metadata: { name: 'chat', namespace: 'ai' },
  spec: { selector, ports: [{ port: 8000, targetPort }] },
});
const within = (...services: object[]): NamespaceView => ({ ...labelled, services: services.map(serviceView) });

test.each<[string, NamespaceView, string, number]>([
  ['no Service is known', within(), 'port', 0],
  ['a Service targets the port by name', within(service('http')), 'port', 0],
  ['a Service targets it by number', within(service(8000)), 'none', 1],
  ['a Service has no target but its own port', within(service(undefined)), 'none', 1],
  ['one of two goes past', within(service('http'), service(8000)), 'none', 1],
  ['the number is another one', within(service(9400)), 'port', 0],
  ['the Service selects others', within(service(8000, { app: 'other' })), 'port', 0],
  ['the Service selects more than the pod has', within(service(8000, { app: 'chat', tier: 'gpu' })), 'port', 0],
  ['the Service selects nothing', within(service(8000, null)), 'port', 0],
])('where %s, the agent takes over the name only if requests follow it', (_where, namespace, reach, warnings) => {
  const admitted = admitPod(modelPod(), namespace, ownNamespace, config);
  expect({ outcome: admitted.outcome, warnings: admitted.warnings.length }).toEqual({
    outcome: { kind: 'injected', reach },
    warnings,
  });
});

test('whoever asks for the name gets it, and is told what goes past', () => {
  const pod = modelPod({ metadata: { labels: { app: 'chat' }, annotations: { 'kubeai.io/reach': 'port' } } });
  const { outcome, warnings } = admitPod(pod, within(service(8000)), ownNamespace, config);
  expect(outcome).toEqual({ kind: 'injected', reach: 'port' });
  expect(warnings).toEqual([
    'Service chat targets port 8000 by number and goes past the agent; target it by name, http',
  ]);
});

test('redirect sees numbers and names alike', () => {
  const { outcome } = admitPod(modelPod(), within(service(8000)), ownNamespace, {
    ...config,
    redirectImage: 'kubeai/redirect:1',
  });
  expect(outcome).toEqual({ kind: 'injected', reach: 'redirect' });
});

const port = (containerPort: number, name?: string) => ({ containerPort, name });
const model = (more: object = {}) => ({ name: 'model', image: 'registry/own:1', ...more });

/** What is found in a pod with these labels, where a Service leads to these targets. */
function chosen(containers: readonly object[], targets: readonly unknown[], labels: object = {}): string {
  return foundBy(containers, { ports: targets.map((targetPort) => ({ port: 80, targetPort })) }, labels);
}

function foundBy(containers: readonly object[], service: object, labels: object = {}): string {
  const parsed = parsePod({ metadata: { labels: { app: 'chat', ...labels } }, spec: { containers } });
  if (!parsed.ok) throw new Error(parsed.problem);
  const found = servingPortOf(parsed.pod, [serviceView({ spec: { selector: { app: 'chat' }, ...service } })]);
  return typeof found === 'string' ? found : `${found.container.name}:${found.port}`;
}

const led: readonly (readonly [evidence: string, expected: string, targets: unknown[], containers: object[]])[] = [
  ['where nothing is declared or known', 'model:8080', [8080], [model()]],
  ['before the default of an engine', 'model:8080', [8080], [model({ image: 'vllm' })]],
  ["to several numbers, the engine's among them", 'model:8000', [5557, 8000], [model({ image: 'vllm' })]],
  [
    'to several numbers, one of which is asked whether it is ready',
    'model:5000',
    [6379, 5000],
    [model({ readinessProbe: { httpGet: { port: 5000 } } })],
  ],
  [
    "not before an engine's default that is asked whether it is ready",
    'model:8000',
    [5557],
    [model({ image: 'vllm', readinessProbe: { httpGet: { port: 8000 } } })],
  ],
  ['not before the command line', 'model:8001', [8080], [model({ args: ['--port=8001'] })]],
  [
    "not before the engine's own, where it is declared",
    'model:8000',
    [5557],
    [model({ image: 'vllm', ports: [port(5557, 'zmq'), port(8000)] })],
  ],
  ['to one of several that are declared', 'model:8080', [8080], [model({ ports: [port(8989), port(8080)] })]],
  ['to the name of one', 'model:8080', ['main'], [model({ ports: [port(8989, 'other'), port(8080, 'main')] })]],
  [
    'to one of two containers',
    'front:8888',
    [8888],
    [
      { name: 'registry', ports: [port(10000)] },
      { name: 'front', ports: [port(8888)] },
    ],
  ],
  [
    'to a number that nobody declares, which is the one with the GPU',
    'model:6000',
    [6000, 8080],
    [{ name: 'runtime', ports: [port(8080)] }, model({ resources: { limits: { 'nvidia.com/gpu': '1' } } })],
  ],
  [
    'to what another container declares, which is not mistaken for a port of the first',
    'model:9000',
    [9000],
    [{ name: 'log-shipper' }, model({ ports: [port(9000)] })],
  ],
];

test.each(led)('the serving port is found by where Services lead: %s', (_evidence, expected, targets, containers) => {
  expect(chosen(containers, targets)).toBe(expected);
});

test.each<[string, object]>([
  ['the placeholder of a headless Service', { clusterIP: 'None', ports: [{ name: 'placeholder', port: 80 }] }],
  ['what a Service calls its metrics', { ports: [{ name: 'metrics', port: 9400 }] }],
  ['another protocol', { ports: [{ port: 53, protocol: 'UDP' }] }],
])("%s does not lead away from an engine's default", (_what, spec) => {
  expect(foundBy([model({ image: 'vllm' })], spec)).toBe('model:8000');
});

test('a worker of a group is not led to a port that it does not declare', () => {
  expect(chosen([model()], [8000], { 'leaderworkerset.sigs.k8s.io/worker-index': '1' })).toBe('NoServingPort');
});

test('the index holds the Services of a namespace as they come and go', () => {
  const index = createServiceIndex();
  index.put(service('http'));
  index.put(service(8000)); // the same Service, changed
  index.put({ metadata: { name: 'other', namespace: 'elsewhere' }, spec: {} });
  expect([...index.of('ai')].map(({ targets }) => targets)).toEqual([[8000]]);
  index.remove(service(8000));
  expect([[...index.of('ai')], [...index.of('nowhere')]]).toEqual([[], []]);
});
