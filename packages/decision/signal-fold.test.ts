// What reports become: the four states with their causes, ages and sources.
import { expect, test } from '@jest/globals';
import type { SpecInput } from '@kubeai/policy';
import { instant } from '@kubeai/units';
import type { PodFacts } from './ledger.ts';
import type { ExternalSample, Signal } from './signal.ts';
import { createSignalFold, foldSignals } from './signal-fold.ts';
import { policyOf } from './testing/policy-of.ts';
import { type Measured, podOf, reportOf } from './testing/report-of.ts';

const now = instant(1_700_000_000_000);
const at = (seconds: number) => instant(now + 1_000 * seconds);

type Metrics = NonNullable<SpecInput['metrics']>;

/** The only signal of a policy, from reports of pods `a`, `b`, … each told at its second. */
function signalOf(
  metrics: Metrics,
  told: readonly (readonly [pod: string, second: number, measured: Measured])[],
  second: number,
  pods: readonly PodFacts[] = ['a', 'b'].map((name) => podOf(name, now)),
): Signal {
  const reports = told.map(([pod, when, measured], index) => ({
    report: reportOf(pod, index, measured),
    receivedAt: at(when),
  }));
  return foldSignals(policyOf({ metrics }), reports, pods, at(second)).signals[0]!;
}

const concurrency: Metrics = { concurrency: { targetPerReplica: 8 } };
const both = (second: number, measured: Measured) =>
  [
    ['a', second, measured],
    ['b', second, measured],
  ] as const;

test.each<[string, number, Partial<Signal>]>([
  ['fresh', 0, { state: 'value', value: 8, measured: 2, silent: 0, ageMs: 0 }],
  ['fresh up to five seconds', 5, { state: 'value', value: 8, measured: 2, ageMs: 5_000 }],
  ['stale after that, with the last value', 6, { state: 'stale', value: 8, measured: 0, silent: 2, ageMs: 6_000 }],
  ['stale up to fifteen seconds', 15, { state: 'stale', ageMs: 15_000 }],
  ['lost after that', 16, { state: 'missing', cause: 'Lost', ageMs: 16_000 }],
])('two pods that fell silent are %s: after %d s', (_name, second, expected) => {
  expect(signalOf(concurrency, both(0, { concurrency: 4 }), second)).toMatchObject(expected);
});

test('a silent pod counts as its last value or its target, whichever is more', () => {
  const told = [
    ['a', 0, { concurrency: 20 }],
    ['b', 0, { concurrency: 1 }],
    ['c', 9, { concurrency: 2 }],
  ] as const;
  const pods = ['a', 'b', 'c', 'd'].map((name) => podOf(name, now));
  expect(signalOf(concurrency, told, 9, pods)).toMatchObject({
    state: 'value',
    measured: 1,
    silent: 3,
    assumed: 20 + 8 + 8,
  });
});

test('nothing asked for lately is idle, and says so only when every pod does', () => {
  expect(signalOf(concurrency, both(0, {}), 0)).toMatchObject({ state: 'idle', value: 0 });
  expect(signalOf(concurrency, [['a', 0, {}]], 0)).toMatchObject({ state: 'value', silent: 1 });
  const busyBefore = [...both(0, { concurrency: 1 }), ...both(4, {})] as const;
  expect(signalOf(concurrency, busyBefore, 4)).toMatchObject({ state: 'value' });
  expect(signalOf(concurrency, [...busyBefore, ...both(5, {})], 5)).toMatchObject({ state: 'idle', value: 0 });
});

test.each<[string, readonly PodFacts[], Partial<Signal>]>([
  ['no pod serves', [podOf('a', now, { conditions: [] })], { state: 'missing', cause: 'NoPods' }],
  [
    'a pod that is leaving Kubernetes is none',
    [podOf('a', now, { deletedAt: now })],
    { state: 'missing', cause: 'NoPods' },
  ],
  ['pods without an agent', [podOf('a', now)], { state: 'missing', cause: 'NoReports', silent: 1 }],
])('without reports: %s', (_name, pods, expected) => {
  expect(signalOf(concurrency, [], 20, pods)).toMatchObject(expected);
});

