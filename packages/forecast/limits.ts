// Every span and bound of a forecast, with its reason.
import { type Milliseconds, minutes, seconds } from '@kubeai/units';

export const limits = {
  /** Demand is averaged over this long; shorter shows the chance of single requests, longer hides a ramp. */
  bucket: seconds(30) as Milliseconds,
  /** What people do repeats each day. */
  season: minutes(24 * 60) as Milliseconds,
  /** Seasonal places: ten minutes each, so that one day fills every place with twenty buckets. */
  seasonPlace: minutes(10) as Milliseconds,
  /** Buckets over which the size of a day is averaged: most of an hour, which is longer than mornings differ by. */
  sizeMean: 100,
  /** Predictions are judged over about this many buckets: half an hour unlearns a trend that has ended. */
  judgedOver: 60,
  /** Predictions that must have come due before any is believed. */
  judgedAtLeast: 10,
  /** A trend must beat "as now" by this much to be followed: being as good is no reason to buy. A season, which only has to spare
   * more than it costs, may be worse by as much. */
  margin: 0.8,
  /** Longest horizon, in buckets; predictions that wait to be judged are bounded by it. */
  horizonBuckets: 60,
  /** Never further above what is needed now than this factor: a trend is no licence to explode. */
  growthAtMost: 2,
} as const;
