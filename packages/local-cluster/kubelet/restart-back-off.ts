// How long a container waits before it is started again: at once after the first end, then longer each time, up to a
// bound; and from the start again once it has run well for long enough. Pure.
import { after, elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { forgivenAfter, longestRestartWait } from './limits.ts';

export interface BackOff {
  /** The wait that the next end costs; 0 before the first one. */
  readonly wait: Milliseconds;
  /** When the container was last started again. */
  readonly restartedAt: Instant;
}

export const noBackOff: BackOff = { wait: milliseconds(0), restartedAt: 0 as Instant };

/** What still holds when the container ends at `finishedAt`: nothing, if it ran long enough before. */
export function backOffAt(backOff: BackOff, finishedAt: Instant): BackOff {
  return elapsed(backOff.restartedAt, finishedAt) > forgivenAfter ? noBackOff : backOff;
}

/** The earliest time of the next start. */
export const nextStart = (backOff: BackOff, finishedAt: Instant): Instant => after(finishedAt, backOff.wait);

/** After the container has been started again at `now`. `first` is the wait of the first back-off. */
export function restarted(backOff: BackOff, now: Instant, first: Milliseconds): BackOff {
  const wait = backOff.wait === 0 ? first : milliseconds(Math.min(backOff.wait * 2, longestRestartWait));
  return { wait, restartedAt: now };
}
