// Waits until it is safe to go: nothing on its way for a quiet while, in which endpoints move and clients of idle
// connections are sent elsewhere, or the deadline. New connections are served all the time.
import type { Clock } from '@kubeai/daemon';
import type { Milliseconds } from '@kubeai/units';
import { drainIdleConnection, drainPoll, drainQuiet } from './limits.ts';
import type { Splice } from './splice.ts';
import type { TrafficBook } from './traffic.ts';

export type DrainEnd = 'quiet' | 'deadline';

export interface Drain {
  /** Resolves when nothing was on its way for a while, or at the deadline. May be asked any number of times. */
  wait(deadline: Milliseconds): Promise<DrainEnd>;
  readonly draining: boolean;
}

export function createDrain(splice: Splice | undefined, book: TrafficBook, clock: Clock): Drain {
  let draining = false;
  let wasQuiet = false;
  return {
    async wait(deadline) {
      draining = true;
      const begun = clock.monotonic();
      let quietSince = begun;
      for (;;) {
        const now = clock.monotonic();
        const busy = book.open > 0 || now - (splice?.lastBlindByte() ?? Number.NEGATIVE_INFINITY) < drainPoll;
        if (busy) {
          quietSince = now;
          wasQuiet = false;
        } else if (wasQuiet || now - quietSince >= drainQuiet) {
          wasQuiet = true;
          return 'quiet';
        }
        if (now - begun >= deadline) return 'deadline';
        splice?.closeIdle(drainIdleConnection);
        await clock.sleep(drainPoll);
      }
    },
    get draining() {
      return draining;
    },
  };
}
