// How many replicas the load will need when a replica asked for now would serve. Several models predict; each is scored
// online by what came of its predictions (see judgment.ts), and the best one speaks. While none beats "as now", or none would
// have spared more than it cost, the score says so, and whoever decides leaves the forecast alone.
import type { Instant, Milliseconds } from '@kubeai/units';
import { createJudgment, type Judgment } from './judgment.ts';
import { limits } from './limits.ts';
import { autoregression, holt, holtWinters, type Model, persistence, type Season } from './model.ts';

export interface Prediction {
  /** Replicas that the load at the horizon will need, in fractions. */
  readonly replicas: number;
  /** Below 1 it is worth following: it is more exact than "as now", and spares more than it costs. */
  readonly score: number;
  readonly model: string;
}

export interface Forecaster {
  /**
   * As often as it is known, in fractions of replicas.
   * @param load     what the load needs now
   * @param planned  what is asked for now without a forecast, room for more included
   */
  record(now: Instant, load: number, planned?: number): void;
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

/** @param learned a season from before a restart */
export function createForecaster(learned?: Season): Forecaster {
  const seasonal = holtWinters(places, bucketsAPlace, learned);
  let bucket: number | undefined;
  let sum = 0;
  let plannedSum = 0;
  let count = 0;
  let last = 0;
  let due = 0;
  let ahead = 4;
  let judged: Judgment[] = judgments(ahead);

  function judgments(horizon: number): Judgment[] {
    return [
      createJudgment(persistence()),
      createJudgment(holt()),
      createJudgment(seasonal, bucketsADay),
      createJudgment(autoregression(bucketsADay, horizon)),
    ];
  }

  /** What would be asked for at least. A trend is no licence to explode, and a season goes as high as it was seen to go. */
  function floorOf(model: Model, now: number): number {
    const peak = Math.max(model.predict(ahead) ?? now, model.predict(Math.ceil(ahead / 2)) ?? now);
    const most = model === seasonal ? Math.max(now, seasonal.most() ?? 0) : limits.growthAtMost * now;
    return Math.max(0, Math.min(peak, most));
  }

  function close(load: number, planned: number, at: number): void {
    for (const judgment of judged) {
      const { model } = judgment;
      judgment.judge(load, at);
      model.observe(load, at);
      judgment.say({
        due: at + ahead,
        predicted: model.predict(ahead),
        now: load,
        floor: floorOf(model, load),
        planned,
      });
    }
    due += 1;
    last = load;
  }

  return {
    record(now, load, planned = load) {
      const at = Math.floor(now / limits.bucket);
      bucket ??= at;
      if (at !== bucket) {
        close(sum / count, plannedSum / count, bucket);
        bucket = at;
        sum = 0;
        plannedSum = 0;
        count = 0;
      }
      sum += load;
      plannedSum += planned;
      count += 1;
    },
    forecast(horizon) {
      // What is known last is the mean of a bucket that has ended since: one more lies between it and the horizon.
      const wanted = Math.max(1, Math.min(limits.horizonBuckets, Math.ceil(horizon / limits.bucket) + 1));
      if (Math.abs(wanted - ahead) > 0.3 * ahead) {
        // Another horizon is another question: what was learned for the old one says little, but of the season.
        ahead = wanted;
        due = 0;
        judged = judgments(ahead);
      }
      if (due < ahead + limits.judgedAtLeast) return undefined;
      const asNow = judged[0]!.error();
      // Of those that are worth following the most exact, or else the one that is nearest to it.
      const ranked = judged.slice(1).map((judgment) => ({ judgment, score: judgment.score(asNow) }));
      const worth = ranked.filter(({ score }) => score < 1);
      const { judgment, score } =
        worth.length > 0
          ? worth.reduce((least, each) => (each.judgment.error() < least.judgment.error() ? each : least))
          : ranked.reduce((least, each) => (each.score < least.score ? each : least));
      const { model } = judgment;
      return { replicas: floorOf(model, last), score, model: model.name };
    },
    season: seasonal.season,
  };
}
