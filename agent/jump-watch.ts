// Tells of a jump of the load at once: the timer of what @kubeai/protocol notices.
import type { Clock, Timer } from '@kubeai/daemon';
import { createLoadJump, type LoadJump } from '@kubeai/protocol';

export interface JumpWatch extends Pick<LoadJump, 'told' | 'seen'> {
  /** A request has begun: how many are in flight now, and how many began since the last report. */
  began(inFlight: number, started: number): void;
}

/** Calls `tell` when a report should not wait for its second. It is to lead to `told`. */
export function createJumpWatch(clock: Clock, tell: () => void): JumpWatch {
  const jump = createLoadJump(clock.monotonic());
  let timer: Timer | undefined;
  return {
    began(inFlight, started) {
      if (!jump.began(inFlight, started)) return;
      const wait = jump.tellIn(clock.monotonic());
      if (wait !== undefined) timer = clock.after(wait, tell);
    },
    told(traffic, windowMs, now) {
      timer?.stop();
      timer = undefined;
      jump.told(traffic, windowMs, now);
    },
    get seen() {
      return jump.seen;
    },
  };
}
