// How long a model on given cards works on one step, interpolated between measured medians. Two readings of the
// measurements carry it: a prefill costs what its total of tokens costs, however many requests share them (8 × 512
// tokens take 372 ms, 1 × 4096 take 390), and a decode step costs what the number of sequences in it costs.
// The length of the context is left out of the decode step: 8,192 tokens make it 3 % longer in these measurements.
import { type Measurement, measurements } from './measurements/service-times-table.ts';

export interface ServiceTimes {
  /** Milliseconds to read this many prompt tokens in one step. */
  prefillMs(tokens: number): number;
  /** Milliseconds of one step that gives each of so many sequences its next token. */
  decodeMs(sequences: number): number;
}

export interface Hardware {
  readonly model: string;
  readonly gpu: string;
  readonly tensorParallel: number;
}

type Point = readonly [at: number, ms: number];

/** What can be asked for: `model/gpu/tensorParallel`, as listed in the table. */
export const knownHardware: readonly Hardware[] = Object.keys(measurements).map((key) => {
  const [model = '', gpu = '', tensorParallel] = key.split('/');
  return { model, gpu, tensorParallel: Number(tensorParallel) };
});

/** The measured times of one configuration; undefined when nobody measured it. */
export function serviceTimes({ model, gpu, tensorParallel }: Hardware): ServiceTimes | undefined {
  const rows = measurements[`${model}/${gpu}/${tensorParallel}`];
  if (rows === undefined) return undefined;
  const prefill = curve(rows.map(([promptTokens, batch, prefillMs]) => [promptTokens * batch, prefillMs]));
  const decode = curve(rows.filter(onePromptSize).map(([, batch, , decodeMs]) => [batch, decodeMs]));
  return {
    prefillMs: (tokens) => valueAt(prefill, tokens),
    decodeMs: (sequences) => valueAt(decode, sequences),
  };
}

/** Batches were measured with 512-token prompts only. */
const onePromptSize = ([promptTokens]: Measurement) => promptTokens === 512;

/** One point for each place, sorted, never falling: more work is never faster, the dips are noise of a few ms. */
function curve(points: readonly Point[]): Point[] {
  const places = [...new Set(points.map(([at]) => at))].sort((a, b) => a - b);
  let highest = 0;
  return places.map((place) => {
    const here = points.filter(([at]) => at === place).map(([, ms]) => ms);
    highest = Math.max(highest, here.reduce((sum, ms) => sum + ms, 0) / here.length);
    return [place, highest];
  });
}

/** Linear between the points, flat before the first (the floor of any pass), the last slope beyond the last. */
function valueAt(points: readonly Point[], at: number): number {
  const next = points.findIndex(([place]) => at <= place);
  if (next === 0) return points[0]![1];
  const upper = next === -1 ? points.length - 1 : next;
  const [x0, y0] = points[upper - 1]!;
  const [x1, y1] = points[upper]!;
  return y0 + ((at - x0) / (x1 - x0)) * (y1 - y0);
}
