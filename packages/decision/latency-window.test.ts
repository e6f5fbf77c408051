import { expect, test } from '@jest/globals';
import { createSketch } from '@kubeai/sketch';
import { instant } from '@kubeai/units';
import fc from 'fast-check';
import { createLatencyWindow } from './latency-window.ts';

const values = fc.array(fc.double({ min: 0, max: 1e8, noNaN: true }), { minLength: 1, maxLength: 80 });

test('its percentiles are those of one sketch over everything', () => {
  fc.assert(
    fc.property(fc.array(values, { minLength: 1, maxLength: 6 }), (parts) => {
      const window = createLatencyWindow();
      const whole = createSketch();
      const now = instant(1_000_000);
      for (const part of parts) {
        const sketch = createSketch();
        for (const value of part) {
          sketch.record(value);
          whole.record(value);
        }
        window.add(sketch.encode(), now);
      }
      for (const q of [0, 0.5, 0.9, 0.95, 0.99, 1]) expect(window.quantile(q, now)).toBe(whole.quantile(q));
      expect(window.mean(now)).toBeCloseTo(whole.sum / whole.count, 3);
    }),
    { numRuns: 100 },
  );
});

const one = (value: number) => {
  const sketch = createSketch();
  sketch.record(value);
  return sketch.encode();
};

test.each([
  [0, 9_000],
  [9, 9_000],
  [14, 9_000],
  [15, undefined],
  [3_600, undefined],
])('a value is known for ten to fifteen seconds: after %d s', (seconds, expected) => {
  const window = createLatencyWindow();
  window.add(one(9_000), instant(1_000_000));
  const got = window.quantile(0.95, instant(1_000_000 + 1_000 * seconds));
  if (expected === undefined) expect(got).toBeUndefined();
  else expect(Math.abs(got! - expected) / expected).toBeLessThan(0.01);
});

test('an empty window has no percentile and no mean', () => {
  const window = createLatencyWindow();
  window.add(createSketch().encode(), instant(1_000));
  expect(window.quantile(0.5, instant(1_000))).toBeUndefined();
  expect(window.mean(instant(1_000))).toBeUndefined();
});
