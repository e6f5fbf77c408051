import { expect, test } from '@jest/globals';
import { instant, milliseconds } from '@kubeai/units';
import { type ContainerFacts, type LedgerPast, ledgerOf, type PodFacts, type ReplicaState, stateOf } from './ledger.ts';
import { lostOf, podOf } from './testing/report-of.ts';

const now = instant(1_700_000_000_000);
const ago = (seconds: number) => instant(now - 1_000 * seconds);

const container = (facts: Partial<ContainerFacts> = {}): ContainerFacts => ({
  name: 'model',
  ready: false,
  started: false,
  restarts: 0,
  state: 'running',
  ...facts,
});
const scheduled = { type: 'PodScheduled', status: 'True' } as const;
const notReady = { type: 'Ready', status: 'False' } as const;
const pod = (facts: Partial<PodFacts>): PodFacts =>
  podOf('p', now, { createdAt: ago(10), conditions: [scheduled, notReady], containers: [container()], ...facts });

test.each<[ReplicaState | undefined, string, PodFacts]>([
  ['requested', 'no node was looked for yet', pod({ phase: 'Pending', conditions: [], containers: [] })],
  [
    'requested',
    'a scheduling gate holds it',
    pod({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }],
      containers: [],
    }),
  ],
  [
    'unschedulable',
    'no node fits',
    pod({
      phase: 'Pending',
      conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }],
      containers: [],
    }),
  ],
  [
    'pulling',
    'on a node, before any container',
    pod({ phase: 'Pending', containers: [container({ state: 'waiting', reason: 'ContainerCreating' })] }),
  ],
  ['loading', 'the process runs, its startup probe does not pass', pod({})],
  ['warming', 'started, not ready', pod({ containers: [container({ started: true })] })],
  ['serving', 'ready', podOf('p', now)],
  [
    'failing',
    'crash loop',
    pod({ containers: [container({ state: 'waiting', reason: 'CrashLoopBackOff', restarts: 4 })] }),
  ],
  [
    'failing',
    'between two crashes',
    pod({ containers: [container({ state: 'terminated', reason: 'Error', restarts: 1 })] }),
  ],
  [
    'failing',
    'no such image',
    pod({ phase: 'Pending', containers: [container({ state: 'waiting', reason: 'ImagePullBackOff' })] }),
  ],
  ['lost', 'its containers were ready when its node was last heard of', lostOf(podOf('p', now))],
  [
    'warming',
    'its containers are ready, and a gate of its own is not open',
    pod({
      conditions: [
        scheduled,
        { type: 'ContainersReady', status: 'True' },
        { ...notReady, reason: 'ReadinessGatesNotReady' },
      ],
      containers: [container({ ready: true, started: true })],
    }),
  ],
  [
    'loading',
    'its node was lost before it was ever ready',
    pod({ conditions: [scheduled, { type: 'ContainersReady', status: 'False' }, notReady] }),
  ],
  ['draining', 'lost, and given up by Kubernetes', { ...lostOf(podOf('p', now)), deletedAt: ago(1) }],
  ['draining', 'being deleted, although ready', podOf('p', now, { deletedAt: ago(1) })],
  [
    'draining',
    'being deleted while it crashes',
    pod({ deletedAt: ago(1), containers: [container({ state: 'waiting', reason: 'CrashLoopBackOff' })] }),
  ],
  [undefined, 'evicted', pod({ phase: 'Failed' })],
  [undefined, 'completed', pod({ phase: 'Succeeded' })],
])('%s: %s', (state, _why, facts) => {
  expect(stateOf(facts)).toBe(state);
});

const past = (facts: Partial<LedgerPast> = {}): LedgerPast => ({
  replicas: 3,
  replicasSince: ago(600),
  startup: { samples: [60, 70, 80, 100].map((seconds) => milliseconds(1_000 * seconds)), lastReady: now },
  ...facts,
});

const starting = (name: string, age: number) => ({ ...pod({ createdAt: ago(age) }), name, uid: name });

test('each replica stands in exactly one state, and those without a pod are requested', () => {
  const pods = [podOf('a', now), starting('b', 5), { ...podOf('c', now), deletedAt: ago(1) }];
  const { counts } = ledgerOf(4, pods, past({ replicas: 4, replicasSince: ago(5) }), now);
  expect(counts).toEqual({
    requested: 2,
    unschedulable: 0,
    pulling: 0,
    loading: 1,
    warming: 0,
    serving: 1,
    failing: 0,
    lost: 0,
    draining: 1,
  });
});

test.each([
  ['a young start is credited', 149, 1, 0],
  ['until one and a half times the learned 90th percentile', 150, 1, 0],
  ['and no longer: it counts as dead', 151, 0, 1],
])('%s', (_name, age, credited, dead) => {
  const ledger = ledgerOf(2, [podOf('a', now), starting('b', age)], past({ replicas: 2 }), now);
  expect(ledger).toMatchObject({ startupP50Ms: 70_000, startupP90Ms: 100_000, credited, dead });
});

test.each([
  [
    'unschedulable',
    pod({ phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] }),
    0,
  ],
  ['crash-looping', pod({ containers: [container({ state: 'waiting', reason: 'CrashLoopBackOff', restarts: 3 })] }), 1],
])('a replica that is %s is no capacity, however young', (_name, facts, dead) => {
  const ledger = ledgerOf(2, [podOf('a', now), facts], past({ replicas: 2 }), now);
  expect(ledger).toMatchObject({ credited: 0, dead });
});

test('a replica that is lost with its node is no start, however young', () => {
  const young = lostOf(podOf('b', now, { readyFor: 5_000 }));
  const ledger = ledgerOf(2, [podOf('a', now), young], past({ replicas: 2 }), now);
  expect(ledger).toMatchObject({ credited: 0, dead: 1, counts: { serving: 1, lost: 1 } });
});

test('replicas without a pod are credited from when they were asked for', () => {
  expect(ledgerOf(4, [podOf('a', now)], past({ replicas: 1 }), now).credited).toBe(3);
  expect(ledgerOf(4, [podOf('a', now)], past({ replicas: 4, replicasSince: ago(200) }), now).credited).toBe(0);
});

test("a rollout's surge is no extra capacity", () => {
  const pods = [podOf('a', now), podOf('b', now), starting('new', 5)];
  expect(ledgerOf(2, pods, past({ replicas: 2 }), now).credited).toBe(0);
});

test('start-up times are learned from pods that became ready, once each', () => {
  const first = past({ startup: { samples: [], lastReady: instant(0) } });
  const fresh = (name: string, created: number, ready: number): PodFacts => ({
    ...podOf(name, now),
    createdAt: ago(created),
    conditions: [scheduled, { type: 'Ready', status: 'True', since: ago(ready) }],
  });
  const pods = [fresh('a', 100, 40), fresh('b', 100, 20)];
  const learned = ledgerOf(2, pods, first, now).startup;
  expect([...learned.samples].sort()).toEqual([60_000, 80_000]);
  expect(ledgerOf(2, pods, past({ startup: learned }), now).startup).toBe(learned);
  const restarted = { ...fresh('c', 100, 10), containers: [container({ ready: true, restarts: 1 })] };
  expect(ledgerOf(3, [...pods, restarted], past({ startup: learned }), now).startup.samples).toHaveLength(2);
});

test('until a start was seen, a replica gets the time that a large model needs', () => {
  const ledger = ledgerOf(
    2,
    [podOf('a', now), starting('b', 400)],
    past({ startup: { samples: [], lastReady: now } }),
    now,
  );
  expect(ledger).toMatchObject({ credited: 1, startupP90Ms: 300_000 });
});
