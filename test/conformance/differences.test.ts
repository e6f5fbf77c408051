// Where our decision deliberately differs from HPA's, shown on the same numbers, and why ours is better. Everything else
// is held equal by the vectors.
import { expect, test } from '@jest/globals';
import { decide, emptyHistory, type History, type Signal, type Snapshot } from '@kubeai/decision';
import { type HpaPass, proposeByAverage, proposeByPods, reconcileHpa } from '@kubeai/peers';
import { type Policy, parsePolicy, type SpecInput } from '@kubeai/policy';
import { type Instant, instant, milliseconds } from '@kubeai/units';
import { ledgerWith } from '../../packages/decision/testing/ledger-with.ts';

const now = instant(1_700_000_000_000);
const ago = (seconds: number): Instant => instant(now - 1_000 * seconds);

function policyOf(spec: Partial<SpecInput>): Policy {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'chat', namespace: 'models' },
    spec: { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 100, ...spec },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

const byConcurrency = policyOf({ metrics: { concurrency: { targetPerReplica: 10 } } });

interface Seen {
  readonly replicas: number;
  readonly serving?: number;
  readonly silent?: number;
  readonly inFlight: number;
  readonly arrivals?: number;
  readonly value?: number;
}

function snapshotOf(
  policy: Policy,
  { replicas, serving = replicas, silent = 0, inFlight, arrivals = inFlight / 4, value = inFlight }: Seen,
): Snapshot {
  const metric = policy.metrics[0]!;
  const measured = serving - silent;
  const signal: Signal = {
    name: metric.name,
    shape: metric.shape,
    target: metric.target,
    state: 'value',
    value,
    assumed: silent * metric.target,
    measured,
    silent,
    ageMs: 0,
    source: 'agent',
  };
  const starting = replicas - serving;
  return {
    replicas,
    ledger: ledgerWith({
      loading: starting,
      serving,
      credited: starting,
      startup: { samples: [milliseconds(180_000)], lastReady: instant(0) },
      startupP50Ms: 180_000,
      startupP90Ms: 180_000,
    }),
    signals: [signal],
    traffic: {
      inFlight,
      inFlightAssumed: 0,
      queue: 0,
      arrivalsPerSecond: arrivals,
      arrivalsNow: arrivals,
      completionsPerSecond: arrivals,
      rising: false,
      draining: false,
      steady: true,
      saturated: false,
      meanLatencyMs: 4_000,
      promptTokensPerSecond: 0,
      generatedTokensPerSecond: 0,
      idle: false,
      measured,
      silent,
    },
  };
}

const calm = (replicas: number, facts: Partial<History> = {}): History => ({
  ...emptyHistory(replicas, ago(3_600)),
  at: ago(1),
  highs: [],
  lows: [],
  ...facts,
});

const tolerance = { up: 0.1, down: 0.2 };
const hpaByTotal = (replicas: number, total: number) =>
  proposeByAverage(replicas, [BigInt(1_000 * total)], 10_000n, tolerance).replicas;

test('requests that pile up during a start are not bought again: HPA asks for twelve times as many, we for what arrives', () => {
  // Two replicas serve and four start; arrivals need six, and a minute of pile-up has put 700 requests in flight.
  expect(hpaByTotal(6, 700)).toBe(70);
  const growth = { since: ago(60), lastStarting: ago(1), inFlight: 60, arrivals: 15, replicas: 6 };
  const history = calm(6, { replicasSince: ago(60), growth, serviceMs: 4_000 });
  const { decision } = decide(
    byConcurrency,
    snapshotOf(byConcurrency, { replicas: 6, serving: 2, inFlight: 700, arrivals: 15 }),
    history,
    now,
  );
  expect(decision).toMatchObject({ replicas: 6, reason: 'WaitingForStartingReplicas' });
});

