import { expect, test } from '@jest/globals';
import { quantityOf } from '../api-server/quantity.ts';
import type { Container, Node, Pod, Quantities } from './objects.ts';
import { type Amounts, type NodeLoad, place, requestsOf } from './placement.ts';

test.each([
  ['500m', 0.5],
  ['2', 2],
  [3, 3],
  ['1Gi', 2 ** 30],
  ['1.5k', 1500],
  ['2e3', 2000],
  ['much', undefined],
])('the quantity %j is %d', (quantity, number) => {
  expect(quantityOf(quantity)).toBe(number);
});

const container = (requests: Quantities, always = false): Container => ({
  name: 'c',
  resources: { requests },
  ...(always ? { restartPolicy: 'Always' } : {}),
});

const pod = (containers: Container[], initContainers: Container[] = [], spec = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p' },
  spec: { containers, initContainers, ...spec },
});

test.each<[string, Pod, number]>([
  ['containers add up', pod([container({ cpu: '1' }), container({ cpu: '500m' })]), 1.5],
  ['a large init container decides', pod([container({ cpu: '1' })], [container({ cpu: '4' })]), 4],
  ['native sidecars add to the containers', pod([container({ cpu: '1' })], [container({ cpu: '1' }, true)]), 2],
  [
    'sidecars before an init container add to it, later ones do not',
    pod([container({})], [container({ cpu: '1' }, true), container({ cpu: '4' }), container({ cpu: '2' }, true)]),
    5,
  ],
])('requests: %s', (_case, of, cpu) => {
  expect(requestsOf(of)['cpu']).toBe(cpu);
});

const node = (name: string, allocatable: Quantities, spec: Node['spec'] = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { zone: name } },
  spec,
  status: { allocatable },
});
const load = (of: Node, requested: Amounts = {}, pods = 0): NodeLoad => ({ node: of, requested, pods });
const gpus = { 'nvidia.com/gpu': 2 };
const noVictims = (count: number) =>
  `preemption: 0/${count} nodes are available: ${count} No preemption victims found for incoming pod.`;

test.each<[string, Pod, NodeLoad[], string]>([
  [
    'the least loaded fitting node',
    pod([container({ cpu: 1 })]),
    [load(node('a', { cpu: 4 }), { cpu: 2 }), load(node('b', { cpu: 4 }))],
    'b',
  ],
  [
    'no GPU left',
    pod([container({ 'nvidia.com/gpu': 1 })]),
    [load(node('a', { cpu: 4, ...gpus }), gpus)],
    `0/1 nodes are available: 1 Insufficient nvidia.com/gpu. ${noVictims(1)}`,
  ],
  [
    'every reason with its count',
    pod([container({ cpu: 8 })]),
    [load(node('a', { cpu: 4 })), load(node('b', { cpu: 4 })), load(node('c', { cpu: 16 }, { unschedulable: true }))],
    `0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient cpu. ${noVictims(3)}`,
  ],
  [
    'a taint that is not tolerated',
    pod([container({})]),
    [load(node('a', { cpu: 4 }, { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }))],
    `0/1 nodes are available: 1 node(s) had untolerated taint {gpu: }. ${noVictims(1)}`,
  ],
  [
    'a tolerated one',
    pod([container({})], [], { tolerations: [{ key: 'gpu', operator: 'Exists' }] }),
    [load(node('a', { cpu: 4 }, { taints: [{ key: 'gpu', effect: 'NoSchedule' }] }))],
    'a',
  ],
  [
    'the node selector',
    pod([container({})], [], { nodeSelector: { zone: 'b' } }),
    [load(node('a', {})), load(node('b', {}))],
    'b',
  ],
  [
    'a full node',
    pod([container({})]),
    [load(node('a', { pods: 3 }), {}, 3)],
    `0/1 nodes are available: 1 Too many pods. ${noVictims(1)}`,
  ],
  ['no node at all', pod([container({})]), [], 'no nodes available to schedule pods'],
])('placement: %s', (_case, of, nodes, expected) => {
  const placement = place(of, nodes);
  expect(placement.kind === 'bound' ? placement.node : placement.message).toBe(expected);
});
