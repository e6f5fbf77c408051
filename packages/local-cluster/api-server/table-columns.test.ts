import { expect, test } from '@jest/globals';
import { humanDuration } from './table-columns.ts';

const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;

test.each<[number, string]>([
  [0, '0s'],
  [119 * second, '119s'],
  [2 * minute, '2m'],
  [3 * minute + 5 * second, '3m5s'],
  [10 * minute + 5 * second, '10m'],
  [179 * minute, '179m'],
  [3 * hour + 4 * minute, '3h4m'],
  [8 * hour + 4 * minute, '8h'],
  [47 * hour, '47h'],
  [2 * day + 3 * hour, '2d3h'],
  [8 * day + 3 * hour, '8d'],
  [400 * day, '400d'],
  [740 * day, '2y10d'],
  [10 * 365 * day, '10y'],
  [-5 * second, '<invalid>'],
])('%d ms is printed as %s', (span, expected) => {
  expect(humanDuration(span)).toBe(expected);
});
