import { expect, test } from '@jest/globals';
import type { Deployment, Port } from './objects.ts';
import { boundsOf, type Generation, nextSizeOfNewest, nextSizesOfOld, spreadScaling } from './rollout.ts';

const deployment = (replicas: number, maxSurge: Port, maxUnavailable: Port): Deployment => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web' },
  spec: {
    replicas,
    selector: {},
    template: { spec: { containers: [] } },
    strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge, maxUnavailable } },
  },
});

test.each<[number, Port, Port, number, number]>([
  [10, '25%', '25%', 3, 2],
  [1, '25%', '25%', 1, 0],
  [4, '25%', '25%', 1, 1],
  [3, 0, 0, 0, 1],
  [3, '0%', '10%', 0, 1],
  [2, 1, 5, 1, 2],
  [0, '25%', '25%', 0, 0],
])(
  '%d replicas with maxSurge %s and maxUnavailable %s: %d more, %d fewer',
  (replicas, most, least, surge, unavailable) => {
    expect(boundsOf(deployment(replicas, most, least))).toEqual({ surge, unavailable });
  },
);

const set = (name: string, replicas: number, available = replicas, max?: number): Generation => ({
  name,
  replicas,
  available,
  ...(max === undefined ? {} : { max }),
});

// desired, surge, newest replicas, old replicas → newest next
test.each([
  [10, 3, 0, 10, 3],
  [10, 3, 3, 10, 3],
  [10, 3, 3, 8, 5],
  [10, 3, 9, 1, 10],
  [10, 0, 0, 10, 0],
  [10, 3, 12, 0, 10],
  [1, 1, 0, 1, 1],
])('of %d wanted (surge %d) with %d new and %d old, the newest gets %4$d', (desired, surge, newest, old, next) => {
  expect(nextSizeOfNewest(desired, { surge, unavailable: 0 }, newest, [set('old', old)])).toBe(next);
});

test.each<[string, number, number, Generation, Generation[], number[]]>([
  ['nothing goes while nothing new is available', 10, 0, set('new', 3, 0), [set('old', 10)], [10]],
  ['as many go as have come', 10, 0, set('new', 3, 3), [set('old', 10)], [7]],
  ['the unavailable allowance goes at once', 10, 2, set('new', 3, 0), [set('old', 10)], [8]],
  ['broken old ones go first', 10, 0, set('new', 3, 0), [set('older', 4, 2), set('old', 8)], [2, 8]],
  ['the oldest goes before the newer', 4, 0, set('new', 2, 2), [set('older', 2), set('old', 2)], [0, 2]],
  ['all go at the end', 4, 1, set('new', 4, 4), [set('old', 1)], [0]],
])('%s', (_case, desired, unavailable, newest, old, expected) => {
  const sizes = nextSizesOfOld(desired, { surge: 3, unavailable }, newest, old);
  expect(old.map(({ name }) => sizes.get(name))).toEqual(expected);
});

test.each<[string, number, number, Generation[], number[]]>([
  ['growing spreads in proportion', 20, 0, [set('old', 5, 5, 10), set('new', 5, 5, 10)], [10, 10]],
  ['the larger gets the leftover', 13, 0, [set('old', 3, 3, 10), set('new', 7, 7, 10)], [4, 9]],
  ['shrinking spreads in proportion', 5, 0, [set('old', 4, 4, 10), set('new', 6, 6, 10)], [2, 3]],
  ['to zero takes everything', 0, 0, [set('old', 4, 4, 10), set('new', 6, 6, 10)], [0, 0]],
  ['the surge of a rollout is kept', 20, 4, [set('old', 8, 8, 12), set('new', 4, 4, 12)], [16, 8]],
])('scaling in the middle of a rollout: %s', (_case, desired, surge, sets, expected) => {
  const sizes = spreadScaling(desired, { surge, unavailable: 0 }, sets);
  expect(sets.map(({ name }) => sizes.get(name))).toEqual(expected);
});