test('a pod that has just become ready is given time to report, and no more', () => {
  const pods = [podOf('a', now), podOf('young', now, { readyFor: 1_000 })];
  const told = Array.from({ length: 20 }, (_, second) => ['a', second, { concurrency: 4 }] as const);
  expect(signalOf(concurrency, told.slice(0, 11), 10, pods)).toMatchObject({ measured: 1, silent: 0 });
  expect(signalOf(concurrency, told, 19, pods)).toMatchObject({ measured: 1, silent: 1 });
});

test('an agent that says it leaves takes its pod out of the fleet', () => {
  const policy = policyOf({ metrics: concurrency });
  const fold = createSignalFold(policy);
  fold.accept(reportOf('a', 0, { concurrency: 4 }), now);
  fold.accept({ ...reportOf('b', 0, { concurrency: 9 }), leaving: true }, now);
  const { signals } = fold.fold([podOf('a', now), podOf('b', now)], now);
  expect(signals[0]).toMatchObject({ value: 4, measured: 1, silent: 0 });
});

test('pods that a source did not see are silent, and a latency of nothing is idle', () => {
  const policy = policyOf({
    metrics: {
      concurrency: { targetPerReplica: 8, source: 'prometheus' },
      latency: { targetP95Ms: 800, source: 'prometheus' },
    },
  });
  const fold = createSignalFold(policy);
  const pods = ['a', 'b', 'c'].map((name) => podOf(name, now));
  fold.acceptExternal({ kind: 'value', name: 'concurrency', value: 5, ageMs: 0, pods: 1 }, now);
  fold.acceptExternal({ kind: 'value', name: 'latencyP95', value: 0, ageMs: 0, pods: 9 }, now);
  const signals = new Map(fold.fold(pods, now).signals.map((each) => [each.name, each]));
  expect(signals.get('concurrency')).toMatchObject({ state: 'value', value: 5, measured: 1, silent: 2, assumed: 16 });
  expect(signals.get('latencyP95')).toMatchObject({ state: 'idle', measured: 3, silent: 0 });
});

test('old seconds told late are no news', () => {
  const told = [
    ['a', 0, { concurrency: 4 }],
    ['b', 0, { concurrency: 4 }],
    ['a', 20, { concurrency: 99, ageMs: 20_000 }],
  ] as const;
  expect(signalOf(concurrency, told, 20)).toMatchObject({ state: 'missing', cause: 'Lost' });
});

const firstToken: Metrics = { timeToFirstToken: { targetP95Ms: 2_000 } };

test('percentiles are those of all requests, not the mean of percentiles', () => {
  // Nineteen fast answers on one pod, one slow on the other: the 95th percentile is fast, the mean of both is not.
  const told = [
    ['a', 0, { concurrency: 1, perSecond: 39, firstTokenMs: 100 }],
    ['b', 0, { concurrency: 1, perSecond: 1, firstTokenMs: 9_000 }],
  ] as const;
  const { value } = signalOf(firstToken, told, 0);
  expect(Math.abs(value! - 100)).toBeLessThan(2);
});

test.each<[string, Measured, Partial<Signal>]>([
  [
    'answers without tokens fall back to their first byte',
    { concurrency: 1, perSecond: 2 },
    { state: 'missing', cause: 'NoSamples' },
  ],
  [
    'running requests of which none has finished',
    { concurrency: 3, perSecond: 0 },
    { state: 'missing', cause: 'NoSamples' },
  ],
  ['nothing to do', {}, { state: 'idle' }],
])('time to first token: %s', (_name, measured, expected) => {
  expect(signalOf(firstToken, both(0, measured), 0)).toMatchObject(expected);
});

