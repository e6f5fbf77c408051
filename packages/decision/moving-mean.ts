// A fast and a slow exponential mean of a fleet's total. The slow one counts in quiet times, since chance alone makes a
// second's count wander; the fast one takes over when it leaves the slow one by more than chance does, up or down.
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

export interface MovingMean {
  add(value: number, now: Instant): void;
  /** The value has jumped and will stay for so long at least: what that will make of the fast mean counts now. */
  foresee(value: number, span: number): void;
  /** The slow mean, or the fast one in a burst and after a drop. */
  steady(): number;
  fast(): number;
  slow(): number;
  /** The same work is shared by more or fewer: what each carries changes at once. */
  scale(factor: number): void;
  /** Starts over from a value that is known to be true, such as the zero of an idle fleet. */
  reset(value: number, now: Instant): void;
}

/** Whether the time since the last value is known: not after a silence, nor when the clock was set back. */
export const follows = (last: Instant | undefined, now: Instant): last is Instant =>
  last !== undefined && now >= last && elapsed(last, now) <= limits.lostAfter;

/** `spread`: what one value wanders by, in roots of its mean. 1 for a count of things that stay a while; less for events a
 * second, of which the fast mean adds up several. */
export function createMovingMean(spread = 1): MovingMean {
  let fast = 0;
  let slow = 0;
  let last: Instant | undefined;
  let burst = false;
  // A count of mean m wanders by about its root. Looked at each second for months, twice that is seen all the time.
  const chance = () => Math.max(0.2 * slow, 4 * spread * Math.sqrt(slow));
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
      if (!follows(last, now)) return reset(value, now);
      const span = elapsed(last, now);
      if (span === 0) return;
      fast += (value - fast) * (1 - Math.exp(-span / limits.fastMean));
      // In a burst the past is no guide: the slow mean hurries to catch up, and the burst ends when it has.
      slow += (value - slow) * (1 - Math.exp(-span / (burst ? limits.burstMean : limits.slowMean)));
      last = now;
      burst = burst ? fast > slow : fast - slow > chance();
    },
    foresee(value, span) {
      if (value <= fast) return;
      fast += (value - fast) * (1 - Math.exp(-span / limits.fastMean));
      burst ||= fast - slow > chance();
    },
    // After a drop the slow mean may take its minute: whether a backlog drains is read from how far it lags.
    steady: () => (burst || slow - fast > chance() ? fast : slow),
    scale(factor) {
      fast *= factor;
      slow *= factor;
    },
    fast: () => fast,
    slow: () => slow,
  };
}
