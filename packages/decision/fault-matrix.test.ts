// Every signal, every way in which it can fail us, while the load would shrink or grow the target, to one replica or to
// zero, with and without a restart of the controller in the middle. Two promises: nothing shrinks by silence, and nothing
// stays frozen once the signal is back.
import { afterAll, expect, test } from '@jest/globals';
import type { MetricName, SpecInput } from '@kubeai/policy';
import { type Instant, instant } from '@kubeai/units';
import { decide } from './decide.ts';
import { continueHistory, emptyHistory, type History, restoreHistory } from './history.ts';
import { ledgerOf, type PodFacts } from './ledger.ts';
import type { Reason } from './reasons.ts';
import type { ExternalSample, MissingCause } from './signal.ts';
import { createSignalFold } from './signal-fold.ts';
import { policyOf } from './testing/policy-of.ts';
import { lostOf, type Measured, podOf, reportOf } from './testing/report-of.ts';

const start = 1_700_000_000_000;
const before = 50;
const failing = 90;
const after = 170;
/** Seconds after which the node controller gives a silent node up. */
const nodeGrace = 45;

interface SignalUnderTest {
  readonly metrics: NonNullable<SpecInput['metrics']>;
  /** What a pod measures when each replica carries `share` of what it should. */
  readonly measured?: (share: number) => Measured;
  /** What the outside source answers when the whole target carries so many replicas' worth. */
  readonly external?: (replicas: number) => number;
}

const busy = (share: number): Measured => ({
  concurrency: 8 * share,
  perSecond: share > 0 ? Math.max(1, Math.round(4 * share)) : 0,
});

const signals: Readonly<Record<string, SignalUnderTest>> = {
  concurrency: { metrics: { concurrency: { targetPerReplica: 8 } }, measured: busy },
  requestQueueDepth: {
    metrics: { requestQueueDepth: { enabled: true, targetDepth: 4 } },
    measured: (share) => ({ ...busy(share), queue: 4 * share }),
  },
  latencyP95: {
    metrics: { latency: { targetP95Ms: 4_000 } },
    measured: (share) => ({ ...busy(share), latencyMs: 4_000 * Math.min(share, 1.5) }),
  },
  timeToFirstTokenP95: {
    metrics: { timeToFirstToken: { targetP95Ms: 2_000 } },
    measured: (share) => ({ ...busy(share), firstTokenMs: 2_000 * Math.min(share, 1.5) }),
  },
  gpuUtilization: {
    metrics: { gpuUtilization: { targetPercentage: 80 } },
    measured: (share) => ({ ...busy(share), gpuPercent: Math.min(100, 80 * share) }),
  },
  kvCacheUtilization: {
    metrics: { kvCacheUtilization: { targetPercentage: 80 } },
    measured: (share) => ({ ...busy(share), kvRatio: Math.min(1, 0.8 * share) }),
  },
  'custom:jobs': {
    metrics: { custom: [{ name: 'jobs', prometheusQuery: 'sum(jobs)', target: 10 }] },
    measured: busy,
    external: (replicas) => 10 * replicas,
  },
};

interface Failure {
  readonly name: string;
  /** Signals it can happen to. */
  readonly of: (signal: SignalUnderTest) => boolean;
  /** Which pods are not heard, and what heard ones do not say. */
  readonly silent?: (index: number) => boolean;
  /** They are silent because their nodes are cut off. */
  readonly cutOff?: boolean;
  readonly garble?: (measured: Measured) => Measured;
  readonly sample?: (value: number) => ExternalSample;
}

const outside = (cause: MissingCause): Failure => ({
  name: cause,
  of: ({ external }) => external !== undefined,
  sample: () => ({ kind: 'missing', name: 'custom:jobs', cause }),
});
const lying = (name: string, value: number, ageMs = 0): Failure => ({
  name,
  of: ({ external }) => external !== undefined,
  sample: () => ({ kind: 'value', name: 'custom:jobs', value, ageMs }),
});
const byAgents = ({ external }: SignalUnderTest) => external === undefined;

const failures: readonly Failure[] = [
  { name: 'all silent', of: byAgents, silent: () => true },
  { name: 'half silent', of: byAgents, silent: (index) => index % 2 === 0 },
  { name: 'one of four silent', of: byAgents, silent: (index) => index === 3 },
  { name: 'all lost with their nodes', of: byAgents, silent: (index) => index < 4, cutOff: true },
  { name: 'half lost with their node', of: byAgents, silent: (index) => index < 4 && index % 2 === 0, cutOff: true },
  { name: 'only old reports', of: byAgents, garble: (measured) => ({ ...measured, ageMs: 40_000 }) },
  {
    name: 'gauge gone',
    of: ({ metrics }) => metrics.gpuUtilization !== undefined || metrics.kvCacheUtilization !== undefined,
    garble: ({ gpuPercent: _gpu, kvRatio: _kv, ...rest }) => rest,
  },
  {
    name: 'NaN gauge',
    of: ({ metrics }) => metrics.gpuUtilization !== undefined || metrics.kvCacheUtilization !== undefined,
    garble: (measured) => ({ ...measured, gpuPercent: Number.NaN, kvRatio: Number.NaN }),
  },
  {
    name: 'negative gauge',
    of: ({ metrics }) => metrics.gpuUtilization !== undefined || metrics.kvCacheUtilization !== undefined,
    garble: (measured) => ({ ...measured, gpuPercent: -1, kvRatio: -1 }),
  },
  outside('Unreachable'),
  outside('Timeout'),
  outside('Refused'),
  outside('NoSeries'),
  outside('SeveralSeries'),
  lying('NaN', Number.NaN),
  lying('infinite', Number.POSITIVE_INFINITY),
  lying('negative', -5),
  lying('1e300', 1e300),
  lying('from the future', 0, -3_600_000),
  lying('an hour old', 0, 3_600_000),
];

