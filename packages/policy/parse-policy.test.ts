import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { milliseconds, seconds } from '@kubeai/units';
import fc from 'fast-check';
import { parse } from 'yaml';
import { knownMetrics, type Policy, parsePolicy } from './index.ts';

const examples = join(import.meta.dirname, '../../examples/policies');
const example = (name: string): unknown => parse(readFileSync(join(examples, name), 'utf8'));

const minimal = { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 8, preset: 'interactive' };
const object = (spec: unknown) => ({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { name: 'chat', namespace: 'ai' },
  spec,
});

function valid(spec: object): Policy {
  const parsed = parsePolicy(object({ ...minimal, ...spec }));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

function problemsOf(spec: unknown): string[] {
  const parsed = parsePolicy(object(spec));
  return parsed.ok ? [] : parsed.problems.map(({ field, message }) => `${field} ${message}`);
}

const pods = (value: number, period: number) => ({ type: 'Pods', value, period: seconds(period) });
const percent = (value: number, period: number) => ({ type: 'Percent', value, period: seconds(period) });

test.each(readdirSync(examples))('the example %s is a valid policy', (name) => {
  expect(parsePolicy(example(name))).toMatchObject({ ok: true });
});

test('a policy with latency, GPU and queue keeps the meaning of every field', () => {
  expect(parsePolicy(example('basic.yaml'))).toMatchObject({
    ok: true,
    value: {
      namespace: 'ai-workloads',
      target: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'llm-inference-server' },
      minReplicas: 2,
      maxReplicas: 10,
      cooldown: seconds(300),
      metrics: [
        { name: 'latencyP99', shape: 'latency', target: 500 },
        { name: 'latencyP95', shape: 'latency', target: 200 },
        { name: 'gpuUtilization', shape: 'utilization', target: 80 },
        { name: 'requestQueueDepth', shape: 'perReplica', target: 10 },
      ],
      scaleUp: { stabilizationWindow: seconds(60), policies: [pods(2, 60)], tolerance: 0.1, selectPolicy: 'Max' },
      scaleDown: { stabilizationWindow: seconds(300), policies: [percent(10, 120)], tolerance: 0.1 },
      mode: 'Active',
      paused: 'none',
    },
  });
});

test('a disabled metric takes no part, and a query stays as it was written', () => {
  expect(parsePolicy(example('gpu-focused.yaml'))).toMatchObject({
    ok: true,
    value: {
      metrics: [
        {
          name: 'gpuUtilization',
          target: 70,
          prometheusQuery: 'avg(DCGM_FI_DEV_GPU_UTIL{pod=~"image-generation-.*"})',
        },
      ],
      scaleDown: { stabilizationWindow: seconds(600), policies: [pods(1, 300)] },
    },
  });
});

test('the query of a latency block belongs to p99 when both targets are set', () => {
  const parsed = parsePolicy(example('latency-sla.yaml'));
  const queries = parsed.ok
    ? parsed.value.metrics.map(({ name, prometheusQuery }) => [name, prometheusQuery !== undefined])
    : [];
  expect(Object.fromEntries(queries)).toMatchObject({ latencyP99: true, latencyP95: false });
});

test('target, maximum and preset are a whole policy', () => {
  expect(valid({})).toMatchObject({
    minReplicas: 1,
    metrics: [{ name: 'timeToFirstTokenP95' }, { name: 'interTokenLatencyP95' }, { name: 'work' }],
    scaleUp: { stabilizationWindow: seconds(0), tolerance: 0.1, policies: [pods(4, 15), percent(100, 15)] },
    scaleDown: { stabilizationWindow: seconds(180), tolerance: 0.2, policies: [pods(1, 60), percent(25, 60)] },
    cooldown: seconds(60),
    fallback: { failureThreshold: 3, behavior: 'hold' },
  });
});