test('a first byte stands in where no token can be seen', () => {
  const policy = policyOf({ metrics: firstToken });
  const fold = createSignalFold(policy);
  const report = reportOf('a', 0, { concurrency: 1, perSecond: 2, firstTokenMs: 700 });
  fold.accept({ ...report, traffic: { ...report.traffic, timeToFirstTokenMs: { sum: 0, bins: [] } } }, now);
  expect(fold.fold([podOf('a', now)], now).signals[0]).toMatchObject({ state: 'value', source: 'agent/firstByte' });
});

test.each<[string, Metrics, Measured, Partial<Signal>]>([
  [
    'gpuUtilization',
    { gpuUtilization: { targetPercentage: 80 } },
    { gpuPercent: 60 },
    { value: 60, source: 'agent/dcgm' },
  ],
  [
    'kvCacheUtilization',
    { kvCacheUtilization: { targetPercentage: 80 } },
    { kvRatio: 0.25 },
    { value: 25, source: 'agent/engine' },
  ],
  [
    'cpuUtilization',
    { cpuUtilization: { targetPercentage: 80 } },
    { cpuRatio: 0.5 },
    { value: 50, source: 'agent/container' },
  ],
  ['requestQueueDepth', { requestQueueDepth: { enabled: true } }, { queue: 3 }, { value: 6, source: 'agent/engine' }],
  ['tokensPerSecond', { tokensPerSecond: { targetPerReplica: 100 } }, { tokens: 30 }, { value: 60, source: 'agent' }],
  [
    'custom:r',
    { custom: [{ name: 'r', agentMetric: 'requestsPerSecond', target: 1 }] },
    { perSecond: 3 },
    { value: 6, source: 'agent' },
  ],
  [
    'custom:r',
    { custom: [{ name: 'r', agentMetric: 'moonPhase', target: 1 }] },
    {},
    { state: 'missing', cause: 'UnknownAgentMetric' },
  ],
  ['gpuMemory', { gpuMemory: { targetPercentage: 80 } }, {}, { state: 'missing', cause: 'NotMeasured' }],
])('%s names where it comes from', (name, metrics, measured, expected) => {
  const signal = signalOf(metrics, both(0, { concurrency: 1, ...measured }), 0);
  expect(signal).toMatchObject({ name, ...expected });
});

const query: Metrics = { custom: [{ name: 'jobs', prometheusQuery: 'sum(jobs)', target: 10 }] };
const value = (number: number, ageMs = 0): ExternalSample => ({
  kind: 'value',
  name: 'custom:jobs',
  value: number,
  ageMs,
});

test.each<[string, ExternalSample | undefined, number, Partial<Signal>]>([
  ['not asked yet', undefined, 0, { state: 'missing', cause: 'NotAsked' }],
  [
    'an answer, aged by its own timestamp',
    value(40, 15_000),
    5,
    { state: 'value', value: 40, ageMs: 20_000, measured: 2 },
  ],
  ['no news for a minute', value(40), 61, { state: 'stale', value: 40 }],
  ['no news for five', value(40), 301, { state: 'missing', cause: 'Lost' }],
  ['not a number', value(Number.NaN), 0, { state: 'missing', cause: 'NotANumber' }],
  ['1e300', value(1e300), 0, { state: 'missing', cause: 'OutOfRange' }],
  ['negative', value(-1), 0, { state: 'missing', cause: 'OutOfRange' }],
  ['half a minute from the future is a clock', value(40, -30_000), 0, { state: 'value', ageMs: 0 }],
  ['more is a lie', value(40, -30_001), 0, { state: 'missing', cause: 'FutureTimestamp' }],
  [
    'a refusal keeps its cause',
    { kind: 'missing', name: 'custom:jobs', cause: 'SeveralSeries' },
    0,
    { state: 'missing', cause: 'SeveralSeries' },
  ],
])('an outside source: %s', (_name, sample, second, expected) => {
  const pods = ['a', 'b'].map((name) => podOf(name, now));
  const external = sample === undefined ? [] : [{ sample, receivedAt: now }];
  const signal = foldSignals(policyOf({ metrics: query }), [], pods, at(second), external).signals[0]!;
  expect(signal).toMatchObject({ source: 'prometheus', ...expected });
});