type Load = 'falls' | 'rises';
type Restart = 'none' | 'with history' | 'without history';

interface Row {
  readonly signal: string;
  readonly failure: Failure;
  readonly load: Load;
  readonly minReplicas: 0 | 1;
  readonly restart: Restart;
}

const rows: readonly Row[] = Object.entries(signals).flatMap(([signal, under]) =>
  failures
    .filter(({ of }) => of(under))
    .flatMap((failure) => [
      { signal, failure, load: 'falls' as const, minReplicas: 1 as const, restart: 'none' as const },
      { signal, failure, load: 'rises' as const, minReplicas: 1 as const, restart: 'none' as const },
      { signal, failure, load: 'falls' as const, minReplicas: 0 as const, restart: 'none' as const },
      { signal, failure, load: 'falls' as const, minReplicas: 1 as const, restart: 'with history' as const },
      { signal, failure, load: 'falls' as const, minReplicas: 1 as const, restart: 'without history' as const },
    ]),
);

interface Outcome {
  readonly lowestWhileFailing: number;
  readonly end: number;
  readonly reason: Reason;
  readonly state: string;
}

function play({ signal, failure, load, minReplicas, restart }: Row): Outcome {
  const under = signals[signal]!;
  const policy = policyOf({
    metrics: under.metrics,
    minReplicas,
    maxReplicas: 12,
    cooldownPeriod: 15,
    scaleDown: { stabilizationWindowSeconds: 60, policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  });
  let fold = createSignalFold(policy);
  let size = 4;
  let history: History = emptyHistory(size, instant(start));
  let made = 0;
  let pods: PodFacts[] = [];
  let lowestWhileFailing = Number.POSITIVE_INFINITY;
  let reason: Reason = 'WithinTarget';
  let state = '';
  for (let second = 1; second <= before + failing + after; second += 1) {
    const now = instant(start + 1_000 * second) as Instant;
    const fails = second > before && second <= before + failing;
    if (fails && second === before + failing / 2 && restart !== 'none') {
      const kept = restart === 'with history' ? restoreHistory(JSON.parse(JSON.stringify(history))) : undefined;
      history = kept === undefined ? emptyHistory(size, now) : continueHistory(kept, size, now);
      fold = createSignalFold(policy);
    }
    while (pods.length < size) {
      made += 1;
      pods.push(podOf(`pod-${made}`, now, { readyFor: 3_600_000 }));
    }
    pods = pods.slice(0, size);
    // Replicas' worth of load: four at first; while we are blind it falls to one (or nothing) or rises to six.
    const worth = second <= before ? 3.6 : load === 'rises' ? 6 : minReplicas === 0 ? 0 : 0.8;
    const share = size === 0 ? 0 : worth / size;
    for (const [index, pod] of pods.entries()) {
      if (fails && failure.silent?.(index) === true) continue;
      const measured = under.measured!(share);
      fold.accept(reportOf(pod.uid, second, fails && failure.garble ? failure.garble(measured) : measured), now);
    }
    if (under.external !== undefined) {
      const value = under.external(worth);
      const name: MetricName = 'custom:jobs';
      fold.acceptExternal(
        fails && failure.sample ? failure.sample(value) : { kind: 'value', name, value, ageMs: 0 },
        now,
      );
    }
    const givenUp = fails && failure.cutOff === true && second > before + nodeGrace;
    const seen = pods.map((pod, index) => (givenUp && failure.silent!(index) ? lostOf(pod) : pod));
    const snapshot = { replicas: size, ledger: ledgerOf(size, seen, history, now), ...fold.fold(seen, now) };
    const decided = decide(policy, snapshot, history, now);
    history = decided.history;
    // A failure shows once values are stale, which takes some seconds; what was decided before knew the truth.
    if (fails && second > before) lowestWhileFailing = Math.min(lowestWhileFailing, decided.decision.replicas);
    if (second === before + failing - 1) {
      reason = decided.decision.reason;
      const found = snapshot.signals[0]!;
      state = found.cause === undefined ? found.state : `${found.state} ${found.cause}`;
    }
    size = decided.decision.replicas;
  }
  return { lowestWhileFailing, end: size, reason, state };
}

const table: string[] = [];
afterAll(() => {
  const header = ['signal', 'failure', 'load', 'min', 'restart', 'lowest', 'end', 'signal says', 'because'];
  const lines = [header.join(' | '), ...table];
  process.stdout.write(`${lines.join('\n')}\n${table.length} cases\n`);
});

test('there are at least sixty cases', () => {
  expect(rows.length).toBeGreaterThanOrEqual(60);
});

test.each(
  rows.map(
    (row) =>
      [
        `${row.signal}, ${row.failure.name}, load ${row.load}, at least ${row.minReplicas}, restart ${row.restart}`,
        row,
      ] as const,
  ),
)('%s', (_name, row) => {
  const outcome = play(row);
  table.push(
    [
      row.signal,
      row.failure.name,
      row.load,
      row.minReplicas,
      row.restart,
      outcome.lowestWhileFailing,
      outcome.end,
      outcome.state,
      outcome.reason,
    ].join(' | '),
  );
  // Without its history the controller has forgotten what a replica carries, and where the load does not say so itself
  // it comes down in careful steps only.
  const careful = row.restart === 'without history' && /^(latency|timeTo|requestQueue)/.test(row.signal);
  const goal = row.load === 'rises' ? [6, 7] : careful ? [1, 2, 3] : [row.minReplicas];
  expect({ unsafe: outcome.lowestWhileFailing < 4, end: goal.includes(outcome.end) ? 'right' : outcome.end }).toEqual({
    unsafe: false,
    end: 'right',
  });
});
