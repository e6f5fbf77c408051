import { DDSketch } from '@datadog/sketches-js';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { binCount, createSketch, decodeSketch, type EncodedSketch, problemOfEncoded, type Sketch } from './sketch.ts';

const sketchOf = (values: readonly number[]): Sketch => {
  const sketch = createSketch();
  for (const value of values) sketch.record(value);
  return sketch;
};

/** The order statistic the sketch promises to come close to. */
const exact = (values: readonly number[], q: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor(q * (values.length - 1))]!;

const milliseconds = fc.double({ min: 2 ** -10, max: 2 ** 30, noNaN: true, maxExcluded: true });
const quantiles = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1];

test('every quantile lies within one percent of the exact one', () => {
  fc.assert(
    fc.property(fc.array(milliseconds, { minLength: 1, maxLength: 200 }), (values) => {
      const sketch = sketchOf(values);
      for (const q of quantiles) {
        const wanted = exact(values, q);
        expect(Math.abs(sketch.quantile(q)! - wanted)).toBeLessThanOrEqual(0.01 * wanted);
      }
    }),
  );
});

test('both edges of every bin lie within one percent of what stands for the bin', () => {
  for (let bin = 0; bin < binCount; bin += 1) {
    const answer = decodeSketch({ sum: 0, bins: [bin, 1] }).quantile(0.5)!;
    const low = 2 ** (Math.floor(bin / 64) - 10) * (1 + (bin % 64) / 64);
    const high = 2 ** (Math.floor((bin + 1) / 64) - 10) * (1 + ((bin + 1) % 64) / 64);
    expect(answer / low).toBeLessThanOrEqual(1.01);
    expect(answer / high).toBeGreaterThanOrEqual(0.99);
    expect(sketchOf([low, (low + high) / 2]).encode().bins).toEqual([bin, 2]);
  }
});

test('merging two sketches gives the sketch of all their values, encoded or not', () => {
  fc.assert(
    fc.property(fc.array(milliseconds), fc.array(milliseconds), (left, right) => {
      const union = sketchOf([...left, ...right]);
      const merged = sketchOf(left);
      merged.merge(sketchOf(right));
      const fromWire = sketchOf(left);
      fromWire.merge(JSON.parse(JSON.stringify(sketchOf(right).encode())) as EncodedSketch);
      expect(merged.encode().bins).toEqual(union.encode().bins);
      expect(fromWire.encode()).toEqual(merged.encode());
      expect(merged.count).toBe(union.count);
      expect(merged.sum).toBeCloseTo(union.sum, -3);
    }),
  );
});

test('what was encoded decodes to the same sketch', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(milliseconds, fc.constant(0))), (values) => {
      const encoded = sketchOf(values).encode();
      expect(problemOfEncoded(JSON.parse(JSON.stringify(encoded)))).toBeUndefined();
      const decoded = decodeSketch(encoded);
      expect(decoded.encode()).toEqual(encoded);
      expect(decoded.count).toBe(values.length);
      for (const q of quantiles) expect(decoded.quantile(q)).toBe(sketchOf(values).quantile(q));
    }),
  );
});

test.each([
  ['NaN', Number.NaN, 0, undefined],
  ['a negative number', -1, 0, undefined],
  ['infinity', Number.POSITIVE_INFINITY, 0, undefined],
  ['minus infinity', Number.NEGATIVE_INFINITY, 0, undefined],
  ['zero', 0, 1, 0],
  ['minus zero', -0, 1, 0],
  ['less than the range', 2 ** -11, 1, 0],
  ['more than the range', 2 ** 40, 1, 2 ** 30],
])('%s counts as documented', (_name, value, count, median) => {
  const sketch = sketchOf([value]);
  expect(sketch.count).toBe(count);
  if (median === undefined) expect(sketch.quantile(0.5)).toBeUndefined();
  else expect(Math.abs(sketch.quantile(0.5)! - median)).toBeLessThanOrEqual(0.01 * median);
});

test('a value recorded many times weighs as often', () => {
  const sketch = createSketch();
  sketch.record(10, 99);
  sketch.record(1_000);
  expect(sketch.count).toBe(100);
  expect(sketch.sum).toBe(1_990);
  expect(sketch.quantile(0.9)).toBeCloseTo(10, 0);
});

test('counting up to an edge is exact, in between to a bin', () => {
  const sketch = sketchOf([0, 1, 2, 3, 4, 5_000, 2 ** 40]);
  expect([-1, 0, 0.5, 1.5, 2.5, 4.5, 10_000, 2 ** 31].map((edge) => sketch.countAtMost(edge))).toEqual([
    0, 1, 1, 2, 3, 5, 6, 7,
  ]);
});

test('a cleared sketch is as good as new', () => {
  const sketch = sketchOf([0, 1, 2, 3_000]);
  sketch.clear();
  expect(sketch.encode()).toEqual(createSketch().encode());
  sketch.record(7);
  expect(sketch.encode()).toEqual(sketchOf([7]).encode());
});

test.each<[string, unknown]>([
  ['nothing', undefined],
  ['a list', []],
  ['no bins', { sum: 1 }],
  ['a sum that is no number', { sum: '1', bins: [] }],
  ['a negative sum', { sum: -1, bins: [] }],
  ['an infinite sum', { sum: Number.POSITIVE_INFINITY, bins: [] }],
  ['half a pair', { sum: 1, bins: [1] }],
  ['a negative count', { sum: 1, bins: [1, -1] }],
  ['a zero count', { sum: 1, bins: [1, 0] }],
  ['a fraction', { sum: 1, bins: [1, 0.5] }],
  ['a backward step', { sum: 1, bins: [5, 1, -3, 1] }],
  ['a bin beyond the last', { sum: 1, bins: [binCount, 1] }],
  ['steps that add up beyond the last', { sum: 1, bins: [binCount - 1, 1, 0, 1] }],
  ['a negative count below the range', { sum: 1, low: -1, bins: [] }],
  ['too many bins', { sum: 1, bins: Array.from({ length: 2 * binCount + 2 }, () => 1) }],
])('%s is not taken for a sketch', (_name, input) => {
  expect(problemOfEncoded(input)).toEqual(expect.any(String));
});

test('a quantile outside 0 to 1 is a bug in the caller', () => {
  expect(() => createSketch().quantile(99)).toThrow('between 0 and 1');
});

test('as accurate as DDSketch on long-tailed latencies, in JSON that needs no schema', () => {
  // Log-normal by Box-Muller from a fixed sequence: a day of latencies whose p99 is forty times the median.
  let state = 42;
  const uniform = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state + 1) / (2 ** 31 + 1);
  };
  const values = Array.from({ length: 20_000 }, () =>
    Math.exp(4 + 1.6 * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())),
  );
  const ours = sketchOf(values);
  const theirs = new DDSketch({ relativeAccuracy: 0.01 });
  for (const value of values) theirs.accept(value);
  for (const q of quantiles) {
    const wanted = exact(values, q);
    expect(Math.abs(ours.quantile(q)! - wanted) / wanted).toBeLessThanOrEqual(0.01);
    expect(Math.abs(theirs.getValueAtQuantile(q) - wanted) / wanted).toBeLessThanOrEqual(0.0101);
  }
  // Why ours: DDSketch's only wire form needs protobufjs, which it does not declare, and unbounded inputs grow its store;
  // ours is JSON that merges without being decoded first, in memory that never grows. bench/speed.ts compares the speed.
  expect(() => theirs.toProto()).toThrow('protobufjs');
  expect(JSON.stringify(ours.encode()).length).toBeLessThan(8_000);
});
