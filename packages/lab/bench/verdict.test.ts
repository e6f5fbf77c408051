import { expect, test } from '@jest/globals';
import type { Score } from '../score.ts';
import type { Standing } from '../study.ts';
import { verdictsOf } from './verdict.ts';

/** Of 10,000 requests. */
const score = (gpuHours: number, misses: number, startsPerReplicaHour = 0): Score =>
  ({ gpuHours, misses, attainment: 1 - misses / 10_000, startsPerReplicaHour }) as Score;
const standing = (name: string, ...scores: Score[]): Standing => ({ name, scores, chosen: scores[0]! });
const contenders = [
  standing('interactive', score(80, 50, 0.2)),
  standing('hpa-concurrency', score(80, 100, 0.8), score(100, 50, 1)),
  standing('kpa', score(90, 80)),
  standing('static', score(110, 90), score(130, 10)),
  standing('clairvoyant', score(60, 9_000), score(70, 60), score(75, 50)),
];

const asked = (kind: Parameters<typeof verdictsOf>[0]) =>
  verdictsOf(kind, contenders).map(({ what, value, bound, word }) => [what, rounded(value), rounded(bound), word]);
const rounded = (value: number | undefined) => (value === undefined ? undefined : Number(value.toFixed(3)));

test('diurnal traffic is held against HPA and a fixed fleet, and says what who knows the trace would take', () => {
  expect(asked('diurnal')).toEqual([
    ['misses vs HPA at no more GPU-hours', 0.5, undefined, 'must'],
    ['GPU-hours vs HPA at no more misses', 0.8, 0.75, 'must'],
    ['GPU-hours vs smallest static with 99 %', 0.727, 0.636, 'must'],
    ['starts a replica-hour vs tuned HPA', 0.25, undefined, 'excellent'],
  ]);
});

test('bursty traffic is held against misses at equal cost, where a fixed fleet of that cost misses nearly all', () => {
  expect(asked('bursty')).toEqual([
    ['misses vs HPA at no more GPU-hours', 0.5, undefined, 'must'],
    ['misses vs KPA at no more GPU-hours', 0, undefined, 'excellent'],
    ['misses vs static of equal cost', 0, undefined, 'excellent'],
    ['starts a replica-hour vs tuned HPA', 0.25, undefined, 'excellent'],
  ]);
});

test('smooth traffic is held against the best fixed fleet with 99.9 %, and shapes against nothing', () => {
  expect(asked('smooth').slice(0, 1)).toEqual([['GPU-hours vs static at 99.9 %', 0.615, 0.577, 'excellent']]);
  expect(asked('shape')).toEqual([]);
});
