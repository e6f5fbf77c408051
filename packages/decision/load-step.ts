// Notices that a target carries clearly more than when it was last looked at, without waiting for the next look.
import type { Report } from '@kubeai/protocol';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

export interface LoadStep {
  /** Takes a report; true when it is worth deciding now. For a while after a step every report is: the decision
   * waits for a second or third report before it believes a step, and should not wait for a tick on top. */
  add(report: Report, now: Instant): boolean;
  /** When the newest report came. */
  newestAt(): Instant | undefined;
  decided(): void;
}

export function createLoadStep(): LoadStep {
  const byPod = new Map<string, { load: number; at: Instant }>();
  let total = 0;
  let decidedFor = 0;
  let steppedAt: Instant | undefined;
  let newest: Instant | undefined;
  return {
    add({ pod, traffic, jumped }, now) {
      const load = Math.max(traffic.inFlight, traffic.concurrency);
      total += load - (byPod.get(pod.uid)?.load ?? 0);
      byPod.set(pod.uid, { load, at: now });
      newest = now;
      if (jumped === true || total > decidedFor + Math.max(2, 0.2 * decidedFor)) steppedAt = now;
      return steppedAt !== undefined && elapsed(steppedAt, now) <= limits.stepLasts;
    },
    newestAt: () => newest,
    decided() {
      // Pods that are gone take their load with them.
      total = 0;
      for (const [uid, { load, at }] of byPod) {
        if (newest !== undefined && elapsed(at, newest) > limits.goneAfter) byPod.delete(uid);
        else total += load;
      }
      decidedFor = total;
    },
  };
}
