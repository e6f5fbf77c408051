import { expect, test } from '@jest/globals';
import { type GpuClaim, replicasWithin } from './gpu-budget.ts';

/** `name: replicas → wanted` at a priority; a GPU a replica unless said otherwise. */
const claim = (key: string, priority: number, replicas: number, wanted: number, change: Partial<GpuClaim> = {}) => ({
  key,
  target: key,
  priority,
  gpusPerReplica: 1,
  replicas,
  wanted,
  ...change,
});

test.each<[string, number, GpuClaim, GpuClaim[], number]>([
  ['alone, all that is free is its', 8, claim('a', 0, 2, 4), [], 8],
  ['what others run is taken', 8, claim('a', 0, 2, 4), [claim('b', 0, 5, 5)], 3],
  ['the higher priority goes first', 8, claim('a', 0, 2, 4), [claim('b', 9, 4, 6)], 2],
  ['and may take it all', 8, claim('b', 9, 4, 6), [claim('a', 0, 2, 4)], 6],
  ['of equals, the one whose name comes first', 8, claim('b', 0, 4, 6), [claim('a', 0, 2, 4)], 4],
  [
    'what is kept for a large replica is not eaten by small ones',
    8,
    claim('a', 0, 2, 4),
    [claim('b', 9, 0, 1, { gpusPerReplica: 8 })],
    2,
  ],
  ['replicas of several GPUs', 16, claim('a', 0, 1, 4, { gpusPerReplica: 4 }), [claim('b', 0, 3, 3)], 3],
  ['parts of a GPU', 1, claim('a', 0, 7, 10, { gpusPerReplica: 0.1 }), [], 10],
  ['a budget that was cut takes nothing away', 2, claim('a', 0, 4, 6), [claim('b', 0, 4, 4)], 4],
  ['two policies on one target use its GPUs once', 8, claim('a', 0, 4, 6), [claim('b', 9, 4, 9, { target: 'a' })], 8],
  [
    'nor do two others',
    8,
    claim('a', 0, 2, 9),
    [claim('b', 0, 3, 3, { target: 't' }), claim('c', 0, 3, 3, { target: 't' })],
    5,
  ],
])('%s', (_rule, budget, claimant, others, replicas) => {
  expect(replicasWithin(budget, others, claimant)).toBe(replicas);
  expect(replicasWithin(budget, [claimant, ...others], claimant)).toBe(replicas);
});
