// That made-up traffic is what its name says, and the same each time.
import { expect, test } from '@jest/globals';
import type { Workload } from '../workload.ts';
import { cases } from './cases.ts';
import { isMade, type MadeName, madeAs, madeNames, madeTraffic } from './made-traffic.ts';

const mean = (values: ArrayLike<number>) => Array.from(values).reduce((sum, each) => sum + each, 0) / values.length;

/** Requests of each minute. */
function minutesOf({ at, spanMs }: Workload): Float64Array {
  const minutes = new Float64Array(spanMs / 60_000);
  for (const each of at) minutes[Math.floor(each / 60_000)]! += 1;
  return minutes;
}

/** How many times as much came in the second stretch of minutes as in the first. */
const rise = (minutes: Float64Array, before: readonly [number, number], after: readonly [number, number]) =>
  mean(minutes.subarray(...after)) / mean(minutes.subarray(...before));

test.each<[MadeName, number, string, (workload: Workload, minutes: Float64Array) => number, number, number]>([
  [
    'launch',
    4.25,
    'climbs elevenfold within 20 minutes',
    (_, minutes) =>
      Math.max(...Array.from({ length: 225 }, (_, at) => rise(minutes, [at, at + 10], [at + 26, at + 30]))),
    9,
    13,
  ],
  ['outages', 4, 'brings nobody for minutes', (_, minutes) => minutes.filter((each) => each === 0).length, 2, 60],
  ['outages', 4, 'brings some times as many afterwards', (_, minutes) => Math.max(...minutes) / mean(minutes), 2, 10],
  ['tool loops', 2, 'has prompts that grow', ({ prompt }) => mean(prompt) / 900, 5, 16],
  ['moderation', 0.25, 'answers in five tokens', ({ output }) => mean(output), 4.5, 5.5],
  ['very long prompts', 0.5, 'has very long prompts', ({ prompt }) => mean(prompt), 7_000, 7_800],
  [
    'Pareto lengths',
    0.5,
    'writes a tenth of all tokens in one answer of a hundred',
    ({ output }) => {
      const longest = output.toSorted().subarray(-output.length / 100);
      return (mean(longest) * longest.length) / (mean(output) * output.length);
    },
    0.1,
    0.3,
  ],
])('%s in %d hours: %s', (name, hours, _, measured, least, most) => {
  const workload = madeTraffic(name, 1, hours);
  const value = measured(workload, minutesOf(workload));
  expect(value).toBeGreaterThan(least);
  expect(value).toBeLessThan(most);
});

test.each<MadeName>(['code in fits', 'lulls and scripts', 'uneven clients'])(
  '%s is the same by the same seed alone',
  (name) => {
    const bytesOf = (seed: number) => {
      const { at, prompt, output } = madeTraffic(name, seed, 1);
      return Buffer.concat([at, prompt, output].map(({ buffer }) => Buffer.from(buffer)));
    };
    const first = bytesOf(1);
    expect(bytesOf(1).equals(first)).toBe(true);
    expect(bytesOf(2).equals(first)).toBe(false);
  },
);

test('every trace is a case of its own kind, and half of each kind is kept apart', () => {
  const played = cases.filter(({ trace }) => isMade(trace));
  expect(played.map(({ trace }) => trace)).toEqual(madeNames);
  for (const kind of ['diurnal', 'bursty', 'smooth']) {
    const ofKind = played.filter((each) => each.kind === kind);
    expect(ofKind.map(({ trace }) => trace)).toEqual(madeNames.filter((name) => madeAs(name).kind === kind));
    expect(ofKind.filter(({ split }) => split === 'validation').length).toBe(ofKind.length / 2);
  }
});
