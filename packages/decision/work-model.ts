// What a request costs a replica. Engines batch: a request holds one of so many places for as long as its answer takes, and
// that grows with the streams beside it, `interToken = fixed + slope × streams`. The places are seen when a replica is full,
// the line is learned by a regression whose past fades, and is read off where all places are taken.

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
  /** Milliseconds between tokens for each stream more; what constant load cannot tell any more is kept. */
  readonly slopeMs?: number;
  /** Milliseconds between the tokens of full replicas, where they were seen. */
  readonly fullMs?: number;
  /** Requests that a replica serves at once when it is full. */
  readonly places?: number;
}

const fade = 0.995;

/** The model with one more quiet second: streams beside each other on a replica, milliseconds between their tokens. */
export function learnTokenTimes(
  model: WorkModel | undefined,
  sample: { readonly concurrency: number; readonly interTokenMs: number; readonly prefillMs?: number },
): WorkModel {
  const { n, x, y, xx, xy, ...rest } = model ?? { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  const add = (sum: number, value: number) => significant(sum * fade + value);
  const sums: Sums = {
    n: add(n, 1),
    x: add(x, sample.concurrency),
    y: add(y, sample.interTokenMs),
    xx: add(xx, sample.concurrency ** 2),
    xy: add(xy, sample.concurrency * sample.interTokenMs),
  };
  const prefill = follow(model?.prefillMs, sample.prefillMs, 30);
  const slope = follow(model?.slopeMs, slopeOf(sums), 30);
  return {
    ...rest,
    ...sums,
    ...(prefill === undefined ? {} : { prefillMs: prefill }),
    ...(slope === undefined ? {} : { slopeMs: slope }),
  };
}

/** The model after a look at full replicas: who serves more than ever has room for more, and is believed at once. */
export function learnPlaces(model: WorkModel | undefined, seen: number, interTokenMs?: number): WorkModel {
  const sums = model ?? { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
  const before = model?.places;
  const places = before === undefined || seen > before ? seen : before + (seen - before) / limits.placesMean;
  const full = follow(model?.fullMs, interTokenMs, 30);
  return { ...sums, places: significant(places), ...(full === undefined ? {} : { fullMs: full }) };
}

/**
 * Milliseconds of a full replica that a request takes: its own time beside as many others as there are places, over the places.
 * @returns undefined until a full replica was seen, and how token times grow with load
 */
export function requestCost(
  model: WorkModel | undefined,
  promptTokens: number,
  generatedTokens: number,
): number | undefined {
  if (model?.places === undefined) return undefined;
  const full = model.fullMs ?? fullTokenTime(model, model.places);
  if (full === undefined) return undefined;
  return (promptTokens * (model.prefillMs ?? 0) + generatedTokens * full) / model.places;
}

/** Milliseconds between the tokens of a full replica, told from those of emptier ones. */
function fullTokenTime({ n, x, y, slopeMs }: WorkModel, places: number): number | undefined {
  if (n < limits.curveSamples) return undefined;
  const [load, interToken] = [x / n, y / n];
  // Until loads have differed enough to tell, a quarter of a token's time is taken to grow with the streams beside it.
  const slope = slopeMs ?? (0.25 * interToken) / Math.max(1, load);
  return Math.max(interToken, interToken + slope * (places - load));
}

/** The mean of about so many seconds of what is told now and then. */
const follow = (before: number | undefined, now: number | undefined, seconds: number): number | undefined =>
  now === undefined ? before : significant(before === undefined ? now : before + (now - before) / seconds);

/** The slope, where the loads of the recent past differ enough: a quarter of the mean tells it from noise. */
function slopeOf({ n, x, y, xx, xy }: Sums): number | undefined {
  if (n < limits.curveSamples) return undefined;
  const mean = x / n;
  const variance = xx / n - mean ** 2;
  if (variance < Math.max(0.05, (0.25 * mean) ** 2)) return undefined;
  const slope = (xy / n - mean * (y / n)) / variance;
  return slope > 0 ? slope : undefined;
}
