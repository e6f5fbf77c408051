// The mean of something per event, over about the last so many events. A few events a second, looked at second by second,
// tell a quotient that jumps by half and more, and whoever follows its peaks buys replicas for nothing.
import { elapsed, type Instant } from '@kubeai/units';
import { follows } from './moving-mean.ts';

export interface MovingQuotient {
  /** So much a second, and so many events a second, since the last time. */
  add(perSecond: number, eventsPerSecond: number, now: Instant): void;
  /** Undefined while there was no event, or nothing of it. */
  value(): number | undefined;
}

/** @param events over which about the mean is taken */
export function createMovingQuotient(events: number): MovingQuotient {
  let sum = 0;
  let count = 0;
  let last: Instant | undefined;
  return {
    add(perSecond, eventsPerSecond, now) {
      const known = follows(last, now) ? elapsed(last, now) / 1_000 : undefined;
      const seconds = known ?? 1;
      const keep = known === undefined ? 0 : Math.exp((-eventsPerSecond * seconds) / events);
      sum = keep * sum + perSecond * seconds;
      count = keep * count + eventsPerSecond * seconds;
      last = now;
    },
    value: () => (count > 0 && sum > 0 ? sum / count : undefined),
  };
}
