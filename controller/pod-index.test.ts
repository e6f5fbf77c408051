import { expect, test } from '@jest/globals';
import { stateOf } from '@kubeai/decision';
import type { Reflector, ReflectorHandler } from '@kubeai/kube';
import { type KnownPod, type KubePod, knownPod } from './pod-facts.ts';
import { createPodIndex } from './pod-index.ts';
import { selectorText } from './targets.ts';

const time = '2026-01-01T00:00:00Z';
const pod = (name: string, labels: Record<string, string>, status: KubePod['status'] = {}): KubePod => ({
  metadata: { namespace: 'a', name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp: time, labels },
  status,
});
const ready = [{ type: 'Ready', status: 'True', lastTransitionTime: time }];
const scheduled = [{ type: 'PodScheduled', status: 'True' }];
const container = (state: object, more: object = {}) => ({ name: 'main', state, ...more });

test.each<[string, KubePod['status'], object, string | undefined]>([
  ['not placed yet', { phase: 'Pending' }, {}, 'requested'],
  [
    'that fits nowhere',
    { phase: 'Pending', conditions: [{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' }] },
    {},
    'unschedulable',
  ],
  [
    'whose image is pulled',
    {
      phase: 'Pending',
      conditions: scheduled,
      containerStatuses: [container({ waiting: { reason: 'ContainerCreating' } })],
    },
    {},
    'pulling',
  ],
  [
    'that loads its model',
    { phase: 'Running', conditions: scheduled, containerStatuses: [container({ running: {} }, { started: false })] },
    {},
    'loading',
  ],
  [
    'that warms up',
    { phase: 'Running', conditions: scheduled, containerStatuses: [container({ running: {} }, { started: true })] },
    {},
    'warming',
  ],
  [
    'that serves',
    {
      phase: 'Running',
      conditions: ready,
      containerStatuses: [container({ running: {} }, { ready: true, started: true })],
    },
    {},
    'serving',
  ],
  [
    'that crashes',
    {
      phase: 'Running',
      containerStatuses: [container({ waiting: { reason: 'CrashLoopBackOff' } }, { restartCount: 3 })],
    },
    {},
    'failing',
  ],
  [
    'that is lost with its node',
    {
      phase: 'Running',
      conditions: [...scheduled, { type: 'ContainersReady', status: 'True' }, { type: 'Ready', status: 'False' }],
      containerStatuses: [container({ running: {} }, { ready: true, started: true })],
    },
    {},
    'lost',
  ],
  ['that is deleted', { phase: 'Running', conditions: ready }, { deletionTimestamp: time }, 'draining'],
  ['that has ended', { phase: 'Succeeded' }, {}, undefined],
  ['of an unknown phase and without anything', {}, {}, 'requested'],
])('the facts of a pod %s are enough for its state', (_what, status, metadata, state) => {
  const made = pod('x', {}, status);
  const phase = status?.phase === undefined ? { phase: 'Pending' } : {};
  const { facts } = knownPod({ ...made, metadata: { ...made.metadata, ...metadata }, status: { ...phase, ...status } });
  expect(stateOf(facts)).toBe(state);
});

test('of a pod only what is needed is kept', () => {
  const full = {
    ...pod('x', { app: 'a' }),
    spec: { containers: [{ name: 'main', env: [{ name: 'A', value: 'secret' }] }] },
  };
  expect(JSON.stringify(knownPod(full))).not.toContain('secret');
});

/** A reflector that a test speaks for. */
function scripted() {
  const store = new Map<string, KnownPod>();
  let handler: ReflectorHandler<KnownPod>;
  const reflector = {
    items: () => store.values(),
    subscribe: (given: ReflectorHandler<KnownPod>) => (handler = given),
  };
  const told: string[] = [];
  const index = createPodIndex(
    reflector as unknown as Reflector<KnownPod>,
    (owner) => told.push(owner),
    (uid) => told.push(`gone ${uid}`),
  );
  return {
    index,
    told,
    put(raw: KubePod) {
      const known = knownPod(raw);
      const old = store.get(raw.metadata.name);
      store.set(raw.metadata.name, known);
      handler.upsert(known, old);
    },
    drop(name: string) {
      const old = store.get(name)!;
      store.delete(name);
      handler.remove(old);
    },
  };
}

test('pods find their targets by selector, as pods and targets come and go', () => {
  const { index, told, put, drop } = scripted();
  put(pod('one', { app: 'chat' }));
  const group = index.follow('chat', 'a', 'app=chat');
  const names = () => group.facts().map(({ name }) => name);
  expect([names(), index.ownersOf('uid-one'), index.ownersOf('uid-none')]).toEqual([['one'], ['chat'], undefined]);
  put(pod('two', { app: 'chat' }));
  put(pod('three', { app: 'other' }));
  expect([names(), index.ownersOf('uid-three')]).toEqual([['one', 'two'], []]);
  put(pod('two', { app: 'moved' }));
  drop('one');
  expect([names(), index.ownersOf('uid-two'), index.ownersOf('uid-one')]).toEqual([[], [], undefined]);
  expect(told).toContain('gone uid-one');
  put({ ...pod('four', { app: 'chat' }), metadata: { ...pod('four', { app: 'chat' }).metadata, namespace: 'b' } });
  expect(names()).toEqual([]);
});

test('a pod made again under its name is another pod', () => {
  const { index, told, put } = scripted();
  const group = index.follow('chat', 'a', 'app=chat');
  put(pod('set-0', { app: 'chat' }));
  const again = pod('set-0', { app: 'chat' });
  put({ ...again, metadata: { ...again.metadata, uid: 'second' } });
  expect(group.facts().map(({ uid }) => uid)).toEqual(['second']);
  expect(told).toContain('gone uid-set-0');
});

test('another selector replaces the first; an empty one selects nothing', () => {
  const { index, put } = scripted();
  put(pod('one', { app: 'chat' }));
  index.follow('chat', 'a', 'app=other');
  expect(index.follow('chat', 'a', 'app=chat').facts()).toHaveLength(1);
  expect(index.follow('chat', 'a', '').facts()).toHaveLength(0);
  index.unfollow('chat');
  expect(index.ownersOf('uid-one')).toEqual([]);
});

test('a LabelSelector reads as the scale subresource writes it', () => {
  const matchExpressions = [
    { key: 'tier', operator: 'In', values: ['a', 'b'] },
    { key: 'zone', operator: 'NotIn', values: ['x'] },
    { key: 'gpu', operator: 'Exists' },
    { key: 'canary', operator: 'DoesNotExist' },
  ];
  expect(selectorText({ matchLabels: { app: 'chat' }, matchExpressions })).toBe(
    'app=chat,tier in (a,b),zone notin (x),gpu,!canary',
  );
});