test('survivors of a shrink keep a tenth to spare: HPA fills them to the brim, and the next chance peak buys one back', () => {
  expect(hpaByTotal(5, 29.9)).toBe(3);
  const fast = policyOf({
    metrics: { concurrency: { targetPerReplica: 10 } },
    scaleDown: { policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
  });
  expect(decide(fast, snapshotOf(fast, { replicas: 5, inFlight: 29.9 }), calm(5), now).decision.replicas).toBe(4);
});

test('ten times longer outputs at the same load are no ten times more work to spread: HPA on latency multiplies', () => {
  const byLatency = policyOf({ metrics: { latency: { targetP95Ms: 8_000 } } });
  const pod = {
    name: 'p0',
    phase: 'Running',
    ready: true,
    startedSecondsAgo: 900,
    readyTransitionSecondsAgo: 900,
    deleting: false,
  };
  const pods = [pod, { ...pod, name: 'p1' }];
  const metrics = pods.map(({ name }) => ({ pod: name, value: 40_000_000n, ageSeconds: 0, windowSeconds: 60 }));
  const readiness = { resource: '', cpuInitializationSeconds: 300, initialReadinessDelaySeconds: 30 };
  expect(proposeByPods(2, pods, metrics, { kind: 'average', value: 8_000_000n }, tolerance, readiness)).toMatchObject({
    replicas: 10,
  });
  // The target was held at six requests a replica before answers became longer.
  const history = calm(2, { loads: { latencyP95: { curve: [], floor: 4_000, good: 6 } } });
  const { decision } = decide(
    byLatency,
    snapshotOf(byLatency, { replicas: 2, inFlight: 12, value: 40_000 }),
    history,
    now,
  );
  expect(decision).toMatchObject({ replicas: 3 });
  expect(decision.proposals[0]).toMatchObject({ because: 'NotCausedByLoad' });
});

test('a third of the pods silent blocks shrinking: HPA guesses their load, and is wrong when they are the busy ones', () => {
  const pods = ['p0', 'p1', 'p2'].map((name) => ({
    name,
    phase: 'Running',
    ready: true,
    startedSecondsAgo: 900,
    readyTransitionSecondsAgo: 900,
    deleting: false,
  }));
  const heard = pods.slice(0, 2).map(({ name }) => ({ pod: name, value: 500n, ageSeconds: 0, windowSeconds: 60 }));
  const readiness = { resource: '', cpuInitializationSeconds: 300, initialReadinessDelaySeconds: 30 };
  expect(proposeByPods(3, pods, heard, { kind: 'average', value: 10_000n }, tolerance, readiness)).toMatchObject({
    replicas: 2,
  });
  const { decision } = decide(
    byConcurrency,
    snapshotOf(byConcurrency, { replicas: 3, silent: 1, inFlight: 1 }),
    calm(3),
    now,
  );
  expect(decision).toMatchObject({ replicas: 3, reason: 'QuorumMissing' });
});

test('a restart forgets no wish: HPA knows only the present size, so a spike before the restart is lost', () => {
  const pass: HpaPass = {
    minReplicas: 1,
    maxReplicas: 100,
    specReplicas: 4,
    statusReplicas: 4,
    tolerance,
    cpuInitializationSeconds: 300,
    initialReadinessDelaySeconds: 30,
    behavior: { scaleUp: { stabilizationWindowSeconds: 60 }, scaleDown: null },
    defaultScaleUpLimit: { factor: 2, minimum: 4 },
    downscaleStabilizationSeconds: 300,
    recommendations: null,
    changes: { up: [], down: [] },
    scaleToZeroEnabled: false,
    scaledToZeroBefore: false,
    readScaleError: false,
    writeScaleError: false,
    pods: [],
    metrics: [{ kind: 'external_average', target: 10_000n, podValues: [], values: [80_000n], error: false }],
  };
  // A minute of wishes for eight has passed; HPA starts its window over, we go on.
  expect(reconcileHpa(pass).desiredReplicas).toBe(4);
  const policy = policyOf({
    metrics: { concurrency: { targetPerReplica: 10 } },
    scaleUp: { stabilizationWindowSeconds: 60 },
  });
  const kept = JSON.parse(
    JSON.stringify(calm(4, { highs: [{ at: ago(2), replicas: 8 }], lows: [{ at: ago(2), replicas: 8 }] })),
  ) as History;
  expect(decide(policy, snapshotOf(policy, { replicas: 4, inFlight: 80 }), kept, now).decision.replicas).toBe(8);
});
