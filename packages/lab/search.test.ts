import { expect, test } from '@jest/globals';
import type { Score } from './score.ts';
import { searched } from './search.ts';

/** Values whose misses are their index and whose hours fall with it. */
const play = (index: number) => ({ score: { misses: index, gpuHours: 100 - index } as Score });

test.each<[string, number, Parameters<typeof searched>[2], number[]]>([
  ['the two beside a change', 16, [({ misses }) => misses <= 5], [5, 6, 7]],
  ['the dear end, where even that misses too much', 8, [({ misses }) => misses < 0], [0, 1, 3]],
  ['the cheap end, where all are good', 8, [() => true], [3, 5, 6, 7]],
  ['values of two questions once each', 16, [({ misses }) => misses <= 5, ({ gpuHours }) => gpuHours > 94], [5, 6, 7]],
  ['a grid of one', 1, [() => true, () => false], [0]],
  ['nothing where nothing is asked', 8, [], []],
])('plays %s', (_, count, questions, among) => {
  const seen: number[] = [];
  const played = searched(
    count,
    (index) => {
      seen.push(index);
      return play(index);
    },
    questions,
  );
  expect([...played.keys()].sort((left, right) => left - right)).toEqual(seen.sort((left, right) => left - right));
  expect(seen).toEqual(expect.arrayContaining(among));
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.length).toBeLessThanOrEqual(2 + Math.ceil(Math.log2(count + 1)));
});
