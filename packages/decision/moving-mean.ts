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
  /** Starts over from a value that is known to be true, such as the zero of an idle fleet. */
  reset(value: number, now: Instant): void;
}

export function createMovingMean(): MovingMean {
  let fast = 0;
  let slow = 0;
  let last: Instant | undefined;
  const reset = (value: number, now: Instant) => {
    fast = value;
    slow = value;
    last = now;
  };
  return {
    reset,
    add(value, now) {
      if (last === undefined || now < last) return reset(value, now);
      const span = elapsed(last, now);
      if (span === 0) return;
      fast += (value - fast) * (1 - Math.exp(-span / limits.fastMean));
      slow += (value - slow) * (1 - Math.exp(-span / limits.slowMean));
      last = now;
    },
    // A count of mean m wanders by about its root; twice that and a fifth is no chance any more.
    steady: () => (fast - slow > Math.max(0.2 * slow, 2 * Math.sqrt(slow)) ? fast : slow),
    fast: () => fast,
    slow: () => slow,
  };
}
