// Behaviour in time, on a small model of a target that queues, slows down under load and takes its time to start.
import { expect, test } from '@jest/globals';
import type { SpecInput } from '@kubeai/policy';
import { createFleet, type FleetOptions } from './testing/fleet.ts';
import { policyOf } from './testing/policy-of.ts';

type Metrics = NonNullable<SpecInput['metrics']>;

const concurrency: Metrics = { concurrency: { targetPerReplica: 8 } };
const queue: Metrics = { requestQueueDepth: { enabled: true, targetDepth: 4 } };
const firstToken: Metrics = { timeToFirstToken: { targetP95Ms: 2_000 } };
const latency: Metrics = { latency: { targetP95Ms: 9_000 } };

const each: readonly (readonly [string, Metrics])[] = [
  ['concurrency', concurrency],
  ['queue depth', queue],
  ['time to first token', firstToken],
  ['latency', latency],
  ['concurrency and queue depth', { ...concurrency, ...queue }],
];

/** Sixteen places a replica, eight of them without slowing down; four seconds an answer: two answers a second. */
const fleetOf = (metrics: Metrics, options: Partial<FleetOptions> & { readonly spec?: Partial<SpecInput> } = {}) => {
  const { spec, ...rest } = options;
  const policy = policyOf({ minReplicas: 1, maxReplicas: 40, metrics, ...spec });
  return createFleet({ policy, replicas: 2, startSeconds: 180, serviceMs: 4_000, places: 16, free: 8, ...rest });
};

const changes = (sizes: readonly number[]): number =>
  sizes.reduce((count, size, at) => count + (at > 0 && size !== sizes[at - 1] ? 1 : 0), 0);

test.each(each)('by %s, a 4x step with 180 s start-up overshoots by at most 15 %% of the ideal', (_name, metrics) => {
  for (const seed of [1, 2]) {
    const fleet = fleetOf(metrics, { seed });
    fleet.setArrivals(3.2);
    fleet.run(600);
    fleet.setArrivals(12.8);
    const sizes = fleet.run(1_000);
    const ideal = Math.ceil(12.8 / 2);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1.15 * ideal);
    // And the load is carried in the end: it did not merely do nothing.
    expect(fleet.size()).toBeGreaterThanOrEqual(ideal);
  }
});

test.each(each)('by %s, an idle target comes down to its minimum', (_name, metrics) => {
  const fleet = fleetOf(metrics, { replicas: 5, startSeconds: 20 });
  fleet.setArrivals(8);
  fleet.run(120);
  fleet.setArrivals(0);
  // Five-minute window and cooldown, one pod or a quarter a minute: the defaults are slow on purpose.
  fleet.run(2_400);
  expect(fleet.size()).toBe(1);
  expect(fleet.last().decision.reason).toBe('AtMinimum');
});

test.each(each)(
  'by %s, an idle target with a minimum of zero goes to zero, and not while a request runs',
  (_name, metrics) => {
    const spec: Partial<SpecInput> = {
      minReplicas: 0,
      cooldownPeriod: 10,
      scaleDown: { stabilizationWindowSeconds: 30 },
    };
    const fleet = fleetOf(metrics, { replicas: 1, startSeconds: 20, serviceMs: 90_000, spec });
    fleet.setUsers(1);
    const busy = fleet.run(300);
    expect(Math.min(...busy)).toBe(1);
    fleet.setUsers(0);
    fleet.run(300);
    expect(fleet.size()).toBe(0);
  },
);

test.each(each)('by %s, a rollout does not double the target', (_name, metrics) => {
  const fleet = fleetOf(metrics, { replicas: 4, startSeconds: 60 });
  fleet.setArrivals(5);
  const calm = fleet.run(400);
  fleet.rollOut();
  const sizes = fleet.run(900);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(calm.at(-1)! + 1);
  expect(Math.min(...sizes)).toBeGreaterThanOrEqual(2);
});