test.each<[string, object, object]>([
  [
    'a metric block of the user replaces that of the preset',
    { metrics: { work: { targetUtilization: 50 }, timeToFirstToken: { enabled: false } } },
    { metrics: [{ name: 'interTokenLatencyP95' }, { name: 'work', target: 50 }] },
  ],
  [
    'a scaling field of the user leaves the other fields of the preset',
    { preset: 'batch', scaleUp: { tolerance: 0.3 } },
    { scaleUp: { tolerance: 0.3, stabilizationWindow: seconds(60), policies: [percent(50, 60)] } },
  ],
  [
    'the cooldown of the user wins over that of the preset',
    { preset: 'batch', cooldownPeriod: 5 },
    { cooldown: seconds(5) },
  ],
  ['the cooldown of the preset wins over the default', { preset: 'batch' }, { cooldown: seconds(600) }],
  [
    'one tolerance serves both directions, and that of a direction wins',
    { algorithm: { tolerance: 0.05 }, scaleDown: { tolerance: 0.5 } },
    { scaleUp: { tolerance: 0.05 }, scaleDown: { tolerance: 0.5 } },
  ],
  [
    'weights given as a list follow the documented order',
    { algorithm: { name: 'WeightedRatio', weights: [4, 3, 2, 1] } },
    { algorithm: { weights: { latencyP99: 4, latencyP95: 3, gpuUtilization: 2, requestQueueDepth: 1 } } },
  ],
  [
    'a short list weighs the first metrics only',
    { algorithm: { weights: [0.5, 0.5] } },
    { algorithm: { weights: { latencyP99: 0.5, latencyP95: 0.5 } } },
  ],
  [
    'weights given as a map go by name, and queueDepth is the queue',
    { algorithm: { weights: { queueDepth: 2, 'custom:orders': 3 } } },
    { algorithm: { weights: { requestQueueDepth: 2, 'custom:orders': 3 } } },
  ],
  [
    'a custom metric is per replica unless it is a value',
    {
      metrics: {
        custom: [
          { name: 'orders', prometheusQuery: 'sum(orders)', target: 5 },
          { name: 'age', agentMetric: 'oldest', target: 9, type: 'Value' },
        ],
      },
    },
    {
      metrics: [
        {},
        {},
        {},
        { name: 'custom:orders', shape: 'perReplica', source: 'prometheus', prometheusQuery: 'sum(orders)' },
        { name: 'custom:age', shape: 'value', source: 'agents', agentMetric: 'oldest' },
      ],
    },
  ],
  [
    'a queue target of 0 counts as 1',
    { metrics: { requestQueueDepth: { enabled: true, targetDepth: 0 } } },
    { metrics: [{}, {}, { name: 'requestQueueDepth', target: 1 }, {}] },
  ],
  ['a pause holds both directions', { paused: true }, { paused: 'both' }],
  ['a pause may hold one direction', { paused: true, pausedDirection: 'Down' }, { paused: 'down' }],
  ['a direction alone pauses nothing', { pausedDirection: 'Down' }, { paused: 'none' }],
  ['zero replicas are allowed', { minReplicas: 0 }, { minReplicas: 0 }],
  [
    'a plugin is a module or an endpoint',
    { algorithm: { name: 'mine', plugin: { url: 'https://decide.example/v1', timeoutSeconds: 0.5 } } },
    {
      algorithm: {
        name: 'mine',
        plugin: { kind: 'http', url: 'https://decide.example/v1', timeout: milliseconds(500) },
      },
    },
  ],
  [
    'a fallback that holds has no size',
    { fallback: { behavior: 'hold', replicas: 3 } },
    { fallback: { failureThreshold: 3, behavior: 'hold' } },
  ],
])('%s', (_sentence, spec, expected) => {
  expect(valid(spec)).toMatchObject(expected);
});

const blocks = [...new Set(Object.values(knownMetrics).map(({ field }) => field.split('.')[0]!))];
test.each(blocks)('%s that is on gives a metric or is refused; it is never silently nothing', (block) => {
  const parsed = parsePolicy(object({ ...minimal, preset: undefined, metrics: { [block]: { enabled: true } } }));
  expect(parsed.ok ? parsed.value.metrics.length : parsed.problems.map(({ field }) => field)).toEqual(
    parsed.ok ? 1 : [`spec.metrics.${block}`],
  );
});

test('without a preset, latency blocks that name a target are on and the queue is off until asked for', () => {
  const policy = valid({
    preset: undefined,
    metrics: { latency: { targetP95Ms: 9 }, requestQueueDepth: { targetDepth: 3 } },
  });
  expect(policy.metrics.map(({ name }) => name)).toEqual(['latencyP95']);
});

