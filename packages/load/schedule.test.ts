import { expect, test } from '@jest/globals';
import { milliseconds, seconds } from '@kubeai/units';
import fc from 'fast-check';
import { scheduleOf } from './schedule.ts';
import type { Trace } from './trace.ts';

/** A request a second. */
const traceOf = (length: number): Trace =>
  Array.from({ length }, (_, index) => ({ at: seconds(index), promptTokens: index, outputTokens: 1 }));

test.each<[string, Parameters<typeof scheduleOf>[1], rows: number[], at: number[]]>([
  ['all of it', {}, [0, 1, 2, 3], [0, 1_000, 2_000, 3_000]],
  ['faster', { speed: 4 }, [0, 1, 2, 3], [0, 250, 500, 750]],
  ['slower', { speed: 0.5 }, [0, 1, 2, 3], [0, 2_000, 4_000, 6_000]],
  ['the first two', { limit: 2 }, [0, 1], [0, 1_000]],
  ['the first half second, twice as fast', { duration: milliseconds(500), speed: 2 }, [0, 1], [0, 500]],
])('a schedule of %s', (_name, options, rows, at) => {
  const schedule = scheduleOf(traceOf(4), options);
  expect(schedule.map(({ row }) => row)).toEqual(rows);
  expect(schedule.map((request) => request.at)).toEqual(at);
  expect(schedule.map(({ promptTokens }) => promptTokens)).toEqual(rows);
});

const anySeed = fc.nat(1_000_000);
const anyShare = fc.double({ min: 0.01, max: 1, noNaN: true });

test('thinning keeps the share it was asked for, whatever the seed', () => {
  const trace = traceOf(5_000);
  fc.assert(
    fc.property(anySeed, anyShare, (seed, thin) => {
      const kept = scheduleOf(trace, { seed, thin }).length;
      // Five standard deviations of a binomial.
      const bound = 5 * Math.sqrt(trace.length * thin * (1 - thin)) + 1;
      expect(Math.abs(kept - trace.length * thin)).toBeLessThan(bound);
    }),
    { numRuns: 60 },
  );
});

test('thinning repeats itself, keeps the order, and a smaller share keeps a part of a larger one', () => {
  const trace = traceOf(500);
  fc.assert(
    fc.property(anySeed, anyShare, anyShare, fc.double({ min: 0.1, max: 100, noNaN: true }), (seed, a, b, speed) => {
      const rowsOf = (thin: number) => scheduleOf(trace, { seed, thin, speed }).map(({ row }) => row);
      const [less, more] = [rowsOf(Math.min(a, b)), rowsOf(Math.max(a, b))];
      expect(rowsOf(Math.min(a, b))).toEqual(less);
      expect(less).toEqual(less.toSorted((x, y) => x - y));
      const kept = new Set(more);
      expect(less.filter((row) => !kept.has(row))).toEqual([]);
    }),
    { numRuns: 60 },
  );
});

test('speed keeps the shape: every gap is divided by it', () => {
  const gaps = fc.array(fc.nat(100_000), { minLength: 2, maxLength: 50 });
  fc.assert(
    fc.property(gaps, fc.double({ min: 0.01, max: 1_000, noNaN: true }), (gapsMs, speed) => {
      let at = 0;
      const trace = gapsMs.map((gap) => {
        at += gap;
        return { at: milliseconds(at), promptTokens: 1, outputTokens: 1 };
      });
      for (const [row, request] of scheduleOf(trace, { speed }).entries()) {
        expect(request.at * speed).toBeCloseTo(trace[row]!.at, 3);
      }
    }),
  );
});

test('different seeds keep different requests', () => {
  const rows = (seed: number) => scheduleOf(traceOf(1_000), { seed, thin: 0.5 }).map(({ row }) => row);
  expect(rows(1)).not.toEqual(rows(2));
});
