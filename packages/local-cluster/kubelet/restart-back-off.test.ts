import { expect, test } from '@jest/globals';
import { instant, seconds } from '@kubeai/units';
import { backOffAt, nextStart, noBackOff, restarted } from './restart-back-off.ts';

/** The waits before each restart of a container that runs for `runs` seconds each time. */
function waits(runs: number[]): number[] {
  let now = 1_000_000;
  let backOff = noBackOff;
  return runs.map((ran) => {
    now += ran * 1000;
    backOff = backOffAt(backOff, instant(now));
    const start = nextStart(backOff, instant(now));
    const waited = (start - now) / 1000;
    now = start;
    backOff = restarted(backOff, instant(now), seconds(10));
    return waited;
  });
}

test.each([
  ['the first restart is immediate, the next ones wait twice as long each', [5, 5, 5, 5, 5], [0, 10, 20, 40, 80]],
  ['no wait is longer than five minutes', [1, 1, 1, 1, 1, 1, 1, 1], [0, 10, 20, 40, 80, 160, 300, 300]],
  ['ten good minutes forgive everything', [1, 1, 1, 601, 1], [0, 10, 20, 0, 10]],
  ['nine do not', [1, 1, 1, 540, 1], [0, 10, 20, 40, 80]],
])('%s', (_sentence, runs, expected) => {
  expect(waits(runs)).toEqual(expected);
});
