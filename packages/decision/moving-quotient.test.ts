import { expect, test } from '@jest/globals';
import { after, instant, seconds } from '@kubeai/units';
import { createMovingQuotient } from './moving-quotient.ts';

const start = instant(1_700_000_000_000);
const at = (second: number) => after(start, seconds(second));

test('nothing is known before an event, and a first one is believed', () => {
  const quotient = createMovingQuotient(50);
  expect(quotient.value()).toBeUndefined();
  quotient.add(0, 0, at(0));
  expect(quotient.value()).toBeUndefined();
  quotient.add(300, 3, at(1));
  expect(quotient.value()).toBe(100);
});

test('seconds of few events hardly move it, and many events move it at once', () => {
  const quotient = createMovingQuotient(50);
  for (let second = 0; second < 60; second += 1) quotient.add(400, 4, at(second));
  quotient.add(400, 2, at(60));
  expect(quotient.value()).toBeCloseTo(104, 0);
  quotient.add(40_000, 200, at(61));
  expect(quotient.value()).toBeGreaterThan(190);
});

test('quiet seconds forget nothing, and what was before a gap does not count', () => {
  const quotient = createMovingQuotient(50);
  quotient.add(400, 4, at(0));
  quotient.add(0, 0, at(10));
  expect(quotient.value()).toBe(100);
  quotient.add(900, 3, at(60));
  expect(quotient.value()).toBe(300);
});
