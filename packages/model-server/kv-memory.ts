// How many tokens the cards can remember: what the weights leave free of 90 % of the memory, cut into blocks of 16
// tokens as vLLM does. This is arithmetic on the published shapes of the models, not a measurement.
import type { Hardware } from './service-times.ts';

export const blockTokens = 16;

const gigabyte = 1e9;
const usableBytesPerGpu = 0.9 * 80 * gigabyte;

/** Weights in 16 bits; keys and values in 16 bits for every layer and head. */
const models: Record<string, { readonly weightBytes: number; readonly bytesPerToken: number }> = {
  'llama2-70b': { weightBytes: 138 * gigabyte, bytesPerToken: 2 * 80 * 8 * 128 * 2 },
  'bloom-176b': { weightBytes: 352 * gigabyte, bytesPerToken: 2 * 70 * 112 * 128 * 2 },
};

/** Blocks of `blockTokens` tokens that fit beside the weights; at least one. */
export function kvBlocksOf({ model, tensorParallel }: Hardware): number {
  const shape = models[model]!;
  const free = usableBytesPerGpu * tensorParallel - shape.weightBytes;
  return Math.max(1, Math.floor(free / (shape.bytesPerToken * blockTokens)));
}
