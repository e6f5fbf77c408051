// What holds for every policy, snapshot and past, tried on thousands of made-up ones.
import { expect, test } from '@jest/globals';
import type { MetricName, Policy, SpecInput } from '@kubeai/policy';
import { type Instant, instant } from '@kubeai/units';
import fc from 'fast-check';
import { decide } from './decide.ts';
import { emptyHistory, type History, restoreHistory } from './history.ts';
import type { Ledger } from './ledger.ts';
import { decodeRecord, encodeRecord, recordOf, replay } from './record.ts';
import type { Signal, Traffic } from './signal.ts';
import { createSignalFold, foldSignals } from './signal-fold.ts';
import type { Snapshot } from './snapshot.ts';
import { ledgerWith } from './testing/ledger-with.ts';
import { policyOf } from './testing/policy-of.ts';
import { podOf, reportOf } from './testing/report-of.ts';

const now = instant(1_700_000_000_000);

const metrics = {
  latency: { targetP95Ms: 4_000 },
  timeToFirstToken: { targetP95Ms: 2_000 },
  gpuUtilization: { targetPercentage: 80 },
  requestQueueDepth: { enabled: true, targetDepth: 4 },
  concurrency: { targetPerReplica: 8 },
  work: {},
  custom: [{ name: 'jobs', prometheusQuery: 'sum(jobs)', target: 10, type: 'Value' as const }],
} satisfies SpecInput['metrics'];

const policies = fc
  .record({
    minReplicas: fc.integer({ min: 0, max: 3 }),
    maxReplicas: fc.integer({ min: 3, max: 30 }),
    algorithm: fc.constantFrom('MaxRatio', 'AverageRatio', 'WeightedRatio', 'Nonsense'),
    downWindow: fc.constantFrom(0, 60, 300),
    upWindow: fc.constantFrom(0, 0, 30),
    tolerance: fc.constantFrom(0, 0.1, 0.2),
    cooldownPeriod: fc.constantFrom(0, 60),
    chosen: fc.subarray(Object.keys(metrics) as (keyof typeof metrics)[], { minLength: 1 }),
  })
  .map(({ algorithm, downWindow, upWindow, tolerance, chosen, ...spec }): Policy => {
    const enabled = Object.fromEntries(chosen.map((name) => [name, metrics[name]]));
    return policyOf({
      ...spec,
      metrics: enabled,
      algorithm: { name: algorithm, tolerance },
      scaleDown: { stabilizationWindowSeconds: downWindow },
      scaleUp: { stabilizationWindowSeconds: upWindow },
    });
  });

const amounts = fc.oneof(fc.double({ min: 0, max: 500, noNaN: true }), fc.constantFrom(0, 1, 8, 80, 4_000, 100_000));

const trafficFor = (measured: number, silent: number) =>
  fc
    .record({
      inFlight: amounts,
      queue: amounts,
      arrivals: amounts,
      completions: amounts,
      latency: fc.option(amounts, { nil: undefined }),
      rising: fc.boolean(),
      draining: fc.boolean(),
      steady: fc.boolean(),
      idle: fc.boolean(),
    })
    .map(
      ({ inFlight, queue, arrivals, completions, latency, rising, draining, steady, idle }): Traffic => ({
        inFlight,
        inFlightAssumed: silent * 4,
        queue,
        arrivalsPerSecond: arrivals,
        arrivalsNow: arrivals,
        completionsPerSecond: completions,
        rising,
        draining,
        steady,
        saturated: queue > measured,
        promptTokensPerSecond: completions * 10,
        generatedTokensPerSecond: completions * 100,
        ...(latency === undefined ? {} : { meanLatencyMs: latency, meanInterTokenMs: latency / 100 }),
        idle: idle && silent === 0 && measured > 0,
        measured,
        silent,
      }),
    );

const ledgerFor = (replicas: number, serving: number, dead: number): Ledger => {
  const starting = Math.max(0, replicas - serving - dead);
  return ledgerWith({ loading: starting, serving, failing: dead, credited: starting });
};

