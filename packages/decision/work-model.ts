// What a token costs a replica. Engines batch: the time between tokens of one stream grows with the streams beside it,
// `interToken = fixed + each × streams`. The slope is what one more token really costs, and so the share of a replica's
// time that arriving tokens fill. Learned by a regression whose past fades.

import { significant } from './significant.ts';

export interface WorkModel {
  /** Faded sums of the regression of inter-token time on concurrency per replica. */
  readonly n: number;
  readonly x: number;
  readonly y: number;
  readonly xx: number;
  readonly xy: number;
  /** Milliseconds of prefill a prompt token, from answers that did not wait. */
  readonly prefillMs?: number;
}

const fade = 0.995;

/** The model with one more second: streams beside each other on a replica, milliseconds between their tokens. */
export function learnWork(
  model: WorkModel | undefined,
  sample: { readonly concurrency: number; readonly interTokenMs: number; readonly prefillMs?: number },
): WorkModel {
  const { n, x, y, xx, xy } = model ?? { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  const add = (sum: number, value: number) => significant(sum * fade + value);
  const before = model?.prefillMs;
  const prefillMs =
    sample.prefillMs === undefined
      ? before
      : before === undefined
        ? sample.prefillMs
        : before + (sample.prefillMs - before) / 30;
  return {
    n: add(n, 1),
    x: add(x, sample.concurrency),
    y: add(y, sample.interTokenMs),
    xx: add(xx, sample.concurrency ** 2),
    xy: add(xy, sample.concurrency * sample.interTokenMs),
    ...(prefillMs === undefined ? {} : { prefillMs: significant(prefillMs) }),
  };
}

/** Milliseconds of a replica's time that one generated token costs; undefined until loads differed enough to tell. */
export function decodeMs(model: WorkModel | undefined): number | undefined {
  if (model === undefined || model.n < 20) return undefined;
  const mean = model.x / model.n;
  const variance = model.xx / model.n - mean ** 2;
  // A tenth of the mean as deviation is what tells a slope from noise.
  if (variance < Math.max(0.05, (0.1 * mean) ** 2)) return undefined;
  const slope = (model.xy / model.n - mean * (model.y / model.n)) / variance;
  return slope > 0 ? slope : undefined;
}