test.each<[string, object, string[]]>([
  ['minReplicas', { minReplicas: 9 }, ['spec.minReplicas must not exceed maxReplicas']],
  [
    'maxReplicas',
    { maxReplicas: 0 },
    ['spec.maxReplicas must be at least 1', 'spec.minReplicas must not exceed maxReplicas'],
  ],
  ['fraction', { maxReplicas: 1.5 }, ['spec.maxReplicas must be a whole number']],
  ['text', { maxReplicas: '8' }, ['spec.maxReplicas must be a number']],
  [
    'no metric',
    { preset: undefined, metrics: { requestQueueDepth: {} } },
    ['spec.metrics must enable at least one metric, or the policy must name a preset'],
  ],
  [
    'a preset with every metric off',
    {
      metrics: {
        work: { enabled: false },
        timeToFirstToken: { enabled: false },
        interTokenLatency: { enabled: false },
      },
    },
    ['spec.metrics must leave at least one metric enabled'],
  ],
  [
    'latency without target',
    { metrics: { latency: { enabled: true } } },
    ['spec.metrics.latency must have targetP99Ms or targetP95Ms, or be disabled with `enabled: false`'],
  ],
  [
    'percentage',
    { metrics: { gpuUtilization: { targetPercentage: 101 } } },
    ['spec.metrics.gpuUtilization.targetPercentage must be at most 100'],
  ],
  [
    'negative latency',
    { metrics: { latency: { targetP99Ms: -1 } } },
    ['spec.metrics.latency.targetP99Ms must be greater than 0'],
  ],
  [
    'weight',
    { algorithm: { weights: { speed: 1 } } },
    [expect.stringMatching(/^spec.algorithm.weights.speed names no metric/) as never],
  ],
  [
    'weights',
    { algorithm: { weights: 'all' } },
    ['spec.algorithm.weights must be a list of numbers or a map from metric name to number'],
  ],
  ['negative weight', { algorithm: { weights: [1, -1] } }, ['spec.algorithm.weights[1] must be at least 0']],
  [
    'fallback',
    { fallback: { behavior: 'static' } },
    ['spec.fallback.replicas is required when behavior is static or staticIfHigher'],
  ],
  [
    'high fallback',
    { fallback: { behavior: 'static', replicas: 9 } },
    ['spec.fallback.replicas must not exceed maxReplicas'],
  ],
  [
    'custom',
    {
      metrics: {
        custom: [
          { name: 'a', target: 1 },
          { name: 'a', target: 1, agentMetric: 'x' },
        ],
      },
    },
    [
      'spec.metrics.custom[0] must have either prometheusQuery or agentMetric',
      'spec.metrics.custom[1].name must be unique: a stands twice',
    ],
  ],
  [
    'schedule',
    {
      schedule: [
        {
          name: 'night',
          cron: '61 * * * *',
          timeZone: 'Mars/Olympus',
          durationSeconds: 60,
          minReplicas: 3,
          maxReplicas: 2,
        },
      ],
    },
    [
      'spec.schedule[0].minReplicas must not exceed maxReplicas of the same entry',
      'spec.schedule[0].timeZone must be an IANA time zone such as Europe/Berlin',
      'spec.schedule[0].cron must be five cron fields such as "0 8 * * 1-5"',
    ],
  ],
  [
    'a day that never comes',
    { schedule: [{ name: 'never', cron: '0 0 30 2 *', durationSeconds: 60, minReplicas: 1 }] },
    ['spec.schedule[0].cron must name a day that exists: this one never comes'],
  ],
  [
    'a wrong word, and nothing that would follow from it',
    { fallback: { behavior: 'Hold' } },
    ['spec.fallback.behavior must be one of hold, static, staticIfHigher'],
  ],
  ["HPA's list of metrics", { preset: undefined, metrics: [{ type: 'Resource' }] }, ['spec.metrics must be an object']],
  ['a map for a list', { metrics: { custom: { name: 'a' } } }, ['spec.metrics.custom must be a list']],
  ['plugin', { algorithm: { plugin: {} } }, ['spec.algorithm.plugin must have either module or url']],
  ['url', { prometheus: { url: 'file:///etc/passwd' } }, ['spec.prometheus.url must be an http or https URL']],
  [
    'two ways to sign in',
    {
      prometheus: {
        bearerToken: { name: 'a', key: 'b' },
        basicAuth: { username: { name: 'a', key: 'b' }, password: { name: 'a', key: 'c' } },
      },
    },
    ['spec.prometheus.basicAuth must not stand beside bearerToken: choose one way to sign in'],
  ],
  ['mode', { mode: 'active' }, ['spec.mode must be one of Observe, Recommend, Active']],
])('a wrong policy is refused by field: %s', (_name, spec, expected) => {
  expect(problemsOf({ ...minimal, ...spec })).toEqual(expected);
});

test('a field that is null is absent, as the API server has it', () => {
  const { metrics, ...rest } = valid({
    minReplicas: null,
    metrics: { latency: { targetP99Ms: 500, targetP95Ms: null }, gpuUtilization: null },
    scaleUp: { policies: null },
    schedule: null,
  });
  expect(metrics[0]).toMatchObject({ name: 'latencyP99', target: 500 });
  const { metrics: _metrics, ...absent } = valid({});
  expect(rest).toEqual(absent);
});

test('every problem is told at once, those between fields included', () => {
  const problems = problemsOf({ minReplicas: 3, maxReplicas: 2, mode: 'x', scaleUp: { policies: [{ type: 'Pod' }] } });
  expect(problems.map((problem) => problem.split(' ')[0])).toEqual([
    'spec.targetRef',
    'spec.scaleUp.policies[0].type',
    'spec.scaleUp.policies[0].value',
    'spec.scaleUp.policies[0].periodSeconds',
    'spec.mode',
    'spec.minReplicas',
    'spec.metrics',
  ]);
});

test('whatever JSON comes in, the parser answers and never throws', () => {
  const noise = fc.jsonValue({ maxDepth: 4 });
  const spec = fc.record(
    {
      minReplicas: noise,
      maxReplicas: noise,
      metrics: noise,
      algorithm: noise,
      schedule: noise,
      scaleUp: noise,
      preset: noise,
      fallback: noise,
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(noise, spec.map(object)), (input) => {
      const parsed = parsePolicy(input);
      expect(parsed.ok || parsed.problems.length > 0).toBe(true);
    }),
    { numRuns: 500 },
  );
});