test('auto takes Prometheus only where the agents are silent', () => {
  const policy = policyOf({ metrics: { concurrency: { targetPerReplica: 8, prometheusQuery: 'sum(x)' } } });
  const fold = createSignalFold(policy);
  const pods = [podOf('a', now)];
  fold.acceptExternal({ kind: 'value', name: 'concurrency', value: 77, ageMs: 0 }, now);
  fold.accept(reportOf('a', 0, { concurrency: 4 }), now);
  expect(fold.fold(pods, now).signals[0]).toMatchObject({ value: 4, source: 'agent' });
  expect(fold.fold(pods, at(6)).signals[0]).toMatchObject({ value: 77, source: 'prometheus' });
});

test('when replicas join, what each of them carries is known at once', () => {
  const fold = createSignalFold(policyOf({ metrics: { gpuUtilization: { targetPercentage: 80 } } }));
  const busy = (pods: readonly string[], percent: number, from: number, seconds: number) => {
    let last: Signal | undefined;
    for (let second = from; second < from + seconds; second += 1) {
      for (const pod of pods) fold.accept(reportOf(pod, second, { concurrency: 1, gpuPercent: percent }), at(second));
      last = fold.fold(
        pods.map((pod) => podOf(pod, now)),
        at(second),
      ).signals[0];
    }
    return last!.value!;
  };
  expect(busy(['a', 'b'], 90, 0, 60)).toBeCloseTo(90, 0);
  expect(busy(['a', 'b', 'c'], 60, 60, 1)).toBeCloseTo(60, 0);
});

const latency: Metrics = { latency: { targetP95Ms: 500 } };
const unobserved = { unobserved: true } as const;

test.each<[string, Metrics, Measured, Partial<Signal>]>([
  ['its engine tells the load', concurrency, { ...unobserved, running: 3 }, { state: 'value', value: 6, measured: 2 }],
  ['its engine tells that it is idle', concurrency, { ...unobserved, running: 0 }, { state: 'idle', value: 0 }],
  ['nobody tells the load', concurrency, unobserved, { state: 'missing', cause: 'Unobserved', silent: 2 }],
  ['nobody tells latency', latency, { ...unobserved, running: 3 }, { state: 'missing', cause: 'Unobserved' }],
])('a pod whose requests do not pass its agent is not idle for that: %s', (_name, metrics, measured, expected) => {
  const told = [...Array(8).keys()].flatMap((second) => both(second, measured));
  expect(signalOf(metrics, told, 7)).toMatchObject(expected);
});

test('a pod without a count of requests is a silent one among others that have it', () => {
  const told = [...Array(8).keys()].flatMap(
    (second) =>
      [
        ['a', second, { concurrency: 4 }],
        ['b', second, unobserved],
      ] as const,
  );
  expect(signalOf(concurrency, told, 7)).toMatchObject({
    state: 'value',
    value: 4,
    measured: 1,
    silent: 1,
    assumed: 8,
  });
});

test('requests that a Service leads past the agent are told by the engine', () => {
  const told = [...Array(8).keys()].flatMap((second) => both(second, { concurrency: 0, running: 2 }));
  expect(signalOf(concurrency, told, 7)).toMatchObject({ state: 'value', value: 4 });
});

