// Each stage of a decision by itself: what it does to the size, and the reason it gives.
import { expect, test } from '@jest/globals';
import type { Policy, SpecInput } from '@kubeai/policy';
import { instant } from '@kubeai/units';
import { decide } from './decide.ts';
import { continueHistory, emptyHistory, type History, restoreHistory, withEvent, withHigh } from './history.ts';
import { limits } from './limits.ts';
import type { Reason } from './reasons.ts';
import type { Signal } from './signal.ts';
import type { Snapshot } from './snapshot.ts';
import { ledgerWith } from './testing/ledger-with.ts';
import { policyOf } from './testing/policy-of.ts';
import { trafficOf } from './testing/traffic-of.ts';

const now = instant(1_700_000_000_000);
const ago = (seconds: number) => instant(now - 1_000 * seconds);

const base: Partial<SpecInput> = {
  minReplicas: 1,
  maxReplicas: 20,
  metrics: { concurrency: { targetPerReplica: 10 } },
};
const withSpec = (spec: Partial<SpecInput>): Policy => policyOf({ ...base, ...spec });

const signal = (value: number | undefined, facts: Partial<Signal> = {}): Signal => ({
  name: 'concurrency',
  shape: 'perReplica',
  target: 10,
  state: value === undefined ? 'missing' : 'value',
  ...(value === undefined ? { cause: 'NoReports' as const } : { value }),
  assumed: 0,
  measured: 4,
  silent: 0,
  ageMs: 200,
  source: 'agent',
  ...facts,
});

const snapshot = (total: number | undefined, facts: Partial<Snapshot> = {}): Snapshot => ({
  replicas: 4,
  ledger: ledgerWith(),
  signals: [signal(total)],
  traffic: trafficOf(total ?? 0),
  ...facts,
});

/** A past of an hour in which the target had four replicas and nothing was wished for. */
const calm = (facts: Partial<History> = {}): History => ({
  ...emptyHistory(4, ago(3_600)),
  at: ago(1),
  highs: [],
  lows: [],
  ...facts,
});

interface Row {
  readonly name: string;
  readonly spec?: Partial<SpecInput>;
  readonly snapshot: Snapshot;
  readonly history?: History;
  readonly replicas: number;
  readonly reason: Reason;
}

const idle = { signals: [signal(0, { state: 'idle', value: 0 })], traffic: trafficOf(0, { idle: true }) };