test.each([
  ['concurrency', 1.2, concurrency],
  ['concurrency', 3, concurrency],
  ['concurrency and queue depth', 3, { ...concurrency, ...queue }],
] as const)('by %s, 2 and 1 do not alternate in two hours of constant load (%s a second)', (_name, rate, metrics) => {
  const fleet = fleetOf(metrics, { startSeconds: 60 });
  fleet.setArrivals(rate);
  const sizes = fleet.run(7_200);
  // At most it settles once and once more; alternating would change every few minutes.
  expect(changes(sizes)).toBeLessThanOrEqual(2);
  expect(changes(sizes.slice(3_600))).toBe(0);
});

test.each([
  ['queue depth', queue],
  ['time to first token', firstToken],
  ['latency', latency],
] as const)(
  'by %s, which does not tell what one replica could carry, a size that failed is not tried again',
  (_name, metrics) => {
    const fleet = fleetOf(metrics, { startSeconds: 60 });
    fleet.setArrivals(2.6);
    const sizes = fleet.run(7_200);
    const drops = sizes.filter((size, at) => at > 0 && size < sizes[at - 1]! && size === 1).length;
    expect(drops).toBeLessThanOrEqual(1);
  },
);

test.each([
  ['work alone', { work: {} }],
  [
    'the interactive preset',
    {
      timeToFirstToken: { targetP95Ms: 2_000 },
      interTokenLatency: { targetP95Ms: 200 },
      work: { targetUtilization: 70 },
    },
  ],
] as const)('by %s, replicas follow the tokens that arrive, up and down', (_name, metrics) => {
  for (const seed of [1, 2]) {
    // Batches of four are free, more share: a hundred tokens a second a replica, one answer a second.
    const fleet = fleetOf(metrics, { replicas: 3, startSeconds: 120, free: 4, seed });
    fleet.setArrivals(1.6);
    fleet.run(1_800);
    fleet.setArrivals(4.8);
    const sizes = fleet.run(1_800);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(12);
    expect(sizes.at(-1)).toBeGreaterThanOrEqual(5);
    fleet.setArrivals(1.2);
    fleet.run(3_600);
    expect(fleet.size()).toBeLessThanOrEqual(4);
  }
});

test('outputs ten times longer at equal concurrency add at most one replica', () => {
  const fleet = fleetOf(
    { latency: { targetP95Ms: 9_000 }, interTokenLatency: { targetP95Ms: 200 } },
    { replicas: 3, startSeconds: 60 },
  );
  fleet.setUsers(24);
  const before = fleet.run(900).at(-1)!;
  // The same users, the same requests at once, answers of ten times the tokens.
  fleet.setService(40_000, 1_000);
  const sizes = fleet.run(1_800);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(before + 1);
  const reasons = new Set(fleet.decisions.slice(-900).map(({ decision }) => decision.reason));
  expect([...reasons].some((reason) => reason === 'SLOInfeasible' || reason === 'NotCausedByLoad')).toBe(true);
});

test('a target that even an idle replica misses is said to be infeasible, and buys nothing', () => {
  const fleet = fleetOf({ latency: { targetP95Ms: 1_000 } }, { startSeconds: 30 });
  fleet.setArrivals(0.4);
  fleet.run(400);
  const settled = fleet.size();
  const sizes = fleet.run(1_200);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(settled);
  expect(settled).toBeLessThanOrEqual(6);
  expect(fleet.decisions.slice(-600).some(({ decision }) => decision.reason === 'SLOInfeasible')).toBe(true);
  expect(fleet.last().decision.infeasible).toEqual(['latencyP95']);
});

test('a thin policy follows a burst within seconds and comes back when it ends', () => {
  const fleet = fleetOf(
    { ...firstToken, concurrency: { targetPerReplica: 4 }, ...queue },
    {
      replicas: 1,
      startSeconds: 6,
      serviceMs: 1_500,
      places: 4,
      free: 4,
      spec: {
        maxReplicas: 6,
        cooldownPeriod: 5,
        scaleDown: { stabilizationWindowSeconds: 10, policies: [{ type: 'Percent', value: 100, periodSeconds: 5 }] },
      },
    },
  );
  fleet.run(20);
  fleet.setUsers(16);
  const grown = fleet.run(40);
  expect(grown[2]).toBeGreaterThanOrEqual(2);
  expect(grown[9]).toBeGreaterThanOrEqual(4);
  expect(Math.max(...grown)).toBeLessThanOrEqual(6);
  fleet.setUsers(0);
  const back = fleet.run(40);
  expect(back.at(-1)).toBe(1);
});