test('windows count by their length, however many fall between two looks', () => {
  const policy = policyOf({
    metrics: { custom: [{ name: 'r', agentMetric: 'requestsPerSecond', target: 1 }] },
  });
  /** The rate after a quiet minute and a second in windows of so many milliseconds, with a look after each or one at the end. */
  const rateAfter = (windows: readonly (readonly [windowMs: number, started: number])[], lookEach: boolean) => {
    const fold = createSignalFold(policy);
    const pods = [podOf('a', now)];
    for (let second = 0; second < 60; second += 1) {
      fold.accept(reportOf('a', second, { concurrency: 2, perSecond: 2 }), at(second));
      fold.fold(pods, at(second));
    }
    let time = 59_000;
    windows.forEach(([windowMs, started], index) => {
      time += windowMs;
      const report = reportOf('a', 60 + index, { concurrency: 2, perSecond: started });
      fold.accept({ ...report, windowMs }, instant(now + time));
      if (lookEach) fold.fold(pods, instant(now + time));
    });
    return fold.fold(pods, at(60)).traffic.arrivalsNow;
  };
  const whole = rateAfter([[1_000, 60]], false);
  const parts = [
    [50, 56],
    [950, 4],
  ] as const;
  expect(rateAfter(parts, false)).toBeCloseTo(whole, 2);
  // Looked at twice, the earlier of the two has begun to fade.
  expect(Math.abs(rateAfter(parts, true) / whole - 1)).toBeLessThan(0.2);
});

test('requests that move to a replica that joins are counted once, however often it reports', () => {
  const fold = createSignalFold(policyOf({ metrics: concurrency }));
  const pods = ['a', 'b', 'c', 'd', 'e'].map((name) => podOf(name, now));
  const rates: number[] = [];
  const sequences = new Map<string, number>();
  // Four replicas have 32 requests a second between them, until the fifth takes all of them and tells of it five times a second.
  const tell = (pod: string, ms: number, started: number, windowMs: number) => {
    const sequence = (sequences.get(pod) ?? 0) + 1;
    sequences.set(pod, sequence);
    fold.accept({ ...reportOf(pod, sequence, { concurrency: 8, perSecond: started }), windowMs }, instant(now + ms));
    rates.push(fold.fold(pods, instant(now + ms)).traffic.arrivalsNow);
  };
  for (let second = 0; second < 60; second += 1)
    for (const [index, pod] of ['a', 'b', 'c', 'd'].entries()) tell(pod, 1_000 * second + 250 * index, 8, 1_000);
  const steady = Math.max(...rates.slice(-20));
  for (let ms = 60_000; ms < 62_000; ms += 50) {
    const pod = ['a', 'b', 'c', 'd'][(ms % 1_000) / 250];
    // The last report of theirs that knows of requests still has those from before the move.
    if (pod !== undefined) tell(pod, ms, Math.max(0, 8 * (1 - (ms - 60_000) / 1_000)), 1_000);
    else if (ms % 200 === 150) tell('e', ms, 6.4, 200);
  }
  expect(Math.max(...rates.slice(240))).toBeLessThan(1.15 * steady);
  expect(rates.at(-1)! / 32).toBeCloseTo(1, 0);
});

test('a report that is late is taken to tell what the last one did, and what waited behind a broken connection is no burst', () => {
  const fold = createSignalFold(policyOf({ metrics: concurrency }));
  const rateAt = (second: number) => fold.fold([podOf('a', now)], at(second)).traffic.arrivalsNow;
  const tell = (second: number, windowMs = 1_000) =>
    fold.accept(
      { ...reportOf('a', second, { concurrency: 8, perSecond: (8 * windowMs) / 1_000 }), windowMs },
      at(second),
    );
  for (let second = 0; second <= 60; second += 1) {
    tell(second);
    rateAt(second);
  }
  for (let second = 61; second < 65; second += 1) expect(rateAt(second)).toBeGreaterThan(5);
  tell(65, 5_000);
  expect(rateAt(65) / 8).toBeCloseTo(1, 0);
});