const snapshotsOf = (policy: Policy): fc.Arbitrary<Snapshot> =>
  fc
    .record({
      replicas: fc.integer({ min: 1, max: 30 }),
      servingShare: fc.double({ min: 0, max: 1, noNaN: true }),
      silent: fc.integer({ min: 0, max: 2 }),
      dead: fc.integer({ min: 0, max: 2 }),
    })
    .chain(({ replicas, servingShare, silent: wantedSilent, dead: wantedDead }) => {
      const serving = Math.round(replicas * servingShare);
      const dead = Math.min(wantedDead, replicas - serving);
      const silent = Math.min(wantedSilent, serving);
      const measured = serving - silent;
      const signals = policy.metrics.map(({ name, shape, target }) =>
        fc.record({ value: amounts, state: fc.constantFrom('value', 'value', 'value', 'idle') }).map(
          ({ value, state }): Signal => ({
            name,
            shape,
            target,
            state: state as 'value' | 'idle',
            value: state === 'idle' ? 0 : value,
            assumed: shape === 'perReplica' ? silent * target : 0,
            measured,
            silent,
            ageMs: 500,
            source: 'agent',
          }),
        ),
      );
      return fc.tuple(fc.tuple(...signals), trafficFor(measured, silent)).map(
        ([each, traffic]): Snapshot => ({
          replicas,
          ledger: ledgerFor(replicas, serving, dead),
          signals: each,
          traffic,
        }),
      );
    });

/** A past that happened: some decisions on made-up snapshots, a while ago up to a moment ago. */
const pasts = (policy: Policy, replicas: number): fc.Arbitrary<History> =>
  fc.array(snapshotsOf(policy), { maxLength: 4 }).map((earlier) => {
    let history = emptyHistory(replicas, instant(now - 1_000_000));
    for (const [index, snapshot] of [...earlier].entries()) {
      const at = instant(now - 1_000 * (earlier.length - index));
      history = decide(policy, { ...snapshot, replicas }, history, at).history;
    }
    return history;
  });

const scenes = policies.chain((policy) =>
  snapshotsOf(policy).chain((snapshot) =>
    pasts(policy, snapshot.replicas).map((history) => ({ policy, snapshot, history })),
  ),
);

test('the bounds always hold', () => {
  fc.assert(
    fc.property(scenes, ({ policy, snapshot, history }) => {
      const { decision } = decide(policy, snapshot, history, now);
      expect(Number.isInteger(decision.replicas)).toBe(true);
      expect(decision.replicas).toBeLessThanOrEqual(policy.maxReplicas);
      expect(decision.replicas).toBeGreaterThanOrEqual(policy.minReplicas);
    }),
    { numRuns: 1_000 },
  );
});

const unusable = fc.oneof(
  fc.constantFrom<Partial<Signal>>(
    { state: 'stale' },
    { state: 'missing', cause: 'NoReports' },
    { value: Number.NaN },
    { value: Number.POSITIVE_INFINITY },
    { value: Number.NEGATIVE_INFINITY },
    { value: -1 },
    { value: -1e300 },
    { value: 1e300 },
    { assumed: Number.NaN },
  ),
);

test('a stale, missing, NaN, infinite or negative value never shrinks anything', () => {
  fc.assert(
    fc.property(scenes, unusable, fc.nat(), ({ policy, snapshot, history }, wrong, pick) => {
      const at = pick % snapshot.signals.length;
      const signals = snapshot.signals.map((signal, index) =>
        index === at ? ({ ...signal, state: 'value', ...wrong } as Signal) : signal,
      );
      const { decision } = decide(policy, { ...snapshot, signals }, history, now);
      expect(decision.replicas).toBeGreaterThanOrEqual(Math.min(snapshot.replicas, policy.maxReplicas));
    }),
    { numRuns: 1_000 },
  );
});

