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

/**
 * @param daily  buckets of a day, for a model that knows days: what it is good for comes once in each, and at night there is
 *   nothing to be exact about. So it is asked what it spares and costs, once it has done either, and that it is not off by
 *   more than "as now", in squares, for its climbs are few and large. A walk that does not come again is.
 */
export function createJudgment(model: Model, daily?: number): Judgment {
  const pending: Said[] = [];
  const remembered = daily ?? limits.judgedOver;
  let judged = 0;
  let lately = 0;
  /** Of the predictions that it made: mean squares of its own error and of that of "as now", over as much as is remembered. */
  const squares = { count: 0, own: 0, asNow: 0 };
  /** What following it would have spared of missing replicas, and cost in spare ones. */
  let help = 0;
  let harm = 0;

  return {
    model,
    say: (said) => void pending.push(said),
    judge(actual, bucket) {
      while (pending.length > 0 && pending[0]!.due <= bucket) {
        const { predicted, now, floor, planned } = pending.shift()!;
        const error = loss(predicted ?? now, actual);
        if (predicted !== undefined) {
          squares.count = Math.min(squares.count + 1, remembered);
          squares.own += ((predicted - actual) ** 2 - squares.own) / squares.count;
          squares.asNow += ((now - actual) ** 2 - squares.asNow) / squares.count;
        }
        judged = Math.min(judged + 1, limits.judgedOver);
        lately += (error - lately) / judged;
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
      const latest = asNow > 0 ? lately / (limits.margin * asNow) : 1;
      const gain = help > 0 ? harm / help : 1;
      if (daily === undefined) return Math.max(latest, gain);
      if (help + harm === 0) return latest;
      const isJudged = squares.count >= limits.judgedOver && squares.asNow > 0;
      return isJudged ? Math.max(gain, (limits.margin * squares.own) / squares.asNow) : gain;
    },
  };
}
