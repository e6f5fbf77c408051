// How a model has done, by what came of its predictions: beside "as now", and as a floor under what is asked for anyway. A
// prediction that is right and changes nothing is not worth following, for it buys what the room for more has bought before.
import { limits } from './limits.ts';
import type { Model } from './model.ts';

/** What was said at one moment, to be judged when it is due. */
export interface Said {
  readonly due: number;
  /** Undefined where the model could not tell. */
  readonly predicted: number | undefined;
  readonly now: number;
  /** What would have been asked for because of it, at least, and what was asked for anyway. */
  readonly floor: number;
  readonly planned: number;
}

export interface Judgment {
  readonly model: Model;
  /** Notes what the model said. */
  say(said: Said): void;
  /** What was due until a bucket meets what came of it. */
  judge(actual: number, bucket: number): void;
  /** Mean error of late; where the model could not tell, that of "as now". */
  error(): number;
  /** Below 1 the model is worth following. `asNow` is the mean error of "as now" of late. */
  score(asNow: number): number;
}

/** Too little is as bad as three times too much: a missing replica breaks promises, a spare one costs a little. */
const loss = (said: number, actual: number): number => (said < actual ? 1.5 * (actual - said) : 0.5 * (said - actual));

const ratio = (error: number, asNow: number): number => (asNow > 0 ? error / (limits.margin * asNow) : 1);

/** @param daily  buckets of a day, for a model that knows days: what it is good for comes once in each */
export function createJudgment(model: Model, daily?: number): Judgment {
  const pending: Said[] = [];
  const remembered = daily ?? limits.judgedOver;
  const worth = daily === undefined ? 1 : limits.seasonWorth;
  let judged = 0;
  let lately = 0;
  /** Of the predictions that it made: its own mean error and that of "as now", over as much as is remembered. */
  const own = { count: 0, error: 0, asNow: 0 };
  /** What following it would have spared of missing replicas, and cost in spare ones. */
  let help = 0;
  let harm = 0;

  return {
    model,
    say: (said) => void pending.push(said),
    judge(actual, bucket) {
      while (pending.length > 0 && pending[0]!.due <= bucket) {
        const { predicted, now, floor, planned } = pending.shift()!;
        const asNow = loss(now, actual);
        const error = predicted === undefined ? asNow : loss(predicted, actual);
        judged = Math.min(judged + 1, limits.judgedOver);
        lately += (error - lately) / judged;
        if (predicted !== undefined) {
          own.count = Math.min(own.count + 1, remembered);
          own.error += (error - own.error) / own.count;
          own.asNow += (asNow - own.asNow) / own.count;
        }
        // Replicas are bought whole. A trend has to spare more than rounding costs; it goes on every day, and a season is
        // wanted for one climb.
        const asked = Math.ceil(planned);
        const needed = daily === undefined ? actual : Math.ceil(actual);
        const spared = loss(asked, needed) - loss(Math.max(asked, Math.ceil(floor)), needed);
        help = (1 - 1 / remembered) * help + Math.max(0, spared);
        harm = (1 - 1 / remembered) * harm + Math.max(0, -spared);
      }
    },
    error: () => lately,
    score(asNow) {
      const latest = ratio(lately, asNow);
      const gain = help > 0 ? harm / (worth * help) : 1;
      if (daily === undefined) return Math.max(latest, gain);
      // At night there is little to be right about, and the morning that a season is for is hours away.
      const all = own.count < limits.judgedOver ? latest : ratio(own.error, own.asNow);
      const right = Math.min(latest, Math.max(all, latest / limits.leniency));
      return help + harm > 0 ? Math.max(right, gain) : right;
    },
  };
}
