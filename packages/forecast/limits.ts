// Every span and bound of a forecast, with its reason.
import { type Milliseconds, minutes, seconds } from '@kubeai/units';

export const limits = {
  /** Demand is averaged over this long; shorter shows the chance of single requests, longer hides a ramp. */
  bucket: seconds(30) as Milliseconds,
  /** What people do repeats each day. */
  season: minutes(24 * 60) as Milliseconds,
  /** Seasonal places: ten minutes each, so that one day fills every place with twenty buckets. */
  seasonPlace: minutes(10) as Milliseconds,
  /** Predictions are judged over about this many buckets: half an hour unlearns a trend that has ended. */
  judgedOver: 60,
  /** Predictions that must have come due before any is believed. */
  judgedAtLeast: 10,
  /** A model must beat "as now" by this much to be followed: being as good is no reason to buy. */
  margin: 0.8,
  /** A season that was right over a day may be so much worse than that of late. */
  leniency: 2,
  /** Spare replicas that a season may cost for a missing one, beyond what `loss` says: it is early or late by some minutes on
   * most days, and the climb it is for comes once in each. A trend may cost none. */
  seasonWorth: 3,
  /** Longest horizon, in buckets; predictions that wait to be judged are bounded by it. */
  horizonBuckets: 60,
  /** Never further above what is needed now than this factor: a trend is no licence to explode. */
  growthAtMost: 2,
} as const;