test('more load never means fewer replicas under MaxRatio', () => {
  fc.assert(
    fc.property(scenes, fc.nat(), fc.double({ min: 1, max: 50, noNaN: true }), (scene, pick, factor) => {
      const { snapshot, history } = scene;
      const policy = { ...scene.policy, algorithm: { name: 'MaxRatio', weights: {} } };
      const at = pick % snapshot.signals.length;
      const signals = snapshot.signals.map((signal, index) =>
        index === at && signal.state === 'value' ? { ...signal, value: signal.value! * factor + (factor - 1) } : signal,
      );
      const calm = decide(policy, snapshot, history, now).decision;
      const loaded = decide(policy, { ...snapshot, signals }, history, now).decision;
      expect(loaded.replicas).toBeGreaterThanOrEqual(calm.replicas);
    }),
    { numRuns: 1_000 },
  );
});

test('a record gives its decision again, and so does its text', () => {
  fc.assert(
    fc.property(scenes, ({ policy, snapshot, history }) => {
      const { decision } = decide(policy, snapshot, history, now);
      const record = recordOf(policy, snapshot, history, now, decision);
      expect(replay(record)).toEqual(decision);
      expect(decodeRecord(encodeRecord(record))?.decision).toEqual(decision);
    }),
    { numRuns: 500 },
  );
});

test('deciding changes nothing that was passed in', () => {
  fc.assert(
    fc.property(scenes, (scene) => {
      const before = structuredClone(scene);
      decide(scene.policy, scene.snapshot, scene.history, now);
      expect(scene).toEqual(before);
    }),
    { numRuns: 200 },
  );
});

test('a history survives JSON, and decides as before', () => {
  fc.assert(
    fc.property(scenes, ({ policy, snapshot, history }) => {
      const restored = restoreHistory(JSON.parse(JSON.stringify(history)))!;
      expect(decide(policy, snapshot, restored, now)).toEqual(decide(policy, snapshot, history, now));
      expect(JSON.stringify(history).length).toBeLessThan(10_000);
    }),
    { numRuns: 300 },
  );
});

/** Work that needs so many replicas, as each metric would see it, spread over those that serve. */
function loadOf(policy: Policy, worth: number, replicas: number): Snapshot {
  const serving = Math.max(1, replicas);
  const share = worth / serving;
  const values: Readonly<Partial<Record<MetricName, number>>> = {
    latencyP95: 4_000 * share,
    timeToFirstTokenP95: 2_000 * share,
    gpuUtilization: 80 * share,
    requestQueueDepth: 4 * worth,
    concurrency: 8 * worth,
    work: 100 * worth,
    'custom:jobs': 10 * share,
  };
  const signals = policy.metrics.map(
    ({ name, shape, target }): Signal => ({
      name,
      shape,
      target,
      state: 'value',
      value: values[name] ?? 0,
      assumed: 0,
      measured: serving,
      silent: 0,
      ageMs: 0,
      source: 'agent',
    }),
  );
  const traffic: Traffic = {
    inFlight: 8 * worth,
    inFlightAssumed: 0,
    queue: 0,
    arrivalsPerSecond: 2 * worth,
    arrivalsNow: 2 * worth,
    completionsPerSecond: 2 * worth,
    rising: false,
    draining: false,
    steady: true,
    saturated: false,
    meanLatencyMs: 4_000,
    promptTokensPerSecond: 20 * worth,
    generatedTokensPerSecond: 200 * worth,
    idle: false,
    measured: serving,
    silent: 0,
  };
  return { replicas, ledger: ledgerFor(replicas, serving, 0), signals, traffic };
}

test('constant demand is a fixed point: a target that has settled never changes again', () => {
  fc.assert(
    fc.property(
      policies,
      fc.double({ min: 0.05, max: 40, noNaN: true }),
      fc.integer({ min: 1, max: 30 }),
      (policy, worth, from) => {
        let size = from;
        let history = emptyHistory(size, now);
        const sizes: number[] = [];
        for (let step = 1; step <= 2_000; step += 1) {
          const at = instant(now + 10_000 * step) as Instant;
          const decided = decide(policy, loadOf(policy, worth, size), history, at);
          history = decided.history;
          size = decided.decision.replicas;
          sizes.push(size);
        }
        expect(new Set(sizes.slice(1_600)).size).toBe(1);
      },
    ),
    { numRuns: 40 },
  );
});

