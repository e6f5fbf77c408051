import { expect, test } from '@jest/globals';
import { kvBlocksOf } from './kv-memory.ts';
import { knownHardware, serviceTimes } from './service-times.ts';

const h100 = { model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 };

test.each<[tokens: number, ms: number]>([
  [1, 58.2],
  [1_024, 77.4],
  [2_048, 134.7],
  [3_072, 257.8],
  [4_096, 381],
  [32_768, 2_936.3],
  [49_152, 4_321],
])('reading %i tokens takes %d ms', (tokens, ms) => {
  expect(Math.abs(serviceTimes(h100)!.prefillMs(tokens) / ms - 1)).toBeLessThan(0.01);
});

test.each<[sequences: number, ms: number]>([
  [1, 30.6],
  [3, 31.2],
  [16, 34.2],
  [24, 36.4],
  [64, 50.2],
  [128, 73.4],
])('a decode step of %i takes %d ms', (sequences, ms) => {
  expect(Math.abs(serviceTimes(h100)!.decodeMs(sequences) / ms - 1)).toBeLessThan(0.01);
});

test.each(knownHardware)(
  '$model on $tensorParallel × $gpu never gets faster by more work, and has memory',
  (hardware) => {
    const { prefillMs, decodeMs } = serviceTimes(hardware)!;
    const tokens = Array.from({ length: 80 }, (_, index) => index * 512 + 1);
    const batches = Array.from({ length: 100 }, (_, index) => index + 1);
    for (const values of [tokens.map(prefillMs), batches.map(decodeMs)]) {
      expect(values).toEqual(values.toSorted((a, b) => a - b));
    }
    expect(kvBlocksOf(hardware)).toBeGreaterThan(500);
  },
);

test('what nobody measured has no times', () => {
  expect(serviceTimes({ ...h100, gpu: 'b200' })).toBeUndefined();
});
