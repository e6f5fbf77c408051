import { expect, test } from '@jest/globals';
import { fixed } from './rivals.ts';
import { scoreOf } from './score.ts';
import type { Outcome } from './simulation.ts';
import { workloadOf } from './workload.ts';

/** A request a second for ten minutes; those between the given seconds get their first token late. */
function scored(bad: readonly (readonly [from: number, until: number])[], steps: readonly number[] = []) {
  const rows = Array.from({ length: 600 }, (_, second) => ({ at: second * 1_000, promptTokens: 10, outputTokens: 3 }));
  const workload = { ...workloadOf('even', rows, 600_000), steps: steps.map((second) => second * 1_000) };
  const isLate = (second: number) => bad.some(([from, until]) => second >= from && second < until);
  const firstAt = workload.at.map((at, second) => at + (isLate(second) ? 5_000 : 500));
  const outcome: Outcome = {
    contender: fixed(1),
    judgedFromMs: 0,
    firstAt,
    doneAt: firstAt.map((at) => at + 200),
    replicaSeconds: 1_200,
    starts: 0,
    abandoned: 0,
    rejected: 0,
    moments: [],
    minutes: [],
  };
  return scoreOf(workload, outcome, { firstTokenMs: 2_000, perTokenMs: 200 }, 8);
}

test.each<[string, Parameters<typeof scored>, number]>([
  ['nothing where nothing was missed', [[]], 0],
  ['from the first misses to the last', [[[100, 140]]], 40],
  ['from the step that brought the misses', [[[100, 140]], [90]], 50],
  ['from a step within the first bad window', [[[95, 140]], [93]], 47],
  ['nothing from a step long ago', [[[500, 540]], [90]], 40],
  [
    'one trouble where it is good in between for a moment',
    [
      [
        [100, 140],
        [160, 200],
      ],
    ],
    100,
  ],
  [
    'the longer of two troubles',
    [
      [
        [100, 140],
        [300, 320],
      ],
    ],
    40,
  ],
])('recovery is %s', (_, given, seconds) => {
  expect(scored(...given).recoverySeconds).toBe(seconds);
});

test('a score counts misses, cost and quantiles', () => {
  const score = scored([[0, 60]]);
  expect(score).toMatchObject({ requests: 600, misses: 60, attainment: 0.9, gpuHours: (1_200 * 8) / 3_600, lost: 0 });
  expect(score.firstTokenP50Ms).toBeCloseTo(500, -1);
  expect(score.firstTokenP95Ms / 5_000).toBeCloseTo(1, 1);
  expect(score.perTokenP95Ms).toBeCloseTo(100, -1);
});
