// A fast and a slow exponential mean of a fleet's total. The slow one is what growth follows in quiet times, since chance
// alone makes a second's count wander; the fast one takes over when it rises above the slow one by more than chance does.
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

export interface MovingMean {
  add(value: number, now: Instant): void;
  /** The slow mean, or the fast one in a burst. */
  steady(): number;
  fast(): number;
  slow(): number;
  /** The same work is shared by more or fewer: what each carries changes at once. */
  scale(factor: number): void;
  /** Starts over from a value that is known to be true, such as the zero of an idle fleet. */
  reset(value: number, now: Instant): void;
}

/** `spread`: what one value wanders by, in roots of its mean. 1 for a count of things that stay a while; less for events a
 * second, of which the fast mean adds up several. */
export function createMovingMean(spread = 1): MovingMean {
  let fast = 0;
  let slow = 0;
  let last: Instant | undefined;
  let burst = false;
  const reset = (value: number, now: Instant) => {
    fast = value;
    slow = value;
    last = now;
    burst = false;
  };
  return {
    reset,
    add(value, now) {
      // After a gap the past is no guide to now, and what was before must not linger for another minute.
      if (last === undefined || now < last || elapsed(last, now) > limits.lostAfter) return reset(value, now);
      const span = elapsed(last, now);
      if (span === 0) return;
      fast += (value - fast) * (1 - Math.exp(-span / limits.fastMean));
      // In a burst the past is no guide: the slow mean hurries to catch up, and the burst ends when it has.
      slow += (value - slow) * (1 - Math.exp(-span / (burst ? limits.burstMean : limits.slowMean)));
      last = now;
      // A count of mean m wanders by about its root. Looked at each second for months, twice that is seen all the time.
      burst = burst ? fast > slow : fast - slow > Math.max(0.2 * slow, 4 * spread * Math.sqrt(slow));
    },
    steady: () => (burst ? fast : slow),
    scale(factor) {
      fast *= factor;
      slow *= factor;
    },
    fast: () => fast,
    slow: () => slow,
  };
}