test('what waits while replicas start is not bought again', () => {
  const fleet = fleetOf({ ...concurrency, ...queue, ...firstToken }, { startSeconds: 300 });
  fleet.setArrivals(3);
  fleet.run(300);
  fleet.setArrivals(6);
  fleet.run(30);
  const bought = fleet.size();
  const sizes = fleet.run(270);
  expect(fleet.last().snapshot.traffic.queue).toBeGreaterThan(100);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(bought + 1);
});

test.each(each)(
  'by %s, replicas that find no node make us ask for no more, and are not taken for capacity',
  (_name, metrics) => {
    const fleet = fleetOf(metrics, { startSeconds: 60 });
    fleet.setArrivals(3.2);
    fleet.run(600);
    fleet.setRoom(fleet.size());
    fleet.setArrivals(12.8);
    fleet.run(120);
    const asked = fleet.size();
    expect(asked).toBeGreaterThan(2);
    const sizes = fleet.run(1_200);
    // More than arrives is not asked for, however much has piled up.
    expect(Math.max(...sizes)).toBeLessThanOrEqual(1.15 * Math.ceil(12.8 / 2));
    const { snapshot, decision } = fleet.last();
    expect(snapshot.ledger).toMatchObject({ credited: 0, dead: 0 });
    expect(snapshot.ledger.counts.unschedulable).toBeGreaterThan(0);
    expect(decision.reason).toBe('ReplicasUnschedulable');
    // Twenty minutes without a node are no start of twenty minutes.
    fleet.setRoom(40);
    fleet.run(600);
    expect(fleet.last().snapshot.ledger).toMatchObject({ startupP90Ms: 60_000 });
    expect(fleet.serving()).toBeGreaterThanOrEqual(7);
  },
);

test.each(each)('by %s, a GPU budget that lacks is named for as long as it lacks', (name, metrics) => {
  const byRatio = name === 'latency' || name === 'time to first token';
  const fleet = fleetOf(metrics, { startSeconds: 60, gpuReplicas: 4 });
  fleet.setArrivals(3.2);
  fleet.run(600);
  fleet.setArrivals(12.8);
  fleet.run(300);
  expect(fleet.size()).toBe(4);
  const full = fleet.decisions.findIndex(({ snapshot }) => snapshot.replicas === 4);
  const reasons = fleet.decisions.slice(full).map(({ decision }) => decision.reason);
  // Who only sees that answers are slow asks for twice what serves: that is within the budget until it serves.
  const known = byRatio ? reasons.slice(70) : reasons;
  expect([...new Set(known)]).toEqual(['GpuBudget']);
  expect(reasons).not.toContain('WithinTarget');
});

// Latency alone asks for twice what serves, and so never for more than this budget.
const impatient = each.filter(([name]) => name !== 'latency');
test.each(impatient)(
  'by %s, a GPU budget is named for as long as a single burst waits because of it',
  (_name, metrics) => {
    const fleet = fleetOf(metrics, { startSeconds: 40, gpuReplicas: 3 });
    fleet.setArrivals(1);
    fleet.run(300);
    fleet.setUsers(150);
    fleet.run(1);
    fleet.setUsers(0);
    fleet.run(40);
    const reasons = fleet.decisions.map(({ decision }) => decision.reason);
    expect([...new Set(reasons.slice(reasons.indexOf('GpuBudget')))]).toEqual(['GpuBudget']);
  },
);

test('a restarted controller with its history shrinks no sooner and no later than one that never stopped', () => {
  const play = (restart: boolean) => {
    const fleet = fleetOf(concurrency, { replicas: 4, startSeconds: 20 });
    fleet.setArrivals(7);
    fleet.run(200);
    fleet.setArrivals(1);
    fleet.run(100);
    if (restart) fleet.restart(JSON.parse(JSON.stringify(fleet.history())));
    return fleet.run(600).findIndex((size) => size < 4);
  };
  expect(Math.abs(play(true) - play(false))).toBeLessThanOrEqual(60);
});

