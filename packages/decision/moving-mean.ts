// A fast and a slow exponential mean of a fleet's total. The slow one counts in quiet times, since chance alone makes a
// second's count wander; the fast one takes over when it leaves the slow one by more than chance does, up or down.
// A class, since a controller keeps a dozen of them for each of thousands of policies: numbers that closures keep are made anew
// whenever they change, and collecting them was a tenth of a decision (npm run bench:decide).
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

export interface MovingMean {
  add(value: number, now: Instant): void;
  /** The value has jumped and will stay for so long at least: what that will make of the fast mean counts now.
   * @param holds it is known to be no chance, and so begins a burst if it is far enough from the usual */
  foresee(value: number, span: number, holds: boolean): void;
  /** The slow mean, or the fast one in a burst and after a drop. */
  steady(): number;
  fast(): number;
  slow(): number;
  /** The same work is shared by more or fewer: what each carries changes at once. */
  scale(factor: number): void;
  /** Starts over from a value that is known to be true, such as the zero of an idle fleet. */
  reset(value: number, now: Instant): void;
}

/** When something was last seen that never was: no moment follows on it. */
export const never = Number.NEGATIVE_INFINITY as Instant;

/** Whether the time since the last value is known: not after a silence, nor when the clock was set back. */
export const follows = (last: Instant, now: Instant): boolean => now >= last && elapsed(last, now) <= limits.lostAfter;

/** How far a value that held for a span moves the means. A look asks for one span many times in a row. */
const moved = { span: 0, fast: 0, slow: 0, burst: 0 };
function moveOf(span: number): typeof moved {
  if (span !== moved.span) {
    moved.span = span;
    moved.fast = 1 - Math.exp(-span / limits.fastMean);
    moved.slow = 1 - Math.exp(-span / limits.slowMean);
    moved.burst = 1 - Math.exp(-span / limits.burstMean);
  }
  return moved;
}

/** `spread`: what one value wanders by, in roots of its mean. 1 for a count of things that stay a while; less for events a
 * second, of which the fast mean adds up several. */
export const createMovingMean = (spread = 1): MovingMean => new Mean(spread);

class Mean implements MovingMean {
  readonly #spread: number;
  #fast = 0;
  #slow = 0;
  #last = never;
  #burst = false;

  constructor(spread: number) {
    this.#spread = spread;
  }

  reset(value: number, now: Instant): void {
    this.#fast = value;
    this.#slow = value;
    this.#last = now;
    this.#burst = false;
  }

  add(value: number, now: Instant): void {
    // After a gap the past is no guide to now, and what was before must not linger for another minute.
    if (!follows(this.#last, now)) {
      this.reset(value, now);
      return;
    }
    const span = elapsed(this.#last, now);
    if (span === 0) return;
    const move = moveOf(span);
    this.#fast += (value - this.#fast) * move.fast;
    // In a burst the past is no guide: the slow mean hurries to catch up, and the burst ends when it has.
    this.#slow += (value - this.#slow) * (this.#burst ? move.burst : move.slow);
    this.#last = now;
    this.#burst = this.#burst ? this.#fast > this.#slow : this.#fast - this.#slow > this.#chance();
  }

  foresee(value: number, span: number, holds: boolean): void {
    if (value <= this.#fast) return;
    this.#fast += (value - this.#fast) * (1 - Math.exp(-span / limits.fastMean));
    this.#burst ||= (holds ? value : this.#fast) - this.#slow > this.#chance();
  }

  /** After a drop the slow mean may take its minute: whether a backlog drains is read from how far it lags. */
  steady(): number {
    return this.#burst || this.#slow - this.#fast > this.#chance() ? this.#fast : this.#slow;
  }

  scale(factor: number): void {
    this.#fast *= factor;
    this.#slow *= factor;
  }

  fast(): number {
    return this.#fast;
  }

  slow(): number {
    return this.#slow;
  }

  /** A count of mean m wanders by about its root. Looked at each second for months, twice that is seen all the time. */
  #chance(): number {
    return Math.max(0.2 * this.#slow, 4 * this.#spread * Math.sqrt(this.#slow));
  }
}
