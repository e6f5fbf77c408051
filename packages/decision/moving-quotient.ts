// The mean of something per event, over about the last so many events. A few events a second, looked at second by second,
// tell a quotient that jumps by half and more, and whoever follows its peaks buys replicas for nothing.
import { elapsed, type Instant } from '@kubeai/units';
import { follows, never } from './moving-mean.ts';

export interface MovingQuotient {
  /** So much a second, and so many events a second, since the last time. */
  add(perSecond: number, eventsPerSecond: number, now: Instant): void;
  /** Undefined while there was no event, or nothing of it. */
  value(): number | undefined;
}

/** @param events over which about the mean is taken */
export function createMovingQuotient(events: number): MovingQuotient {
  // Numbers of an object change in place; see moving-mean.ts.
  const seen = { sum: 0, count: 0, last: never };
  return {
    add(perSecond, eventsPerSecond, now) {
      const isNext = follows(seen.last, now);
      const seconds = isNext ? elapsed(seen.last, now) / 1_000 : 1;
      const keep = isNext ? Math.exp((-eventsPerSecond * seconds) / events) : 0;
      seen.sum = keep * seen.sum + perSecond * seconds;
      seen.count = keep * seen.count + eventsPerSecond * seconds;
      seen.last = now;
    },
    value: () => (seen.count > 0 && seen.sum > 0 ? seen.sum / seen.count : undefined),
  };
}
