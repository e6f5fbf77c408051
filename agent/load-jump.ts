// Notices that clearly more comes in than the last reports told. A step of load falls anywhere into the second between
// two reports; told at once, the controller decides within a moment of it. What chance does to a steady load must not look
// like a step, and whatever the traffic does, the controller gets few reports more: ten thousand agents share it.
import type { Clock, Timer } from '@kubeai/daemon';
import type { Traffic } from '@kubeai/protocol';
import { milliseconds } from '@kubeai/units';
import { earlyBurst, earlyEvery, earlySpacing, jumpDeviations, jumpFloor, jumpMemory, jumpSettles } from './limits.ts';

export interface LoadJump {
  /** A request has begun: how many are in flight now, and how many began since the last report. */
  began(inFlight: number, started: number): void;
  /** What a report says; what comes next is held against it. */
  told(traffic: Traffic, windowMs: number, now: number): void;
  /** The load has jumped since the last report. */
  readonly seen: boolean;
}

/** Calls `tell` when a report should not wait for its second. It is to lead to `told`. */
export function createLoadJump(clock: Clock, tell: () => void): LoadJump {
  const inFlight = createUsual();
  const perSecond = createUsual();
  let seen = false;
  let timer: Timer | undefined;
  let toldAt: number = clock.monotonic();
  let allowance = earlyBurst;
  let allowedAt = toldAt;

  return {
    began(inFlightNow, started) {
      if (seen || (inFlightNow <= inFlight.most() && started <= perSecond.most())) return;
      seen = true;
      const now = clock.monotonic();
      allowance = Math.min(earlyBurst, allowance + (now - allowedAt) / earlyEvery);
      allowedAt = now;
      if (allowance < 1) return;
      // A step is seldom one moment: the first of its requests are not yet the whole of it.
      timer = clock.after(milliseconds(Math.max(jumpSettles, toldAt + earlySpacing - now)), () => {
        allowance -= 1;
        tell();
      });
    },
    told(traffic, windowMs, now) {
      timer?.stop();
      timer = undefined;
      seen = false;
      toldAt = now;
      inFlight.follow(traffic.concurrency, traffic.inFlight, windowMs);
      const rate = (1_000 * traffic.started) / windowMs;
      perSecond.follow(rate, rate, windowMs);
    },
    get seen() {
      return seen;
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
    most: () => most,
  };
}
