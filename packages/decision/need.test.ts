import { expect, test } from '@jest/globals';
import type { Proposal } from './decision.ts';
import { type Need, needOf } from './need.ts';

test.each<[string, Proposal[], Need | undefined]>([
  [
    'by work, where there is such a thing, with and without room for more',
    [
      { name: 'work', needs: 2, load: 1.5, keeps: 2 },
      { name: 'concurrency', needs: 9 },
    ],
    { load: 1.5, planned: 2 },
  ],
  [
    'not at all while work is being learned',
    [
      { name: 'work', needs: 0, because: 'LearningWork' },
      { name: 'concurrency', needs: 9 },
    ],
    undefined,
  ],
  ['nought when idle', [{ name: 'work', needs: 0, keeps: 0 }], { load: 0, planned: 0 }],
  ['not at all while work is not measured', [{ name: 'work' }, { name: 'concurrency', needs: 9 }], undefined],
  [
    'by the metric that asks for most, without work',
    [{ name: 'latencyP95' }, { name: 'concurrency', needs: 3.5 }, { name: 'gpuUtilization', needs: 2 }],
    { load: 3.5, planned: 3.5 },
  ],
  ['not at all when nothing is known', [{ name: 'latencyP95' }], undefined],
])('need is told %s', (_how, proposals, need) => {
  expect(needOf({ proposals })).toEqual(need);
});
