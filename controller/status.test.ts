import { expect, test } from '@jest/globals';
import type { Decision, Signal, Snapshot } from '@kubeai/decision';
import { emptyHistory, ledgerOf } from '@kubeai/decision';
import type { EventRecorder } from '@kubeai/kube';
import { type Policy, type PolicyStatus, parsePolicy } from '@kubeai/policy';
import { instant, seconds } from '@kubeai/units';
import { announceConditions } from './announcements.ts';
import { conditionsOf, conditionsWhenBlocked } from './conditions.ts';
import { readStatus, statusOf, statusWhenBlocked, worthWriting } from './status.ts';

const start = instant(Date.UTC(2026, 0, 1));
const at = (second: number) => instant(start + second * 1_000);

const parsed = parsePolicy({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { namespace: 'models', name: 'chat', uid: 'u', generation: 3 },
  spec: {
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
    maxReplicas: 8,
    metrics: { latency: { targetP99Ms: 800 }, concurrency: { targetPerReplica: 4 } },
  },
});
const policy: Policy = parsed.ok ? parsed.value : (undefined as never);

const latency = (change: Partial<Signal> = {}): Signal => ({
  name: 'latencyP99',
  shape: 'latency',
  target: 800,
  state: 'value',
  value: 500,
  assumed: 0,
  measured: 2,
  silent: 0,
  source: 'agent',
  ...change,
});
const concurrency = (change: Partial<Signal> = {}): Signal => ({
  ...latency(),
  name: 'concurrency',
  shape: 'perReplica',
  target: 4,
  value: 6,
  ...change,
});
const decision = (change: Partial<Decision> = {}): Decision => ({
  current: 2,
  replicas: 2,
  recommended: 2,
  reason: 'WithinTarget',
  proposal: 2,
  proposals: [],
  steps: [],
  algorithm: { name: 'MaxRatio', valid: true },
  bounds: { min: 1, max: 8 },
  infeasible: [],
  mayShrink: true,
  ...change,
});

function status(previous: PolicyStatus, second: number, signals: Signal[], made: Decision = decision()): PolicyStatus {
  const history = emptyHistory(2, start);
  const ledger = ledgerOf(2, [], history, start);
  const snapshot: Snapshot = { replicas: 2, ledger, signals, traffic: {} as Snapshot['traffic'] };
  const conditions = conditionsOf({ policy, decision: made, signals });
  return statusOf(previous, { policy, snapshot, decision: made, history, conditions }, at(second));
}
const good = [latency(), concurrency()];
const conditionsIn = ({ conditions = [] }: PolicyStatus) =>
  Object.fromEntries(conditions.map(({ type, status: state, reason }) => [type, `${state} ${reason}`]));

test.each<[string, Signal[], Decision, Record<string, string>]>([
  [
    'all is well',
    good,
    decision(),
    { Ready: 'True Scaling', Active: 'True Measured', ScalingLimited: 'False WithinBounds' },
  ],
  [
    'one metric is missing',
    [latency({ state: 'missing', cause: 'NoSamples' }), concurrency()],
    decision(),
    { Ready: 'True Scaling' },
  ],
  [
    'nothing is known',
    [latency({ state: 'missing', cause: 'NoReports' })],
    decision(),
    { Ready: 'False NoFreshSignals', Active: 'Unknown NoFreshSignals' },
  ],
  [
    'nothing happens',
    [concurrency({ state: 'idle', value: 0 })],
    decision(),
    { Ready: 'True Scaling', Active: 'False Idle' },
  ],
  ['the maximum holds', good, decision({ reason: 'AtMaximum' }), { ScalingLimited: 'True AtMaximum' }],
  [
    'the algorithm is unknown',
    good,
    decision({ algorithm: { name: 'MaxRatio', valid: false, problem: 'nobody knows X' } }),
    { AlgorithmValid: 'False FellBack' },
  ],
  [
    'the promise cannot be kept',
    good,
    decision({ infeasible: ['latencyP99'] }),
    { SLOInfeasible: 'True SLOInfeasible' },
  ],
])('conditions when %s', (_when, signals, made, expected) => {
  expect(conditionsIn(status({}, 0, signals, made))).toMatchObject(expected);
});

test('a forecast is shown, and what it learned of the days comes back after a restart', () => {
  const season = { since: 1, shape: Array.from({ length: 144 }, (_, place) => (place < 3 ? null : place)) };
  const forecast = { replicas: 3.2109, score: 0.70001, model: 'holt' };
  const history = emptyHistory(2, start);
  const traffic = {} as Snapshot['traffic'];
  const seen: Snapshot = {
    replicas: 2,
    ledger: ledgerOf(2, [], history, start),
    signals: [latency()],
    traffic,
    forecast,
  };
  const status = statusOf({}, { policy, snapshot: seen, decision: decision(), history, season, conditions: [] }, start);
  expect(status.lastDecision).toMatchObject({ forecast: { replicas: 3.21, score: 0.7, model: 'holt' } });
  expect(readStatus(JSON.parse(JSON.stringify(status))).season).toEqual(season);
});

