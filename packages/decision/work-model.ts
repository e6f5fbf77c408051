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
  /** Milliseconds to the first token of answers that did not wait for a place. */
  readonly firstTokenMs?: number;
  /** Milliseconds between tokens for each stream more; what constant load cannot tell any more is kept. */
  readonly slopeMs?: number;
  /** The same, up to where all places are taken, as full replicas showed it: batches are free until they are not. */
  readonly steepMs?: number;
  /** Requests that a replica serves at once when it is full. */
  readonly places?: number;
}

const nothing: WorkModel = { n: 0, x: 0, y: 0, xx: 0, xy: 0 };
const fade = 0.995;

/** The model with one more quiet second: streams beside each other on a replica, milliseconds between their tokens. */
export function learnTokenTimes(
  model: WorkModel | undefined,
  sample: { readonly concurrency: number; readonly interTokenMs: number; readonly firstTokenMs?: number },
): WorkModel {
  const { n, x, y, xx, xy, ...rest } = model ?? nothing;
  const add = (sum: number, value: number) => significant(sum * fade + value);
  const sums: Sums = {
    n: add(n, 1),
    x: add(x, sample.concurrency),
    y: add(y, sample.interTokenMs),
    xx: add(xx, sample.concurrency ** 2),
    xy: add(xy, sample.concurrency * sample.interTokenMs),
  };
  const firstToken = follow(model?.firstTokenMs, sample.firstTokenMs);
  const slope = follow(model?.slopeMs, slopeOf(sums));
  return {
    ...rest,
    ...sums,
    ...(firstToken === undefined ? {} : { firstTokenMs: firstToken }),
    ...(slope === undefined ? {} : { slopeMs: slope }),
    // What full replicas showed was true beside the answers of then: it gives way to what is seen since.
    ...(rest.steepMs === undefined ? {} : { steepMs: significant(rest.steepMs * limits.steepFade) }),
  };
}

/** The model after a look at full replicas: who serves more than ever has room for more, and is believed at once. */
export function learnPlaces(model: WorkModel = nothing, seen: number): WorkModel {
  const { places: before } = model;
  const places = before === undefined || seen > before ? seen : before + (seen - before) / limits.placesMean;
  return { ...model, places: significant(places) };
}

/** The model after a look at a target whose replicas are all full: how much slower than at the loads of before they are. */
export function learnFull(model: WorkModel, interTokenMs: number): WorkModel {
  const { n, x, y, places } = model;
  if (places === undefined || n < limits.curveSamples || places - x / n < 0.25 * places) return model;
  const steep = Math.max(0, (interTokenMs - y / n) / (places - x / n));
  return { ...model, steepMs: significant(steep) };
}

/**
 * Milliseconds of a full replica that a request takes: how long its answer would take with all places taken, over the places.
 * @param now tokens of an answer, milliseconds between them, and the load of a replica at which they were measured
 * @returns undefined until a full replica was seen
 */
export function requestCost(
  model: WorkModel | undefined,
  now: { readonly tokens: number; readonly interTokenMs: number; readonly load: number },
): number | undefined {
  if (model?.places === undefined) return undefined;
  const { places, firstTokenMs = 0, slopeMs, steepMs } = model;
  // No batch makes tokens slower than in proportion; until loads have differed, a quarter of that is taken.
  const proportion = now.interTokenMs / Math.max(1, now.load);
  const slope = Math.min(Math.max(slopeMs ?? steepMs ?? proportion / 4, steepMs ?? 0), proportion);
  const full = now.interTokenMs + slope * Math.max(0, places - now.load);
  return (firstTokenMs + now.tokens * full) / places;
}

/** The mean of about half a minute of what is told now and then. */
const follow = (before: number | undefined, now: number | undefined): number | undefined =>
  now === undefined ? before : significant(before === undefined ? now : before + (now - before) / limits.curveSamples);

/** The slope, where the loads of the recent past differ enough: a quarter of the mean tells it from noise. */
function slopeOf({ n, x, y, xx, xy }: Sums): number | undefined {
  if (n < limits.curveSamples) return undefined;
  const mean = x / n;
  const variance = xx / n - mean ** 2;
  if (variance < Math.max(0.05, (0.25 * mean) ** 2)) return undefined;
  const slope = (xy / n - mean * (y / n)) / variance;
  return slope > 0 ? slope : undefined;
}
