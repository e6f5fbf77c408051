// The way of reports from agents to a controller: each takes a while, and some never come. One agent's reports come in the
// order they were sent, as they do over its one connection; a lost one is lost for good, where real agents send again
// what was not acknowledged.
import type { ReceivedReport } from '@kubeai/decision';
import type { Report } from '@kubeai/protocol';
import { after, elapsed, type Milliseconds } from '@kubeai/units';
import type { Random } from './random.ts';
import { epoch } from './simulated-time.ts';

export interface WireOptions {
  /** Share of the reports that never come. */
  readonly lossShare: number;
  /** Mean of what a report takes, in milliseconds; single ones take half to twice of it, the longer ones being rarer. */
  readonly delayMs: number;
}

/** A cluster's network on a usual day. */
export const usualWire: WireOptions = { lossShare: 0.005, delayMs: 100 };

export interface Wire {
  /** Sends a report at `now`, in milliseconds of simulated time. */
  send(report: Report, now: number): void;
  /** What has come until `now` and was not received before, in the order it came. */
  receive(now: number): readonly ReceivedReport[];
  /** When the last report that comes within a tick of `now` has come, or `now` itself: a controller looks when it is told something new. */
  lastComes(now: number): number;
}

/** @param tickMs between the reports of an agent */
export function createWire({ lossShare, delayMs }: WireOptions, tickMs: number, random: Random): Wire {
  let underWay: ReceivedReport[] = [];
  /** When the newest report of each agent came or will come. */
  const newest = new Map<string, number>();
  return {
    lastComes: (now) =>
      underWay.reduce((last, { receivedAt }) => {
        const at = elapsed(epoch, receivedAt);
        return at < now + tickMs && at > last ? at : last;
      }, now),
    send(report, now) {
      if (random.uniform() < lossShare) return;
      const own = now + delayMs * (0.5 + 1.5 * random.uniform() ** 2);
      const at = Math.max(own, newest.get(report.pod.uid) ?? 0);
      newest.set(report.pod.uid, at);
      underWay.push({ report, receivedAt: after(epoch, Math.round(at) as Milliseconds) });
    },
    receive(now) {
      const until = after(epoch, now as Milliseconds);
      const came = underWay.filter(({ receivedAt }) => receivedAt <= until);
      underWay = underWay.filter(({ receivedAt }) => receivedAt > until);
      return came.sort((left, right) => left.receivedAt - right.receivedAt);
    },
  };
}
