import { expect, test } from '@jest/globals';
import { nothingAround, parsePolicy, type Surroundings, warningsOf } from './index.ts';

function warned(spec: object, around: Partial<Surroundings> = {}): string[] {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'chat', namespace: 'ai' },
    spec: {
      targetRef: { kind: 'Deployment', name: 'chat' },
      maxReplicas: 8,
      metrics: { concurrency: { targetPerReplica: 4 } },
      ...spec,
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return warningsOf(parsed.value, { ...nothingAround, ...around }).map(({ field, message }) => `${field}: ${message}`);
}

const target = { kind: 'Deployment', name: 'chat' };

test('an ordinary policy warns of nothing', () => {
  expect(warned({}, { currentReplicas: 2, targetExists: true, policies: [{ name: 'chat', target }] })).toEqual([]);
});

test.each<[string, object, Partial<Surroundings>]>([
  ['spec.metrics.gpuMemory', { metrics: { gpuMemory: { targetPercentage: 80 } }, engine: 'vllm' }, {}],
  ['spec.metrics.gpuUtilization', { metrics: { gpuUtilization: {} } }, {}],
  ['spec.metrics.latency.targetP95Ms', { metrics: { latency: { targetP95Ms: 9, targetP99Ms: 8 } } }, {}],
  ['spec.minReplicas', { minReplicas: 0 }, {}],
  ['spec.minReplicas', { minReplicas: 8 }, {}],
  ['spec.minReplicas', { minReplicas: 3 }, { currentReplicas: 2 }],
  ['spec.maxReplicas', {}, { currentReplicas: 9 }],
  ['spec.scaleUp.selectPolicy', { scaleUp: { selectPolicy: 'Disabled' } }, {}],
  ['spec.scaleUp.stabilizationWindowSeconds', { scaleUp: { stabilizationWindowSeconds: 301 } }, {}],
  ['spec.scaleDown.stabilizationWindowSeconds', { scaleDown: { stabilizationWindowSeconds: 59 } }, {}],
  ['spec.metrics.latency.targetP99Ms', { metrics: { latency: { targetP99Ms: 0.5 } } }, {}],
  ['spec.metrics.latency.targetP99Ms', { metrics: { latency: { targetP99Ms: 500, source: 'prometheus' } } }, {}],
  [
    'spec.metrics.latency.targetP95Ms',
    { metrics: { latency: { targetP99Ms: 500, targetP95Ms: 300, source: 'prometheus', prometheusQuery: 'p99' } } },
    {},
  ],
  ['spec.algorithm.name', { algorithm: { name: 'MaxRation' } }, {}],
  [
    'spec.schedule[0].minReplicas',
    { schedule: [{ name: 'day', cron: '0 8 * * *', durationSeconds: 60, minReplicas: 9 }] },
    {},
  ],
  ['spec.algorithm.tolerance', { algorithm: { tolerance: 0 } }, {}],
  ['spec.targetRef', {}, { targetExists: false }],
  ['spec.targetRef: policy other', {}, { policies: [{ name: 'other', target }] }],
  ['spec.targetRef: ScaledObject keda', {}, { autoscalers: [{ kind: 'ScaledObject', name: 'keda', target }] }],
])('%s is warned of', (start, spec, around) => {
  expect(warned(spec, around)).toEqual([expect.stringContaining(start)]);
});

test.each<[string, object]>([
  ['an algorithm of a plugin', { algorithm: { name: 'mine', plugin: { url: 'https://decide.example' } } }],
  [
    'Prometheus with a query',
    { metrics: { latency: { targetP99Ms: 500, source: 'prometheus', prometheusQuery: 'q' } } },
  ],
  ["a metric of one's own", { metrics: { custom: [{ name: 'a', prometheusQuery: 'q', target: 0.5 }] } }],
  [
    'an entry that raises both bounds',
    { schedule: [{ name: 'day', cron: '0 8 * * *', durationSeconds: 60, minReplicas: 9, maxReplicas: 12 }] },
  ],
])('%s is no risk', (_what, spec) => {
  expect(warned(spec)).toEqual([]);
});

test('another target with the same name is no rival', () => {
  expect(warned({}, { policies: [{ name: 'other', target: { kind: 'StatefulSet', name: 'chat' } }] })).toEqual([]);
});