test.each<[string, number, number, boolean, (value: number) => boolean]>([
  ['for as long as an answer takes', 8_000, 3, true, (value) => value > 20],
  ['as much where it fills its window', 8_000, 31, true, (value) => value > 20],
  ['no more than it can last', 50, 3, true, (value) => value < 5],
  ['not at all where the agent does not call it one', 8_000, 3, false, (value) => value < 5],
])('a jump that an agent tells of early is believed %s', (_name, latencyMs, mean, jumped, holds) => {
  const fold = createSignalFold(policyOf({ metrics: concurrency }));
  const pods = [podOf('a', now)];
  for (let second = 0; second < 60; second += 1) {
    fold.accept(reportOf('a', second, { concurrency: 2, latencyMs }), at(second));
    fold.fold(pods, at(second));
  }
  const report = reportOf('a', 60, { concurrency: mean, perSecond: 28 });
  const soon = instant(now + 59_300);
  fold.accept(
    {
      ...report,
      windowMs: 300,
      traffic: { ...report.traffic, inFlight: 30 },
      ...(jumped ? { jumped: true as const } : {}),
    },
    soon,
  );
  const { signals, traffic } = fold.fold(pods, soon);
  expect(holds(signals[0]!.value!)).toBe(true);
  expect(traffic.inFlight).toBe(signals[0]!.value);
  // Looking again does not make it more.
  expect(fold.fold(pods, soon).signals[0]).toEqual(signals[0]);
});

test.each<[string, { concurrency: number; started: number; windowMs: number }, boolean]>([
  [
    'has held, where others ask in place of those that were answered',
    { concurrency: 28, started: 42, windowMs: 300 },
    true,
  ],
  ['was a single batch, where nobody does', { concurrency: 18, started: 1, windowMs: 300 }, false],
  ['has hardly been watched', { concurrency: 30, started: 15, windowMs: 100 }, false],
  ['is over', { concurrency: 3, started: 3, windowMs: 300 }, false],
])('of a jump of short answers the report after it tells that it %s', (_name, after, holds) => {
  const fold = createSignalFold(policyOf({ metrics: concurrency }));
  const pods = [podOf('a', now)];
  for (let second = 0; second < 60; second += 1) {
    fold.accept(reportOf('a', second, { concurrency: 2, perSecond: 10, latencyMs: 200 }), at(second));
    fold.fold(pods, at(second));
  }
  const tell = (sequence: number, inFlight: number, { concurrency, started, windowMs }: typeof after, ms: number) => {
    const report = reportOf('a', sequence, { concurrency, perSecond: started, latencyMs: 200 });
    const moment = instant(now + ms);
    fold.accept({ ...report, windowMs, traffic: { ...report.traffic, inFlight }, jumped: true }, moment);
    return fold.fold(pods, moment).signals[0]!.value!;
  };
  expect(tell(60, 30, { concurrency: 4, started: 30, windowMs: 400 }, 59_400)).toBeLessThan(4);
  const value = tell(61, 1, after, 59_400 + after.windowMs);
  if (holds) expect(value).toBeGreaterThan(6);
  else expect(value).toBeLessThan(4);
});

test('after a clock was set back pods are heard as before, and one that is silent from then on is not fresh for an hour', () => {
  const fold = createSignalFold(policyOf({ metrics: concurrency }));
  const pods = ['a', 'b'].map((name) => podOf(name, now));
  for (let second = 0; second < 10; second += 1) {
    for (const pod of ['a', 'b']) fold.accept(reportOf(pod, second, { concurrency: 4 }), at(second));
    fold.fold(pods, at(second));
  }
  const hour = -3_600;
  fold.fold(pods, at(hour));
  let signal: Signal | undefined;
  for (let second = 1; second < 12; second += 1) {
    fold.accept(reportOf('a', 10 + second, {}), at(hour + second));
    signal = fold.fold(pods, at(hour + second)).signals[0];
  }
  expect(signal).toMatchObject({ state: 'value', measured: 1, silent: 1 });
  for (let second = 12; second < 20; second += 1) {
    for (const pod of ['a', 'b']) fold.accept(reportOf(pod, 10 + second, {}), at(hour + second));
    signal = fold.fold(pods, at(hour + second)).signals[0];
  }
  expect(signal).toMatchObject({ state: 'idle', measured: 2 });
});
