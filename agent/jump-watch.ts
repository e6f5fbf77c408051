// Tells of a jump of the load at once: the timer of what @kubeai/protocol notices.
import type { Clock, Timer } from '@kubeai/daemon';
import { createLoadJump, type LoadJump } from '@kubeai/protocol';

export interface JumpWatch extends Pick<LoadJump, 'seen'> {
  /** A request has begun: how many are in flight now, and how many began since the last report. */
  began(inFlight: number, started: number): void;
  /** What a report says; what comes next is held against it. */
  told(...report: Parameters<LoadJump['told']>): void;
}

/** Calls `tell` when a report should not wait for its second. It is to lead to `told`. */
export function createJumpWatch(clock: Clock, tell: () => void): JumpWatch {
  const jump = createLoadJump(clock.monotonic());
  let timer: Timer | undefined;
  return {
    began(inFlight, started) {
      if (!jump.began(inFlight, started)) return;
      const wait = jump.tellIn(clock.monotonic());
      if (wait === undefined) return;
      timer?.stop();
      timer = clock.after(wait, tell);
    },
    told(...report) {
      timer?.stop();
      const wait = jump.told(...report);
      timer = wait === undefined ? undefined : clock.after(wait, tell);
    },
    get seen() {
      return jump.seen;
    },
  };
}