test('a restarted controller without its history waits for a whole window', () => {
  const fleet = fleetOf(concurrency, { replicas: 4, startSeconds: 20 });
  fleet.setArrivals(1);
  fleet.run(290);
  fleet.restart(undefined);
  const sizes = fleet.run(400);
  expect(sizes.findIndex((size) => size < 4)).toBeGreaterThanOrEqual(299);
  expect(fleet.decisions.some(({ decision }) => decision.reason === 'HistoryTooShort')).toBe(true);
});

const grown = (fleet: ReturnType<typeof createFleet>) =>
  fleet.decisions.filter(({ decision }) => decision.replicas > decision.current).map(({ decision }) => decision.reason);

test.each(each)('by %s, the only replica is replaced once when its node is given up', (_name, metrics) => {
  const fleet = fleetOf(metrics, { replicas: 1, startSeconds: 60 });
  fleet.setArrivals(0.3);
  fleet.run(300);
  fleet.cutOff(1);
  expect(Math.max(...fleet.run(44))).toBe(1);
  // Nobody can tell what is needed, and there is no server until the other one has started.
  expect([...new Set(fleet.run(58).slice(2))]).toEqual([2]);
  expect(grown(fleet)).toEqual(['ReplacingDeadReplicas']);
  fleet.run(10);
  expect(fleet.serving()).toBe(1);
});

test.each(['comeBack', 'evict'] as const)('what was bought for a lost replica is given back after %s', (end) => {
  const fleet = fleetOf(concurrency, { replicas: 1, startSeconds: 60 });
  fleet.setArrivals(0.3);
  fleet.run(300);
  fleet.cutOff(1);
  fleet.run(300);
  fleet[end]();
  expect(Math.max(...fleet.run(1_200))).toBe(2);
  expect({ size: fleet.size(), serving: fleet.serving() }).toEqual({ size: 1, serving: 1 });
});

test.each(each)('by %s, of a fleet that is lost a quarter is bought at a time', (_name, metrics) => {
  const fleet = fleetOf(metrics, { replicas: 8, startSeconds: 60 });
  fleet.setArrivals(12);
  fleet.run(600);
  const before = fleet.size();
  fleet.cutOff(before);
  fleet.run(46);
  expect([...new Set(fleet.run(50))]).toEqual([before + Math.ceil(before / 4)]);
  // Whoever serves then tells how many are needed.
  fleet.run(200);
  expect(fleet.serving()).toBeGreaterThanOrEqual(6);
});

test('of replicas that were lost and not needed, as many are bought as are needed', () => {
  const fleet = fleetOf(concurrency, { replicas: 6, startSeconds: 60, spec: { minReplicas: 6 } });
  fleet.setArrivals(3);
  fleet.run(300);
  fleet.cutOff(5);
  fleet.run(46);
  expect([...new Set(fleet.run(50))]).toEqual([7]);
  fleet.run(60);
  expect(fleet.serving()).toBe(2);
});

test('a shrink is not regretted because a replica was lost after it', () => {
  const fleet = fleetOf(concurrency, { replicas: 2, startSeconds: 60 });
  fleet.setArrivals(0.3);
  while (fleet.size() > 1) fleet.run(1);
  fleet.run(60);
  fleet.cutOff(1);
  fleet.run(50);
  expect(fleet.size()).toBe(2);
  expect(fleet.history().regret).toBeUndefined();
});

test('a climb that goes on for minutes is caught up with before it ends, and not overshot by half', () => {
  const fleet = fleetOf(
    { ...firstToken, interTokenLatency: { targetP95Ms: 200 }, work: { targetUtilization: 95 } },
    // Batches of four are free, more share: one answer a second a replica.
    { replicas: 5, startSeconds: 180, free: 4 },
  );
  fleet.setArrivals(2);
  fleet.run(3_600);
  for (let minute = 1; minute <= 20; minute += 1) {
    fleet.setArrivals(2 * 10 ** (minute / 20));
    fleet.run(60);
  }
  expect(fleet.last().snapshot.traffic.queue).toBeLessThan(20);
  expect(Math.max(...fleet.decisions.map(({ decision }) => decision.replicas))).toBeLessThanOrEqual(30);
});
