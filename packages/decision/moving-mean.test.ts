import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { createMovingMean } from './moving-mean.ts';

/** A mean that has seen the values, one a second. */
function after(values: readonly number[]) {
  const mean = createMovingMean();
  for (const [second, value] of values.entries()) mean.add(value, instant(1_000 * second));
  return mean;
}

const minute = (value: number) => Array<number>(60).fill(value);

test.each<[string, number[], (steady: number) => boolean]>([
  [
    'stays where it was when the count wanders by its root',
    [...minute(100), 112, 90, 108, 91],
    (at) => Math.abs(at - 100) < 5,
  ],
  ['follows a burst within seconds', [...minute(10), 60, 60, 60], (at) => at > 35],
  ['follows a drop within seconds', [...minute(200), 5, 5, 5, 5, 5, 5], (at) => at < 50],
])('the steady mean %s', (_name, values, holds) => {
  expect(holds(after(values).steady())).toBe(true);
});

test('after a drop the slow mean still tells of the time before', () => {
  expect(after([...minute(200), 5, 5, 5, 5, 5, 5]).slow()).toBeGreaterThan(150);
});
