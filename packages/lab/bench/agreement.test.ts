import { expect, test } from '@jest/globals';
import { agreementOf, areaOf, sizesOf, startsOf } from './agreement.ts';

const change = (seconds: number, from: number, to: number) => ({ atMs: seconds * 1_000, from, to });
const up = [change(10, 1, 2), change(20, 2, 4)];

test('a start lasts from the n-th replica asked for to the n-th that served', () => {
  const ready = (seconds: number, count: number) => ({ atMs: seconds * 1_000, ready: count });
  expect(startsOf(up, [ready(17, 2), ready(26, 3), ready(29, 4)], 1)).toEqual([7_000, 6_000, 9_000]);
  // One that was taken back before it served has no end.
  expect(startsOf(up, [ready(17, 2), ready(26, 3)], 1)).toEqual([7_000, 6_000]);
});

test('replica-seconds are the area under what was asked for', () => {
  expect(areaOf(sizesOf(up, 1), 30_000)).toBe(10 + 20 + 40);
  expect(areaOf(sizesOf(up, 1), 15_000)).toBe(10 + 10);
});

test.each<[string, { p95: number; changes: typeof up }, boolean[]]>([
  ['the same', { p95: 1_000, changes: up }, [true, true]],
  ['first tokens a fifth apart', { p95: 1_200, changes: up }, [true, true]],
  ['first tokens a quarter apart', { p95: 1_250, changes: up }, [false, true]],
  ['a decision some seconds later', { p95: 1_000, changes: [change(14, 1, 2), change(24, 2, 4)] }, [true, true]],
  ['one replica less for ever', { p95: 1_000, changes: [change(10, 1, 2), change(20, 2, 3)] }, [true, true]],
  ['two replicas less for ever', { p95: 1_000, changes: [change(10, 1, 2)] }, [true, false]],
  ['two replicas at once far too late', { p95: 1_000, changes: [change(10, 1, 2), change(27, 2, 4)] }, [true, false]],
  [
    'two replicas too many in between',
    { p95: 1_000, changes: [...up, change(40, 4, 6), change(50, 6, 4)] },
    [true, false],
  ],
])('two runs agree or not: %s', (_, { p95, changes }, expected) => {
  const real = { firstTokenP95Ms: 1_000, sizes: sizesOf(up, 1) };
  const simulated = { firstTokenP95Ms: p95, sizes: sizesOf(changes, 1) };
  expect(agreementOf(real, [simulated], 90_000).map(({ holds }) => holds)).toEqual(expected);
});

test('of several plays the one in the middle is judged, of first tokens and of sizes', () => {
  const real = { firstTokenP95Ms: 1_000, sizes: sizesOf(up, 1) };
  const near = { firstTokenP95Ms: 1_100, sizes: sizesOf(up, 1) };
  const far = { firstTokenP95Ms: 1_900, sizes: sizesOf([change(10, 1, 2)], 1) };
  expect(agreementOf(real, [far, near, near], 90_000).map(({ holds }) => holds)).toEqual([true, true]);
  expect(agreementOf(real, [far, near, far], 90_000).map(({ holds }) => holds)).toEqual([false, false]);
});