const rows: readonly Row[] = [
  { name: 'load at its target stays', snapshot: snapshot(40), replicas: 4, reason: 'WithinTarget' },
  { name: 'load above its target grows', snapshot: snapshot(61), replicas: 7, reason: 'MetricAboveTarget' },
  {
    name: 'load of half shrinks, at the pace of the default',
    snapshot: snapshot(17),
    replicas: 3,
    reason: 'MetricBelowTarget',
  },
  { name: 'a tenth above is tolerated', snapshot: snapshot(44), replicas: 4, reason: 'WithinTolerance' },
  { name: 'a little more is not', snapshot: snapshot(44.1), replicas: 5, reason: 'MetricAboveTarget' },
  { name: 'a fifth below is tolerated', snapshot: snapshot(32), replicas: 4, reason: 'WithinTarget' },
  { name: 'idle shrinks', snapshot: snapshot(0, idle), replicas: 3, reason: 'Idle' },
  {
    name: 'idle stops at the minimum',
    snapshot: snapshot(0, { ...idle, replicas: 1 }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'AtMinimum',
  },
  {
    name: 'idle goes to zero where that is allowed',
    spec: { minReplicas: 0 },
    snapshot: snapshot(0, { ...idle, replicas: 1 }),
    history: calm({ replicas: 1 }),
    replicas: 0,
    reason: 'Idle',
  },
  {
    name: 'the last replica stays while a pod is silent',
    spec: { minReplicas: 0 },
    snapshot: snapshot(0, { replicas: 1, signals: [signal(0)], traffic: trafficOf(0, { idle: false }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'NotIdle',
  },
  {
    name: 'zero that somebody else set is a pause',
    snapshot: snapshot(undefined, { replicas: 0 }),
    replicas: 0,
    reason: 'StoppedByHand',
  },
  {
    name: 'zero that we set stays while nothing waits',
    spec: { minReplicas: 0 },
    snapshot: snapshot(undefined, { replicas: 0 }),
    history: calm({ replicas: 0, wentToZero: true }),
    replicas: 0,
    reason: 'Idle',
  },
  {
    name: 'zero that we set ends when something waits',
    spec: { minReplicas: 0 },
    snapshot: snapshot(undefined, { replicas: 0, waitingAtDoor: 1 }),
    history: calm({ replicas: 0, wentToZero: true }),
    replicas: 1,
    reason: 'WokenUp',
  },
  {
    name: 'zero that we set ends by an outside metric, tolerance or not',
    spec: { minReplicas: 0 },
    snapshot: snapshot(1, { replicas: 0, signals: [signal(1, { source: 'prometheus', measured: 0 })] }),
    history: calm({ replicas: 0, wentToZero: true }),
    replicas: 1,
    reason: 'WokenUp',
  },
  { name: 'nothing known, nothing done', snapshot: snapshot(undefined), replicas: 4, reason: 'NoFreshSignals' },
  {
    name: 'too few pods heard to shrink',
    snapshot: snapshot(10, {
      signals: [signal(10, { measured: 3, silent: 1, assumed: 10 })],
      traffic: trafficOf(10, { measured: 3, silent: 1 }),
    }),
    replicas: 4,
    reason: 'QuorumMissing',
  },
  {
    name: 'four of five are enough to shrink, the fifth counts as full',
    snapshot: snapshot(10, {
      replicas: 5,
      signals: [signal(10, { measured: 4, silent: 1, assumed: 10 })],
      traffic: trafficOf(10, { measured: 4, silent: 1 }),
      ledger: ledgerWith({ serving: 5 }),
    }),
    history: calm({ replicas: 5 }),
    replicas: 3,
    reason: 'MetricBelowTarget',
  },
  {
    name: 'one missing metric of two blocks shrinking',
    snapshot: snapshot(10, { signals: [signal(10), signal(undefined, { name: 'requestQueueDepth' })] }),
    replicas: 4,
    reason: 'SignalMissing',
  },
  {
    name: 'and not growing',
    snapshot: snapshot(70, { signals: [signal(70), signal(undefined, { name: 'requestQueueDepth' })] }),
    replicas: 7,
    reason: 'MetricAboveTarget',
  },
  {
    name: 'a stale value does not grow either',
    snapshot: snapshot(70, { signals: [signal(70, { state: 'stale' })] }),
    replicas: 4,
    reason: 'NoFreshSignals',
  },
  {
    name: 'a recent higher wish holds',
    snapshot: snapshot(10),
    history: calm({ highs: [{ at: ago(299), replicas: 4 }] }),
    replicas: 4,
    reason: 'HeldByWindow',
  },
  {
    name: 'one exactly as old as the window does not',
    snapshot: snapshot(10),
    history: calm({ highs: [{ at: ago(300), replicas: 4 }] }),
    replicas: 3,
    reason: 'MetricBelowTarget',
  },
  {
    name: 'growing waits for its own window',
    spec: { scaleUp: { stabilizationWindowSeconds: 60 } },
    snapshot: snapshot(70),
    history: calm({ lows: [{ at: ago(30), replicas: 5 }] }),
    replicas: 5,
    reason: 'MetricAboveTarget',
  },
  {
    name: 'a new history does not shrink before its window',
    snapshot: snapshot(10),
    history: { ...emptyHistory(4, ago(200)), at: ago(1), highs: [] },
    replicas: 4,
    reason: 'HistoryTooShort',
  },
  {
    name: 'growth is paced by the larger of four pods and a doubling',
    snapshot: snapshot(200),
    replicas: 8,
    reason: 'MetricAboveTarget',
  },
  {
    name: 'what was added within the period counts',
    snapshot: snapshot(200),
    history: calm({ events: [{ at: ago(5), change: 4 }] }),
    replicas: 4,
    reason: 'HeldByRate',
  },
  {
    name: 'a direction can be disabled',
    spec: { scaleUp: { selectPolicy: 'Disabled' } },
    snapshot: snapshot(200),
    replicas: 4,
    reason: 'DirectionDisabled',
  },
  {
    name: 'the cooldown holds shrinking',
    snapshot: snapshot(10),
    history: calm({ lastScaleAt: ago(299) }),
    replicas: 4,
    reason: 'HeldByCooldown',
  },
  {
    name: 'and never growing',
    snapshot: snapshot(70),
    history: calm({ lastScaleAt: ago(1) }),
    replicas: 7,
    reason: 'MetricAboveTarget',
  },
  { name: 'the maximum holds', spec: { maxReplicas: 4 }, snapshot: snapshot(70), replicas: 4, reason: 'AtMaximum' },
  {
    name: 'a lowered maximum holds at once',
    spec: { maxReplicas: 2 },
    snapshot: snapshot(40),
    replicas: 2,
    reason: 'AtMaximum',
  },
  { name: 'a raised minimum too', spec: { minReplicas: 6 }, snapshot: snapshot(40), replicas: 6, reason: 'AtMinimum' },
  {
    name: 'a schedule replaces the bounds',
    spec: { schedule: [{ name: 'always', cron: '* * * * *', durationSeconds: 600, minReplicas: 9 }] },
    snapshot: snapshot(40),
    replicas: 9,
    reason: 'Schedule',
  },
  {
    name: 'a GPU budget stops growth',
    snapshot: snapshot(70, { gpuReplicas: 5 }),
    replicas: 5,
    reason: 'MetricAboveTarget',
  },
  {
    name: 'altogether when it is used up',
    snapshot: snapshot(70, { gpuReplicas: 3 }),
    replicas: 4,
    reason: 'GpuBudget',
  },
  { name: 'paused is paused', spec: { paused: true }, snapshot: snapshot(70), replicas: 4, reason: 'Paused' },
  {
    name: 'paused downwards still grows',
    spec: { paused: true, pausedDirection: 'Down' },
    snapshot: snapshot(70),
    replicas: 7,
    reason: 'MetricAboveTarget',
  },
  {
    name: 'paused downwards does not shrink',
    spec: { paused: true, pausedDirection: 'Down' },
    snapshot: snapshot(10),
    replicas: 4,
    reason: 'Paused',
  },
  {
    name: 'a recommendation changes nothing',
    spec: { mode: 'Recommend' },
    snapshot: snapshot(70),
    replicas: 4,
    reason: 'NotActive',
  },
  {
    name: 'a forecast is a floor',
    spec: { prediction: { mode: 'On' } },
    snapshot: snapshot(40, { forecast: { replicas: 6, score: 0.7 } }),
    replicas: 6,
    reason: 'PredictedLoad',
  },
  {
    name: 'not when it is worse than none',
    spec: { prediction: { mode: 'On' } },
    snapshot: snapshot(40, { forecast: { replicas: 6, score: 1.2 } }),
    replicas: 4,
    reason: 'WithinTarget',
  },
  {
    name: 'nor when it is only observed',
    spec: { prediction: { mode: 'Observe' } },
    snapshot: snapshot(40, { forecast: { replicas: 6, score: 0.7 } }),
    replicas: 4,
    reason: 'WithinTarget',
  },
  {
    name: 'a crash-looping replica is replaced',
    snapshot: snapshot(40, { ledger: ledgerWith({ serving: 3, failing: 1 }) }),
    replicas: 5,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'but no more than a quarter of what is needed',
    snapshot: snapshot(40, { ledger: ledgerWith({ serving: 1, failing: 3 }) }),
    replicas: 5,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'an unschedulable one is not: another would not fit either',
    snapshot: snapshot(40, { ledger: ledgerWith({ serving: 3, dead: 0 }) }),
    replicas: 4,
    reason: 'WithinTarget',
  },
  {
    name: 'the only replica, lost with its node, is replaced',
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 2,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'once: what stands in for it starts',
    snapshot: snapshot(undefined, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 1, credited: 1 }) }),
    history: calm({ replicas: 2 }),
    replicas: 2,
    reason: 'NoFreshSignals',
  },
  {
    name: 'or finds no node',
    snapshot: snapshot(undefined, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 1, unschedulable: 1 }) }),
    history: calm({ replicas: 2 }),
    replicas: 2,
    reason: 'NoFreshSignals',
  },
  {
    name: 'or crashes',
    snapshot: snapshot(undefined, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 1, failing: 1 }) }),
    history: calm({ replicas: 2 }),
    replicas: 2,
    reason: 'NoFreshSignals',
  },
  {
    name: 'the only replica, crash-looping, is not: nobody knows that another would do better',
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, failing: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'NoFreshSignals',
  },
  {
    name: 'nor by a mean, to which what is not known is as many as now, and one more each second',
    spec: { algorithm: { name: 'AverageRatio' } },
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, failing: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'NoFreshSignals',
  },
  {
    name: 'nor one that is overdue',
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, warming: 1, dead: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'NoFreshSignals',
  },
  {
    name: 'nor one that is ready and silent',
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'NoFreshSignals',
  },
  {
    name: 'of a fleet that is lost, a quarter is replaced',
    snapshot: snapshot(undefined, { replicas: 8, ledger: ledgerWith({ serving: 0, lost: 8 }) }),
    history: calm({ replicas: 8 }),
    replicas: 10,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'what is needed beside one that serves comes beside the lost, however many there were to spare',
    snapshot: snapshot(20, { ledger: ledgerWith({ serving: 1, lost: 3 }) }),
    replicas: 5,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'what serves is enough, whatever was lost',
    snapshot: snapshot(10, { ledger: ledgerWith({ serving: 1, lost: 3 }) }),
    history: calm({ coveredFrom: ago(200) }),
    replicas: 4,
    reason: 'HistoryTooShort',
  },
  {
    name: 'after an absence of our own nothing is lost for a minute',
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 1, coveredFrom: ago(59) }),
    replicas: 1,
    reason: 'NoFreshSignals',
  },
  {
    name: 'what is lost comes beside a size to fall back to as well',
    spec: { fallback: { failureThreshold: 3, behavior: 'static', replicas: 1 } },
    snapshot: snapshot(undefined, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 1, credited: 1 }) }),
    history: calm({ replicas: 2, failedRounds: 9 }),
    replicas: 2,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'where an outside metric asks for nobody, the minimum is replaced',
    spec: { minReplicas: 2 },
    snapshot: snapshot(0, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 2 }), traffic: trafficOf(0) }),
    history: calm({ replicas: 2 }),
    replicas: 3,
    reason: 'ReplacingDeadReplicas',
  },
  {
    name: 'and nobody where there need not be any',
    spec: { minReplicas: 0 },
    snapshot: snapshot(0, { replicas: 2, ledger: ledgerWith({ serving: 0, lost: 2 }), traffic: trafficOf(0) }),
    history: calm({ replicas: 2 }),
    replicas: 1,
    reason: 'MetricBelowTarget',
  },
  {
    name: 'nothing is replaced while the policy is paused',
    spec: { paused: true },
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'Paused',
  },
  {
    name: 'nor at the maximum',
    spec: { maxReplicas: 1 },
    snapshot: snapshot(undefined, { replicas: 1, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'AtMaximum',
  },
  {
    name: 'nor above the GPU budget',
    snapshot: snapshot(undefined, { replicas: 1, gpuReplicas: 1, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 1 }),
    replicas: 1,
    reason: 'GpuBudget',
  },
  {
    name: 'nor where somebody stopped the target',
    snapshot: snapshot(undefined, { replicas: 0, ledger: ledgerWith({ serving: 0, lost: 1 }) }),
    history: calm({ replicas: 0 }),
    replicas: 0,
    reason: 'StoppedByHand',
  },
  {
    name: 'a size that failed at this load is not tried again',
    snapshot: snapshot(17),
    history: calm({ regret: { at: ago(600), replicas: 3, arrivals: 4 } }),
    replicas: 4,
    reason: 'TriedAndFailed',
  },
  {
    name: 'at less load it is',
    snapshot: snapshot(17),
    history: calm({ regret: { at: ago(600), replicas: 3, arrivals: 5 } }),
    replicas: 3,
    reason: 'MetricBelowTarget',
  },
  {
    name: 'two blind rounds change nothing',
    spec: { fallback: { failureThreshold: 3, behavior: 'static', replicas: 6 } },
    snapshot: snapshot(undefined),
    history: calm({ failedRounds: 1 }),
    replicas: 4,
    reason: 'NoFreshSignals',
  },
  {
    name: 'the third falls back to a size',
    spec: { fallback: { failureThreshold: 3, behavior: 'static', replicas: 6 } },
    snapshot: snapshot(undefined),
    history: calm({ failedRounds: 2 }),
    replicas: 6,
    reason: 'Fallback',
  },
  {
    name: 'or keeps what is more',
    spec: { fallback: { failureThreshold: 3, behavior: 'staticIfHigher', replicas: 2 } },
    snapshot: snapshot(undefined),
    history: calm({ failedRounds: 9 }),
    replicas: 4,
    reason: 'NoFreshSignals',
  },
  {
    name: 'or holds',
    spec: { fallback: { failureThreshold: 3, behavior: 'hold' } },
    snapshot: snapshot(undefined),
    history: calm({ failedRounds: 9 }),
    replicas: 4,
    reason: 'NoFreshSignals',
  },
];

test.each(rows.map((row) => [row.name, row] as const))('%s', (_name, row) => {
  const { decision } = decide(withSpec(row.spec ?? {}), row.snapshot, row.history ?? calm(), now);
  expect({ replicas: decision.replicas, reason: decision.reason }).toEqual({
    replicas: row.replicas,
    reason: row.reason,
  });
});

test('a decision names each stage that changed the number', () => {
  const { decision } = decide(withSpec({ maxReplicas: 6, paused: true }), snapshot(200), calm(), now);
  expect(decision.steps).toEqual([
    { stage: 'rate', before: 20, after: 8, because: 'HeldByRate' },
    { stage: 'bounds', before: 8, after: 6, because: 'AtMaximum' },
    { stage: 'pause', before: 6, after: 4, because: 'Paused' },
  ]);
  expect(decision).toMatchObject({ current: 4, proposal: 20, recommended: 6, replicas: 4, winner: 'concurrency' });
});

// ---- Combining ----

const two = (concurrency: number, queue: number | undefined) =>
  snapshot(concurrency, {
    signals: [signal(concurrency), signal(queue, { name: 'requestQueueDepth', target: 10 })],
  });

test.each([
  ['MaxRatio takes the largest', { name: 'MaxRatio' }, two(80, 40), 8],
  ['AverageRatio the mean', { name: 'AverageRatio' }, two(80, 40), 6],
  [
    'WeightedRatio by name',
    { name: 'WeightedRatio', weights: { concurrency: 3, requestQueueDepth: 1 } },
    two(80, 40),
    7,
  ],
  [
    'a weight of zero leaves a metric out',
    { name: 'WeightedRatio', weights: { concurrency: 0, requestQueueDepth: 1 } },
    two(80, 40),
    4,
  ],
  [
    'a missing metric counts as now, and shifts no weight',
    { name: 'WeightedRatio', weights: { concurrency: 1, requestQueueDepth: 1 } },
    two(80, undefined),
    6,
  ],
  ['a list of weights keeps its documented order', { name: 'WeightedRatio', weights: [9, 9, 9, 3] }, two(80, 40), 5],
] as const)('%s', (_name, algorithm, shot, replicas) => {
  const { decision } = decide(withSpec({ algorithm: algorithm as SpecInput['algorithm'] }), shot, calm(), now);
  expect(decision.replicas).toBe(replicas);
  expect(decision.algorithm).toEqual({ name: algorithm.name, valid: true });
});

test.each([
  ['an unknown name', { name: 'Horoscope' }, undefined, /no algorithm is called Horoscope/],
  ['a plugin without an answer yet', { name: 'Mine', plugin: { module: '/p.mjs' } }, undefined, /not answered yet/],
  [
    'a plugin that failed',
    { name: 'Mine', plugin: { module: '/p.mjs' } },
    { kind: 'failed', cause: 'timed out after 1 s' },
    /timed out/,
  ],
  ...[undefined, null, 'seven', Number.NaN, Number.POSITIVE_INFINITY, -1, 2.5, { replicas: '7' }, {}, []].map(
    (value) =>
      [
        `a plugin that answers ${JSON.stringify(value)}`,
        { name: 'Mine', plugin: { module: '/p.mjs' } },
        { kind: 'answer', value },
        /must answer/,
      ] as const,
  ),
] as const)('%s falls back to MaxRatio and says so', (_name, algorithm, plugin, problem) => {
  const shot = snapshot(70, plugin === undefined ? {} : { plugin: plugin as NonNullable<Snapshot['plugin']> });
  const { decision } = decide(withSpec({ algorithm: algorithm as SpecInput['algorithm'] }), shot, calm(), now);
  expect(decision.replicas).toBe(7);
  expect(decision.algorithm).toEqual({ name: 'MaxRatio', valid: false, problem: expect.stringMatching(problem) });
});

test.each([
  [6, 6],
  [{ replicas: 6 }, 6],
  [2, 3],
])("a plugin's answer %j decides, within every constraint", (value, replicas) => {
  const policy = withSpec({ algorithm: { name: 'Mine', plugin: { module: '/p.mjs' } } });
  const { decision } = decide(policy, snapshot(40, { plugin: { kind: 'answer', value } }), calm(), now);
  expect(decision.replicas).toBe(replicas);
  expect(decision.algorithm).toEqual({ name: 'Mine', valid: true });
});

test('a plugin cannot shrink what nobody measures', () => {
  const policy = withSpec({ algorithm: { name: 'Mine', plugin: { module: '/p.mjs' } } });
  const { decision } = decide(policy, snapshot(undefined, { plugin: { kind: 'answer', value: 1 } }), calm(), now);
  expect(decision.replicas).toBe(4);
});

// ---- The past ----

test('a size changed by anybody is an event, and starts the cooldown', () => {
  const { history } = decide(withSpec({}), snapshot(40), calm({ replicas: 2 }), now);
  expect(history).toMatchObject({
    replicas: 4,
    replicasSince: now,
    lastScaleAt: now,
    events: [{ at: now, change: 2 }],
  });
});

test('the raw wish is remembered, not the held one', () => {
  const { history } = decide(withSpec({}), snapshot(10), calm({ highs: [{ at: ago(100), replicas: 4 }] }), now);
  expect(history.highs).toEqual([
    { at: ago(100), replicas: 4 },
    { at: now, replicas: 2 },
  ]);
});

test('a controller that was away starts its window over and keeps what it learned', () => {
  const learned = calm({ at: ago(120), loads: { concurrency: { curve: [], good: 7 } } });
  const resumed = continueHistory(learned, 3, now);
  expect(resumed).toMatchObject({ coveredFrom: now, highs: [{ at: now, replicas: 4 }], loads: learned.loads });
  expect(continueHistory(calm({ at: ago(14) }), 4, now).coveredFrom).toBe(ago(3_600));
});

test.each([
  ['nothing', undefined],
  ['a text', 'history'],
  ['a history without its times', { ...calm(), at: undefined }],
  ['one with a broken list', { ...calm(), highs: [{ at: 1, replicas: -1 }] }],
  ['one with a broken event', { ...calm(), events: [{ at: 1, change: 'up' }] }],
  ['one without start-up times', { ...calm(), startup: {} }],
])('%s is no history', (_name, data) => {
  expect(restoreHistory(data)).toBeUndefined();
});

test('lists stay bounded, and folding them errs against change', () => {
  let highs: History['highs'] = [];
  let events: History['events'] = [];
  for (let index = 0; index < 100; index += 1) {
    highs = withHigh(highs, { at: ago(100 - index), replicas: 1_000 - index });
    events = withEvent(events, { at: ago(100 - index), change: 1 });
  }
  expect(highs).toHaveLength(limits.recommendations);
  expect(highs[0]!.replicas).toBe(1_000);
  expect(events).toHaveLength(limits.scaleEvents);
  expect(events.reduce((sum, { change }) => sum + change, 0)).toBe(100);
});
