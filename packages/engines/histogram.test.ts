import { expect, test } from '@jest/globals';
import { histogramOf } from './histogram.ts';
import { type Histogram, histogramSince, quantileOf } from './index.ts';

const bucket = (le: string, value: number, engine = '0') => ({ labels: { le, engine }, value });
const plain = (value: number) => ({ labels: {}, value });
const of = (count: number, ...buckets: [number, number][]): Histogram => ({
  count,
  sum: count,
  buckets: buckets.map(([atMost, number]) => ({ atMost, count: number })),
});

test.each<[string, Histogram, number, unknown]>([
  ['within a bucket', of(10, [1, 0], [2, 10]), 0.5, { value: 1.5, atLeast: false }],
  ['within the first', of(10, [4, 10]), 0.25, { value: 1, atLeast: false }],
  ['beyond the last bound', of(100, [1, 5], [30, 23]), 0.95, { value: 30, atLeast: true }],
  ['of nothing', of(0, [1, 0]), 0.95, undefined],
  ['without buckets', of(5), 0.95, undefined],
])('a quantile %s', (_where, histogram, q, expected) => {
  expect(quantileOf(histogram, q)).toEqual(expected);
});

test('series add up, and a bound that one of them lacks is left out', () => {
  const parts = {
    counts: [plain(4), plain(6)],
    sums: [plain(1), plain(2)],
    buckets: [bucket('1', 1), bucket('5', 3), bucket('+Inf', 4), bucket('1', 2, '1'), bucket('+Inf', 6, '1')],
  };
  expect(histogramOf(parts)).toEqual({ count: 10, sum: 3, buckets: [{ atMost: 1, count: 3 }] });
});

test('a count that is no number of observations is not known', () => {
  const parts = {
    counts: [plain(Number.POSITIVE_INFINITY)],
    sums: [],
    buckets: [bucket('1', Number.NaN), bucket('5', 2)],
  };
  expect(histogramOf(parts)).toBeUndefined();
  expect(histogramOf({ ...parts, counts: [plain(3)] })?.buckets).toEqual([{ atMost: 5, count: 2 }]);
});

test('a histogram without _count counts by its last bucket, and one without anything is none', () => {
  expect(histogramOf({ counts: [], sums: [], buckets: [bucket('1', 1), bucket('+Inf', 4)] })?.count).toBe(4);
  expect(histogramOf({ counts: [], sums: [], buckets: [] })).toBeUndefined();
});

test('a sum that a page leaves out, or that is no number, is not known', () => {
  expect(histogramOf({ counts: [plain(1)], sums: [], buckets: [] })?.sum).toBeUndefined();
  expect(histogramOf({ counts: [plain(1)], sums: [plain(Number.NaN)], buckets: [] })?.sum).toBeUndefined();
  const without: Histogram = { count: 4, sum: undefined, buckets: [] };
  expect(histogramSince({ ...without, count: 1 }, without)).toEqual({ count: 3, sum: undefined, buckets: [] });
});

test('milliseconds become seconds, bounds and sum alike', () => {
  const parts = { counts: [plain(1)], sums: [plain(500)], buckets: [bucket('1000', 1)] };
  expect(histogramOf(parts, 1e-3)).toEqual({ count: 1, sum: 0.5, buckets: [{ atMost: 1, count: 1 }] });
});

test('between two readings lies what was observed since, and after a restart nothing is known', () => {
  expect(histogramSince(of(10, [1, 5]), of(30, [1, 15]))).toEqual(of(20, [1, 10]));
  expect(histogramSince(of(10, [1, 5]), of(2, [1, 1]))).toBeUndefined();
  expect(histogramSince(of(10, [1, 5]), of(30, [2, 15]))).toBeUndefined();
});
