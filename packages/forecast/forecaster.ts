// How many replicas the load will need when a replica asked for now would serve. Several models predict; each is scored
// online by what came of its predictions, relative to "as now", and the best one speaks. While none beats "as now" the
// score says so, and whoever decides leaves the forecast alone: a forecast that is wrong must cost nothing.
import type { Instant, Milliseconds } from '@kubeai/units';
import { limits } from './limits.ts';
import { autoregression, holt, holtWinters, type Model, persistence, type Season } from './model.ts';

export interface Prediction {
  /** Replicas that the load at the horizon will need, in fractions. */
  readonly replicas: number;
  /** Error relative to "as now" of late; below 1 it is worth following. */
  readonly score: number;
  readonly model: string;
}

export interface Forecaster {
  /** Replicas that the load needs now, in fractions, as often as it is known. */
  record(now: Instant, replicas: number): void;
  /** The highest need until the horizon; undefined until enough predictions have come due. */
  forecast(horizon: Milliseconds): Prediction | undefined;
  /** What is worth keeping over a restart; undefined while there is nothing. */
  season(): Season | undefined;
}

const bucketsADay = limits.season / limits.bucket;
const bucketsAPlace = limits.seasonPlace / limits.bucket;
const places = bucketsADay / bucketsAPlace;

/** Reads a season back from plain data; undefined when it is none. */
export function restoreSeason(data: unknown): Season | undefined {
  const { since, shape } = (data ?? {}) as Partial<Season>;
  if (!Number.isInteger(since) || !Array.isArray(shape) || shape.length !== places) return undefined;
  if (!shape.every((value) => value === null || (Number.isFinite(value) && value >= 0))) return undefined;
  return { since: since!, shape };
}

interface Judged {
  readonly model: Model;
  readonly pending: { readonly due: number; readonly value: number }[];
  /** Faded mean error. */
  error: number;
}

/** @param learned a season from before a restart */
export function createForecaster(learned?: Season): Forecaster {
  const seasonal = holtWinters(places, bucketsAPlace, learned);
  let bucket: number | undefined;
  let sum = 0;
  let count = 0;
  let last = 0;
  let judgments = 0;
  let ahead = 4;
  let judged: Judged[] = models(ahead);

  function models(horizon: number): Judged[] {
    const all = [persistence(), holt(), seasonal, autoregression(bucketsADay, horizon)];
    return all.map((model) => ({ model, pending: [], error: 0 }));
  }

  /** Too little is as bad as three times too much: a missing replica breaks promises, a spare one costs a little. */
  const loss = (predicted: number, actual: number): number =>
    predicted < actual ? 1.5 * (actual - predicted) : 0.5 * (predicted - actual);

  function close(value: number, at: number): void {
    let due = false;
    for (const each of judged) {
      while (each.pending.length > 0 && each.pending[0]!.due <= at) {
        const { value: predicted } = each.pending.shift()!;
        const weight = Math.min(judgments + 1, limits.judgedOver);
        each.error += (loss(predicted, value) - each.error) / weight;
        due = true;
      }
      each.model.observe(value, at);
      const predicted = each.model.predict(ahead);
      // A model that cannot tell yet is judged as if it had said "as now".
      each.pending.push({ due: at + ahead, value: predicted ?? value });
    }
    if (due) judgments += 1;
    last = value;
  }

  return {
    record(now, replicas) {
      const at = Math.floor(now / limits.bucket);
      bucket ??= at;
      if (at !== bucket) {
        close(sum / count, bucket);
        bucket = at;
        sum = 0;
        count = 0;
      }
      sum += replicas;
      count += 1;
    },
    forecast(horizon) {
      const wanted = Math.max(1, Math.min(limits.horizonBuckets, Math.ceil(horizon / limits.bucket)));
      if (Math.abs(wanted - ahead) > 0.3 * ahead) {
        // Another horizon is another question: what was learned for the old one says little, but of the season.
        ahead = wanted;
        judgments = 0;
        judged = models(ahead);
      }
      if (judgments < limits.judgedAtLeast) return undefined;
      const now = judged[0]!;
      const best = judged.slice(1).reduce((low, each) => (each.error < low.error ? each : low));
      const score = now.error > 0 ? best.error / (limits.margin * now.error) : 1;
      const peak = Math.max(best.model.predict(ahead) ?? last, best.model.predict(Math.ceil(ahead / 2)) ?? last);
      return { replicas: Math.max(0, Math.min(peak, limits.growthAtMost * last)), score, model: best.model.name };
    },
    season: seasonal.season,
  };
}
