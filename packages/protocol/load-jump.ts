// Notices that clearly more comes in than the last reports told. A step of load falls anywhere into the second between
// two reports; told at once, the controller decides within a moment of it. What chance does to a steady load must not look
// like a step, and whatever the traffic does, the controller gets few reports more: ten thousand agents share it.
import { type Milliseconds, milliseconds } from '@kubeai/units';
import {
  earlyBurst,
  earlyEvery,
  earlySpacing,
  jumpDeviations,
  jumpFloor,
  jumpHeld,
  jumpMemory,
  jumpSettles,
} from './limits.ts';
import type { Traffic } from './report.ts';

export interface LoadJump {
  /** A request has begun: how many are in flight now, and how many began since the last report. True when by this one the
   * load has jumped. */
  began(inFlight: number, started: number): boolean;
  /** When a jump that was just noticed should be told, from now on; undefined when it can wait for the next second. */
  tellIn(now: number): Milliseconds | undefined;
  /** What a report says; what comes next is held against it. Returns when to tell, from now on, whether a jump has held. */
  told(
    traffic: Pick<Traffic, 'concurrency' | 'inFlight' | 'started'>,
    windowMs: number,
    now: number,
  ): Milliseconds | undefined;
  /** The load has jumped since the last report, or a moment before it. */
  readonly seen: boolean;
}

/** @param now milliseconds on any clock that never jumps, as all the others here */
export function createLoadJump(now: number): LoadJump {
  const inFlight = createUsual();
  const perSecond = createUsual();
  let seen = false;
  let toldAt = now;
  let allowance = earlyBurst;
  let allowedAt = now;
  /** When it is to be told, if it is. */
  let dueAt = Number.POSITIVE_INFINITY;
  /** When it is told whether the last jump has held. */
  let heldAt = Number.POSITIVE_INFINITY;
  const isFollowed = () => heldAt < Number.POSITIVE_INFINITY;

  return {
    began(inFlightNow, started) {
      // Whoever is about to tell whether a jump has held will tell of another one, too.
      if (seen || isFollowed() || (inFlightNow <= inFlight.most() && started <= perSecond.most())) return false;
      seen = true;
      return true;
    },
    tellIn(now) {
      allowance = Math.min(earlyBurst, allowance + (now - allowedAt) / earlyEvery);
      allowedAt = now;
      if (allowance < 1) return undefined;
      // A step is seldom one moment: the first of its requests are not yet the whole of it.
      const span = milliseconds(Math.max(jumpSettles, toldAt + earlySpacing - now));
      dueAt = now + span;
      return span;
    },
    told(traffic, windowMs, now) {
      // The second may be over before; timers may be a millisecond early.
      if (now >= Math.min(dueAt, heldAt) - 1) allowance -= 1;
      // By Little's law. Answers that take longer would still be the same ones.
      const isShort = (1_000 * inFlight.mean()) / perSecond.mean() <= jumpHeld;
      if (now >= heldAt - 1) heldAt = Number.POSITIVE_INFINITY;
      // What follows is to have a whole window, also where a second ends in between.
      else if (isFollowed() || (seen && isShort && allowance >= 1)) heldAt = now + jumpHeld;
      dueAt = Number.POSITIVE_INFINITY;
      seen = false;
      toldAt = now;
      inFlight.follow(traffic.concurrency, traffic.inFlight, windowMs);
      const rate = (1_000 * traffic.started) / windowMs;
      perSecond.follow(rate, rate, windowMs);
      return isFollowed() ? milliseconds(heldAt - now) : undefined;
    },
    get seen() {
      return seen || isFollowed();
    },
  };
}

/** What a count is on most days, and what it does not reach by chance. */
function createUsual() {
  let mean = 0;
  let most = jumpFloor as number;
  return {
    follow(value: number, last: number, windowMs: number): void {
      mean += (value - mean) * (1 - Math.exp(-windowMs / jumpMemory));
      const usual = Math.max(mean, last);
      most = usual + Math.max(jumpFloor, jumpDeviations * Math.sqrt(usual));
    },
    mean: () => mean,
    most: () => most,
  };
}
