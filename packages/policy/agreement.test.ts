// The schema in the API server and our parser must say the same: what one refuses, the other refuses, for every rule
// that both can express. The API server here checks types, bounds, defaults and CEL as a real one does.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { type ApiServer, startApiServer } from '../local-cluster/api-server/api-server.ts';
import { customResourceDefinition, parsePolicy } from './index.ts';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({ clock: createClock(), crds: [customResourceDefinition()] });
});
afterAll(() => api.stop());

const base = { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 8, preset: 'interactive' };
let count = 0;

/** What the API server makes of a spec: the stored object, or the words of its refusal. */
async function stored(spec: unknown): Promise<{ object: unknown } | { refusal: string }> {
  const object = {
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: `p-${++count}`, namespace: 'default' },
    spec,
  };
  try {
    return { object: await api.client('test').create('aiinferenceautoscalerpolicies.kubeai.io', object as never) };
  } catch (cause) {
    return { refusal: (cause as Error).message };
  }
}
const parsed = (spec: unknown) =>
  parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'p', namespace: 'default' },
    spec,
  });

test.each<[string, object]>([
  ['minReplicas above maxReplicas', { minReplicas: 9 }],
  ['the default of minReplicas is no excuse', { minReplicas: 1, maxReplicas: 0 }],
  ['no metric', { preset: undefined }],
  ['only disabled metrics', { preset: undefined, metrics: { latency: { enabled: false }, requestQueueDepth: {} } }],
  ['latency without target', { metrics: { latency: {} } }],
  ['time to first token without target', { metrics: { timeToFirstToken: { enabled: true } } }],
  [
    'custom with two sources',
    { metrics: { custom: [{ name: 'a', target: 1, agentMetric: 'x', prometheusQuery: 'y' }] } },
  ],
  [
    'custom twice',
    {
      metrics: {
        custom: [
          { name: 'a', target: 1, agentMetric: 'x' },
          { name: 'a', target: 1, agentMetric: 'x' },
        ],
      },
    },
  ],
  ['static fallback without size', { fallback: { behavior: 'static' } }],
  ['fallback above the maximum', { fallback: { behavior: 'static', replicas: 9 } }],
  ['schedule without bounds', { schedule: [{ name: 'x', cron: '* * * * *', durationSeconds: 60 }] }],
  [
    'schedule with crossed bounds',
    { schedule: [{ name: 'x', cron: '* * * * *', durationSeconds: 60, minReplicas: 3, maxReplicas: 2 }] },
  ],
  ['plugin without source', { algorithm: { plugin: {} } }],
  [
    'two ways to sign in',
    {
      prometheus: {
        bearerToken: { name: 'a', key: 'b' },
        basicAuth: { username: { name: 'a', key: 'b' }, password: { name: 'a', key: 'b' } },
      },
    },
  ],
  ['a wrong word', { mode: 'On' }],
  ['a wrong type', { maxReplicas: '8' }],
  ['a fraction', { maxReplicas: 2.5 }],
  ['out of bounds', { metrics: { gpuUtilization: { targetPercentage: 0 } } }],
  ['a target of nothing', { metrics: { latency: { targetP99Ms: 0 } } }],
])('both refuse: %s', async (_name, change) => {
  const spec = JSON.parse(JSON.stringify({ ...base, ...change })) as object;
  expect({ schema: 'refusal' in (await stored(spec)), parser: !parsed(spec).ok }).toEqual({
    schema: true,
    parser: true,
  });
});

test.each<[string, object]>([
  ['a preset alone', {}],
  [
    'disabled blocks without target',
    { metrics: { latency: { enabled: false }, concurrency: { enabled: false }, gpuMemory: { enabled: false } } },
  ],
  ['weights as a list', { algorithm: { name: 'WeightedRatio', weights: [1, 2] } }],
  ['weights as a map', { algorithm: { name: 'WeightedRatio', weights: { work: 2 } } }],
  ['scaling to zero', { minReplicas: 0 }],
  [
    'fields that are null, which are absent',
    { minReplicas: null, scaleUp: null, metrics: { latency: { targetP99Ms: 9, targetP95Ms: null }, work: null } },
  ],
  [
    'everything at once',
    {
      minReplicas: 1,
      metrics: { latency: { targetP95Ms: 9.5 }, custom: [{ name: 'a', target: 0.5, agentMetric: 'x' }] },
      fallback: { behavior: 'staticIfHigher', replicas: 3 },
      schedule: [{ name: 'x', cron: '0 8 * * *', durationSeconds: 60, minReplicas: 3 }],
      paused: true,
      pausedDirection: 'Down',
    },
  ],
])('both accept, and what is stored means what was written: %s', async (_name, change) => {
  const spec = { ...base, ...change };
  const result = await stored(spec);
  expect(result).toHaveProperty('object');
  const before = parsed(spec);
  const after = parsePolicy('object' in result ? result.object : undefined);
  const meaning = (policy: typeof after) =>
    policy.ok ? { ...policy.value, name: '', uid: '', generation: 0 } : policy;
  expect(meaning(after)).toEqual(meaning(before));
});

test('a refusal by a rule says which field and why', async () => {
  const result = await stored({ ...base, minReplicas: 9 });
  expect('refusal' in result ? result.refusal : '').toContain('minReplicas must not exceed maxReplicas');
});