test('what stands in for lost replicas and does not serve yet is not bought again', () => {
  fc.assert(
    fc.property(
      policies,
      fc.integer({ min: 1, max: 12 }),
      fc.constantFrom('loading', 'unschedulable', 'failing', 'warming' as const),
      (made, lost, state) => {
        const policy = { ...made, minReplicas: 1, maxReplicas: 40 };
        let size = lost;
        let history = emptyHistory(size, instant(now - 600_000));
        const sizes = new Set<number>();
        for (let second = 0; second < 300; second += 1) {
          const others = size - lost;
          const without = ledgerFor(size, 0, 0);
          const ledger = {
            ...without,
            counts: { ...without.counts, loading: 0, [state]: others, lost },
            credited: state === 'loading' ? others : 0,
            dead: lost + (state === 'failing' || state === 'warming' ? others : 0),
          };
          const signals = loadOf(policy, 0, size).signals.map(
            ({ value: _value, ...rest }): Signal => ({ ...rest, state: 'missing', cause: 'NoPods', measured: 0 }),
          );
          const at = instant(now + 1_000 * second);
          const decided = decide(policy, { ...loadOf(policy, 0, size), ledger, signals }, history, at);
          history = decided.history;
          size = decided.decision.replicas;
          if (second > 100) sizes.add(size);
        }
        expect([...sizes]).toEqual([lost + Math.ceil(lost / 4)]);
      },
    ),
    { numRuns: 60 },
  );
});

const heard = fc.array(
  fc.record({
    second: fc.integer({ min: 0, max: 20 }),
    pod: fc.integer({ min: 0, max: 3 }),
    concurrency: fc.double({ min: 0, max: 20, noNaN: true }),
    queue: fc.integer({ min: 0, max: 9 }),
    latencyMs: fc.double({ min: 1, max: 10_000, noNaN: true }),
    gpuPercent: fc.integer({ min: 0, max: 100 }),
  }),
  { maxLength: 60 },
);

test('no signal depends on the order in which reports arrive', () => {
  const policy = policyOf({ metrics: { ...metrics, custom: [] } });
  fc.assert(
    fc.property(heard, fc.func(fc.integer({ min: 0, max: 1_000 })), (entries, order) => {
      // One report a pod and second, as agents send them.
      const unique = [...new Map(entries.map((entry) => [`${entry.second}/${entry.pod}`, entry])).values()];
      const reports = unique.map((entry) => ({
        report: reportOf(`pod-${entry.pod}`, entry.second, entry),
        receivedAt: instant(now + 1_000 * entry.second),
      }));
      const pods = [0, 1, 2, 3].map((index) => podOf(`pod-${index}`, now));
      const end = instant(now + 21_000);
      const expected = foldSignals(policy, reports, pods, end);
      const shuffled = reports
        .map((each, index) => ({ each, key: order(index) }))
        .sort((left, right) => left.key - right.key)
        .map(({ each }) => each);
      expect(foldSignals(policy, shuffled, pods, end)).toEqual(expected);

      // Nor on which pod of the same moment comes first, when they are taken in as they come.
      const fold = createSignalFold(policy);
      for (let second = 0; second <= 20; second += 1) {
        const at = instant(now + 1_000 * second);
        const moment = shuffled.filter(({ receivedAt }) => receivedAt === at);
        for (const { report, receivedAt } of moment) fold.accept(report, receivedAt);
        if (moment.length > 0) fold.fold(pods, at);
      }
      expect(fold.fold(pods, end)).toEqual(expected);
    }),
    { numRuns: 150 },
  );
});
