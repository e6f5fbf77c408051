// The way of reports from agents to a controller. Each agent holds one connection, on which reports take a while, come in the
// order they were sent, and none is lost; but connections break, and while an agent tries again, by the very rules of the
// real one, its reports wait, and come with their age.
import type { ReceivedReport } from '@kubeai/decision';
import { type Report, reconnectDelay, worthSending } from '@kubeai/protocol';
import { after, elapsed, type Milliseconds } from '@kubeai/units';
import type { Random } from './random.ts';
import { epoch } from './simulated-time.ts';

export interface WireOptions {
  /** Share of the reports that find their connection broken. */
  readonly lossShare: number;
  /** Mean of what a report takes, in milliseconds; single ones take half to twice of it, the longer ones being rarer. */
  readonly delayMs: number;
}

/** A cluster's network on a usual day: a connection lasts for half an hour. */
export const usualWire: WireOptions = { lossShare: 0.0005, delayMs: 100 };

export interface Wire {
  /** Sends a report at `now`, in milliseconds of simulated time, or keeps it until it can be sent. */
  send(report: Report, now: number): void;
  /** When a report next comes, or an agent next tries to connect. */
  nextAt(): number;
  /** What has come until `now` and was not received before, in the order it came. */
  receive(now: number): readonly ReceivedReport[];
  /** The agent of a pod is gone, and with it what it had to tell. */
  forget(uid: string): void;
}

interface Line {
  kept: { readonly report: Report; readonly closedAt: number }[];
  /** When the agent tries to connect again; undefined while it is connected. */
  retryAt: number | undefined;
  attempts: number;
  /** When the newest report came or will come. */
  newestAt: number;
}

/** @param isDown  says whether nobody reaches the controller at a moment */
export function createWire(
  { lossShare, delayMs }: WireOptions,
  random: Random,
  isDown: (now: number) => boolean = () => false,
): Wire {
  /** In the order they come. */
  const underWay: ReceivedReport[] = [];
  const lines = new Map<string, Line>();
  const broken = new Set<Line>();

  const depart = (line: Line, report: Report, now: number): void => {
    const own = now + delayMs * (0.5 + 1.5 * random.uniform() ** 2);
    line.newestAt = Math.max(line.newestAt, Math.round(own));
    const receivedAt = after(epoch, line.newestAt as Milliseconds);
    let at = underWay.length;
    while (at > 0 && underWay[at - 1]!.receivedAt > receivedAt) at -= 1;
    underWay.splice(at, 0, { report, receivedAt });
  };

  /** Sends what is kept, or finds the connection broken. */
  const pump = (line: Line, now: number): void => {
    line.retryAt = undefined;
    broken.delete(line);
    line.kept = worthSending(line.kept, now);
    if (random.uniform() < lossShare || isDown(now)) {
      // Opening takes a way there and back before the first line may follow.
      line.retryAt = now + reconnectDelay(line.attempts, random.uniform()) + 2 * delayMs;
      line.attempts += 1;
      broken.add(line);
      return;
    }
    line.attempts = 0;
    for (const { report, closedAt } of line.kept.splice(0)) {
      depart(line, now > closedAt ? { ...report, ageMs: Math.round(now - closedAt) } : report, now);
    }
  };

  const nextRetry = (): number => {
    let next = Number.POSITIVE_INFINITY;
    for (const { retryAt } of broken) next = Math.min(next, retryAt!);
    return next;
  };

  return {
    send(report, now) {
      const { uid } = report.pod;
      let line = lines.get(uid);
      if (line === undefined) {
        line = { kept: [], retryAt: undefined, attempts: 0, newestAt: 0 };
        lines.set(uid, line);
      }
      line.kept.push({ report, closedAt: now });
      if (line.retryAt === undefined) pump(line, now);
    },
    nextAt: () => {
      const first = underWay[0];
      return Math.min(first === undefined ? Number.POSITIVE_INFINITY : elapsed(epoch, first.receivedAt), nextRetry());
    },
    receive(now) {
      for (const line of [...broken]) if (line.retryAt! <= now) pump(line, now);
      const until = after(epoch, now as Milliseconds);
      const later = underWay.findIndex(({ receivedAt }) => receivedAt > until);
      return underWay.splice(0, later === -1 ? underWay.length : later);
    },
    forget(uid) {
      const line = lines.get(uid);
      if (line !== undefined) broken.delete(line);
      lines.delete(uid);
    },
  };
}
