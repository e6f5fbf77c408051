import { expect, test } from '@jest/globals';
import type { NamespaceView } from './eligibility.ts';
import { admitPod } from './mutate-pods.ts';
import { createServiceIndex, serviceView } from './service-view.ts';
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

test('the index holds the Services of a namespace as they come and go', () => {
  const index = createServiceIndex();
  index.put(service('http'));
  index.put(service(8000)); // the same Service, changed
  index.put({ metadata: { name: 'other', namespace: 'elsewhere' }, spec: {} });
  expect([...index.of('ai')].map(({ targets }) => targets)).toEqual([[8000]]);
  index.remove(service(8000));
  expect([[...index.of('ai')], [...index.of('nowhere')]]).toEqual([[], []]);
});
