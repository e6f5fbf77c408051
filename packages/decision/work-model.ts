// What a token costs a replica. Engines batch: the time between tokens of one stream grows with the streams beside it,
// `interToken = fixed + each × streams`. The slope is what one more token really costs, and so the share of a replica's
// time that arriving tokens fill. Learned by a regression whose past fades.

import { limits } from './limits.ts';
import { significant } from './significant.ts';

/** Faded sums of the regression of inter-token time on concurrency per replica. */
interface Sums {
  readonly n: number;
  readonly x: number;
  readonly y: number;
  readonly xx: number;
  readonly xy: number;
}

export interface WorkModel extends Sums {
  /** Milliseconds of prefill a prompt token, from answers that did not wait. */
  readonly prefillMs?: number;
  /** Milliseconds a generated token; what constant load cannot tell any more is kept. */
  readonly decodeMs?: number;
}

const fade = 0.995;

/** The model with one more second: streams beside each other on a replica, milliseconds between their tokens. */
export function learnWork(
  model: WorkModel | undefined,
  sample: { readonly concurrency: number; readonly interTokenMs: number; readonly prefillMs?: number },
): WorkModel {
  const { n, x, y, xx, xy } = model ?? { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  const add = (sum: number, value: number) => significant(sum * fade + value);
  const sums: Sums = {
    n: add(n, 1),
    x: add(x, sample.concurrency),
    y: add(y, sample.interTokenMs),
    xx: add(xx, sample.concurrency ** 2),
    xy: add(xy, sample.concurrency * sample.interTokenMs),
  };
  const prefill = follow(model?.prefillMs, sample.prefillMs, 30);
  // Light loads flatten the slope: batches are free until they are not. So the cost rises at once and falls slowly.
  const slope = slopeOf(sums);
  const decode = follow(model?.decodeMs, slope, slope !== undefined && slope < (model?.decodeMs ?? 0) ? 1_800 : 10);
  return {
    ...sums,
    ...(prefill === undefined ? {} : { prefillMs: prefill }),
    ...(decode === undefined ? {} : { decodeMs: decode }),
  };
}

/** The mean of about so many seconds of what is told now and then. */
const follow = (before: number | undefined, now: number | undefined, seconds: number): number | undefined =>
  now === undefined ? before : significant(before === undefined ? now : before + (now - before) / seconds);

/** The slope, where the loads of the recent past differ enough: a tenth of the mean tells it from noise. */
function slopeOf({ n, x, y, xx, xy }: Sums): number | undefined {
  if (n < limits.curveSamples) return undefined;
  const mean = x / n;
  const variance = xx / n - mean ** 2;
  if (variance < Math.max(0.05, (0.1 * mean) ** 2)) return undefined;
  const slope = (xy / n - mean * (y / n)) / variance;
  return slope > 0 ? slope : undefined;
}
