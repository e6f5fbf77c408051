// Waiting longer after each failure, with jitter so that a thousand clients do not come back in step.
import { type Milliseconds, milliseconds } from '@kubeai/units';

export interface Backoff {
  /** The next wait: doubles from `least` to `most`, each shortened by up to half at random. */
  next(): Milliseconds;
  reset(): void;
}

export function createBackoff(least: Milliseconds, most: Milliseconds, random: () => number): Backoff {
  let failures = 0;
  return {
    next() {
      const full = Math.min(most, least * 2 ** Math.min(failures, 30));
      failures += 1;
      return milliseconds(full * (1 - random() / 2));
    },
    reset() {
      failures = 0;
    },
  };
}
