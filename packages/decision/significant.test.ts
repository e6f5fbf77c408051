import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { significant } from './significant.ts';

test('a number keeps six digits, and a whole one of six digits is itself', () => {
  const numbers = fc.oneof(
    fc.integer({ min: -10_000_000, max: 10_000_000 }),
    fc.double({ min: -1e12, max: 1e12, noNaN: true }).filter((value) => value === 0 || Math.abs(value) > 1e-9),
  );
  fc.assert(
    fc.property(numbers, (value) => {
      const rounded = significant(value);
      expect(Math.abs(rounded - Number(value.toPrecision(6)))).toBeLessThanOrEqual(1e-5 * Math.abs(value));
      expect(significant(rounded)).toBe(rounded);
      if (Number.isInteger(value) && Math.abs(value) < 1_000_000) expect(rounded).toBe(value);
    }),
  );
});

test('what is no number of things stays what it is', () => {
  for (const value of [0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])
    expect(significant(value)).toBe(value);
});
