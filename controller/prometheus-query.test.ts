import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { knownMetricNames, type MetricTarget } from '@kubeai/policy';
import { instant, seconds } from '@kubeai/units';
import { queryOf, sampleOf } from './prometheus-query.ts';

const now = instant(1_000_000);
const vector = (...values: string[]) => ({
  status: 'success',
  data: { resultType: 'vector', result: values.map((value) => ({ metric: {}, value: [995, value] })) },
});
const name = 'latencyP99';
const value = (number: number, ageMs = 5_000) => ({ kind: 'value', name, value: number, ageMs });
const counted = (number: string, pods: string) => ({
  status: 'success',
  data: {
    resultType: 'vector',
    result: [
      { metric: { kubeai_tells: 'value' }, value: [995, number] },
      { metric: { kubeai_tells: 'pods' }, value: [995, pods] },
    ].filter((each) => each.value[1] !== 'absent'),
  },
});
const missing = (cause: string) => ({ kind: 'missing', name, cause });

test.each<[string, unknown, object]>([
  ['one series', vector('12.5'), value(12.5)],
  ['a scalar', { status: 'success', data: { resultType: 'scalar', result: [999, '3'] } }, value(3, 1_000)],
  [
    'a sample from the future',
    { status: 'success', data: { resultType: 'scalar', result: [1_060, '3'] } },
    value(3, -60_000),
  ],
  ['NaN', vector('NaN'), value(Number.NaN)],
  ['infinity', vector('+Inf'), value(Number.POSITIVE_INFINITY)],
  ['an absurd number', vector('1e300'), value(1e300)],
  ['a number with its pods', counted('12.5', '3'), { ...value(12.5), pods: 3 }],
  ['a number of no pods', counted('12.5', 'NaN'), { ...value(12.5), pods: 0 }],
  ['pods without a number', counted('absent', '3'), missing('NoSeries')],
  ['no series', vector(), missing('NoSeries')],
  ['two series', vector('1', '2'), missing('SeveralSeries')],
  ['a matrix', { status: 'success', data: { resultType: 'matrix', result: [] } }, missing('SeveralSeries')],
  ['a string', { status: 'success', data: { resultType: 'string', result: [1, 'x'] } }, missing('NotANumber')],
  ['text that is no number', vector(''), value(Number.NaN)],
  ['an error', { status: 'error', errorType: 'bad_data', error: 'x' }, missing('Refused')],
  ['something else', 'hello', missing('Refused')],
])('%s is read as what it is', (_what, answer, sample) => {
  expect(sampleOf(name, answer, now)).toEqual(sample);
});

const metric = (change: Partial<MetricTarget>): MetricTarget => ({
  name: 'concurrency',
  shape: 'perReplica',
  target: 4,
  source: 'prometheus',
  ...change,
});
test.each<[string, MetricTarget, string[], string | undefined]>([
  ['its own', metric({ prometheusQuery: 'up', source: 'auto' }), [], 'up'],
  [
    'one over its own pods',
    metric({}),
    ['a-1', 'a.b'],
    'label_replace(sum(kubeai_requests_in_flight{namespace="models",pod=~"a-1|a\\\\.b"}), "kubeai_tells", "value", "", "")' +
      ' or label_replace((count(kubeai_requests_in_flight{namespace="models",pod=~"a-1|a\\\\.b"}) or vector(0)),' +
      ' "kubeai_tells", "pods", "", "")',
  ],
  ['none without pods', metric({}), [], undefined],
  ['none where agents are asked', metric({ source: 'agents', prometheusQuery: 'up' }), ['a'], undefined],
  ['none where only agents know', metric({ name: 'work' }), ['a'], undefined],
  ['none by default', metric({ source: 'auto' }), ['a'], undefined],
])('a metric’s query is %s', (_what, target, pods, query) => {
  expect(queryOf(target, { namespace: 'models', pods, every: seconds(15) })).toBe(query);
});

test('rates are taken over four scrapes, and a minute at least', () => {
  const spanOf = (every: number) =>
    /\[(\w+)\]/.exec(
      queryOf(metric({ name: 'tokensPerSecond' }), { namespace: 'n', pods: ['a'], every: seconds(every) })!,
    )?.[1];
  expect([5, 15, 30].map(spanOf)).toEqual(['60s', '60s', '120s']);
});

test('default queries ask for what agents export, for every metric but work', () => {
  const exported = readFileSync(new URL('../agent/exposition.ts', import.meta.url), 'utf8');
  const queries = knownMetricNames.map((each) => [
    each,
    queryOf(metric({ name: each }), { namespace: 'n', pods: ['a'], every: seconds(15) }),
  ]);
  expect(queries.filter(([, query]) => query === undefined).map(([each]) => each)).toEqual(['work']);
  const names = queries.flatMap(([, query]) => query?.match(/kubeai_\w+(?=\{)/g) ?? []);
  const strange = names.filter((each) => !exported.includes(`'${each.replace(/_bucket$/, '')}'`));
  expect(strange).toEqual([]);
});
