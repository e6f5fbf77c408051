import { expect, test } from '@jest/globals';
import { deletionCost, deletionOrder } from './deletion-order.ts';
import type { Pod } from './objects.ts';

const now = Date.parse('2026-01-01T12:00:00Z');
const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();

interface Traits {
  node?: string;
  phase?: string;
  ready?: boolean;
  cost?: string;
  readyFor?: number;
  restarts?: number;
  sidecarRestarts?: number;
  age?: number;
}

const pod = (name: string, traits: Traits): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    uid: name,
    creationTimestamp: ago(traits.age ?? 1000),
    ...(traits.cost === undefined
      ? {}
      : { annotations: { 'controller.kubernetes.io/pod-deletion-cost': traits.cost } }),
  },
  spec: {
    nodeName: traits.node ?? name,
    containers: [{ name: 'c' }],
    initContainers: [{ name: 's', restartPolicy: 'Always' }, { name: 'i' }],
  },
  status: {
    phase: traits.phase ?? 'Running',
    conditions: [
      {
        type: 'Ready',
        status: (traits.ready ?? true) ? 'True' : 'False',
        lastTransitionTime: ago(traits.readyFor ?? 1000),
      },
    ],
    containerStatuses: [{ name: 'c', image: '', imageID: '', ready: true, restartCount: traits.restarts ?? 0 }],
    initContainerStatuses: [
      { name: 's', image: '', imageID: '', ready: true, restartCount: traits.sidecarRestarts ?? 0 },
      { name: 'i', image: '', imageID: '', ready: true, restartCount: 99 },
    ],
  },
});

// Each row: the one that goes first, the one that stays longer.
test.each<[string, Traits, Traits]>([
  ['unassigned before assigned', { node: '' }, { phase: 'Pending', ready: false }],
  ['pending before unknown', { phase: 'Pending' }, { phase: 'Unknown' }],
  ['unknown before running', { phase: 'Unknown' }, { phase: 'Running', ready: false }],
  ['not ready before ready', { ready: false, cost: '100' }, { ready: true, cost: '-100' }],
  ['the lower cost first', { cost: '-5', restarts: 0 }, { restarts: 9 }],
  ['a cost that is no integer counts as zero', { cost: '-1' }, { cost: 'cheap' }],
  ['ready for less time first', { readyFor: 10 }, { readyFor: 1000, restarts: 9 }],
  ['ready times of one magnitude are equal: the smaller uid first', { readyFor: 1000 }, { readyFor: 900 }],
  ['more restarts first', { restarts: 3 }, { restarts: 2, sidecarRestarts: 8 }],
  ['then more restarts of a native sidecar', { sidecarRestarts: 3 }, { sidecarRestarts: 2 }],
  ['the younger first', { age: 10 }, { age: 1000 }],
])('%s', (_rule, first, second) => {
  const pods = [pod('a', first), pod('b', second)];
  expect(deletionOrder([...pods].reverse(), pods, now).map(({ metadata }) => metadata.name)).toEqual(['a', 'b']);
});

test('a pod on the fuller node goes first, counting related pods of other ReplicaSets', () => {
  const alone = pod('a-alone', { node: 'n1', readyFor: 10 });
  const crowded = pod('b-crowded', { node: 'n2' });
  const related = [alone, crowded, pod('other', { node: 'n2' })];
  expect(deletionOrder([alone, crowded], related, now)[0]).toBe(crowded);
  expect(deletionOrder([alone, crowded], [alone, crowded], now)[0]).toBe(alone);
});

test.each([
  ['7', 7],
  ['-2147483648', -2147483648],
  ['2147483648', 0],
  ['01', 0],
  ['+1', 0],
  ['', 0],
])('the deletion cost %j counts as %d', (text, cost) => {
  expect(deletionCost(pod('a', { cost: text }))).toBe(cost);
});
