// The forecast of one target: what it needs is recorded as it is decided, and what it will need is asked for before the
// next decision. How well that turned out is judged by the forecaster; whether it counts, by the decision.
import { type Decision, needOf } from '@kubeai/decision';
import { createForecaster, forecastLimits, type Prediction, type Season } from '@kubeai/forecast';
import { elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';

export interface Foresight {
  record(decision: Decision, now: Instant): void;
  /** Undefined until predictions have come due, and once nothing has been measured for a while. */
  forecast(horizon: Milliseconds, now: Instant): Prediction | undefined;
  /** To be kept in the status. */
  season(): Season | undefined;
}

/** Demand that is older says nothing about what comes. */
const freshFor = milliseconds(2 * forecastLimits.bucket);

export function createForesight(learned: Season | undefined): Foresight {
  const forecaster = createForecaster(learned);
  let recordedAt: Instant | undefined;
  return {
    record(decision, now) {
      const need = needOf(decision);
      if (need === undefined) return;
      forecaster.record(now, need.load, need.planned);
      recordedAt = now;
    },
    forecast(horizon, now) {
      if (recordedAt === undefined || elapsed(recordedAt, now) > freshFor) return undefined;
      return forecaster.forecast(horizon);
    },
    season: forecaster.season,
  };
}