test('a policy that is blocked keeps what was known and says why', () => {
  const before = status({}, 0, good);
  const conditions = conditionsWhenBlocked(
    { obstacle: 'Conflict', message: 'the older policy x scales the same target' },
    3,
  );
  const after = statusWhenBlocked(before, 3, conditions, at(1));
  expect(conditionsIn(after)).toMatchObject({
    Ready: 'False Conflict',
    Active: 'Unknown Conflict',
    Conflict: 'True Conflict',
  });
  expect(after.decisions).toEqual(before.decisions);
});

test('a change of size is kept as a decision, newest first, at most twenty', () => {
  let now = status({}, 0, good);
  expect(now.lastScaleTime).toBeUndefined();
  for (let count = 1; count <= 25; count++) {
    now = status(now, count, good, decision({ replicas: 3, reason: 'MetricAboveTarget', winner: 'latencyP99' }));
  }
  expect(now.decisions).toHaveLength(20);
  expect(now.decisions![0]).toEqual({
    at: '2026-01-01T00:00:25Z',
    from: 2,
    to: 3,
    reason: 'MetricAboveTarget',
    message: '2 → 3: a metric asks for more replicas (latencyP99 is 500 ms, target 800 ms)',
  });
  expect(now).toMatchObject({ currentReplicas: 3, lastScaleTime: '2026-01-01T00:00:25Z' });
});

test('what was not measured is absent from currentMetrics, and a latency while idle was not measured', () => {
  const signals = [latency({ state: 'idle', value: 0 }), concurrency({ state: 'idle', value: 0 })];
  expect(status({}, 0, signals).currentMetrics).toEqual({ concurrency: 0 });
  expect(status({}, 0, [latency({ state: 'stale' })]).currentMetrics).toEqual({ latencyP99Ms: 500 });
});

test('a status that was written is read back with its history; anything else is as if there were none', () => {
  const written = status({}, 0, good);
  const read = readStatus(JSON.parse(JSON.stringify(written)));
  expect(read.status.conditions).toEqual(written.conditions);
  expect(read.history).toEqual(emptyHistory(2, start));
  for (const broken of [undefined, null, 'x', { conditions: 3 }]) {
    expect(readStatus(broken)).toEqual({ status: {}, history: undefined });
  }
});

const base = status({}, 0, good);
const flicker = status(base, 0, good, decision({ reason: 'HeldByWindow' }));
test.each<[string, PolicyStatus | undefined, PolicyStatus, number, number, boolean]>([
  ['the first one', undefined, base, 0, 0, true],
  ['the same again, an hour later', base, base, 3_600, 3_600, false],
  ['another size', base, status(base, 0, good, decision({ current: 3, replicas: 3 })), 0, 0, true],
  ['another condition', base, status(base, 0, [latency({ state: 'missing', cause: 'Lost' })]), 0, 0, true],
  ['the maximum reached, at once', base, status(base, 0, good, decision({ reason: 'AtMaximum' })), 0, 0, false],
  ['another reason, at once', base, flicker, 5, 5, false],
  ['another reason that flickers', base, flicker, 3_600, 2, false],
  ['another reason that stays', base, flicker, 31, 11, true],
  ['values that wobble', base, status(base, 0, [latency({ value: 580 }), concurrency()]), 3_600, 3_600, false],
  ['values that have moved on', base, status(base, 0, [latency({ value: 900 }), concurrency()]), 301, 301, true],
  [
    'values that have moved on a moment ago',
    base,
    status(base, 0, [latency({ value: 900 }), concurrency()]),
    60,
    60,
    false,
  ],
])('whether a status is worth a write: %s', (_what, written, next, age, steady, worth) => {
  const since = written === undefined ? undefined : at(0);
  expect(worthWriting(written, next, since, seconds(steady), at(age))).toBe(worth);
});

test('an Event tells of a condition once it has settled, and of its end; that all is well from the start is no news', () => {
  const told: string[] = [];
  const recorder: EventRecorder = {
    record: (_subject, type, reason) => void told.push(`${type} ${reason}`),
    flush: async () => undefined,
    dropped: () => 0,
  };
  const entry = { key: 'models/chat', object: { metadata: { name: 'chat' } }, policy, problems: [] };
  const announced = new Map<string, string>();
  const blind = [latency({ state: 'missing', cause: 'NoReports' })];
  let now = status({}, 0, good);
  for (const [second, signals] of [
    [1, good],
    [12, good],
    [13, blind],
    [20, good],
    [40, blind],
    [45, blind],
    [51, blind],
    [52, good],
    [63, good],
  ] as const) {
    now = status(now, second, [...signals]);
    announceConditions(recorder, entry, announced, now, at(second));
  }
  expect(told).toEqual(['Warning NoFreshSignals', 'Normal Scaling']);
});
