// What the controller remembers of one policy between two looks. All of it can be had again: the history from status,
// the signals from the next seconds of reports.
import type { Decision, History, SignalFold, Snapshot } from '@kubeai/decision';
import type { Season } from '@kubeai/forecast';
import type { Policy, PolicyStatus } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { elapsed, type Instant, instant } from '@kubeai/units';
import type { Foresight } from './foresight.ts';
import { limits } from './limits.ts';
import type { PolicyEntry } from './policy-book.ts';
import { type DecisionSummary, readStatus } from './status.ts';
import { createTrail, type Trail } from './trail.ts';

export interface Memory {
  readonly uid: string;
  /** Signals, folded for one version of the policy; undefined until it was valid for the first time. */
  folding: { readonly policy: Policy; readonly fold: SignalFold } | undefined;
  /** Where the policy asks for a forecast; `season` is what was learned before a restart. */
  foresight: Foresight | undefined;
  readonly season: Season | undefined;
  /** Undefined until the target was seen for the first time. */
  history: History | undefined;
  /** The last decision with what it was made from. */
  last: { readonly decision: Decision; readonly snapshot: Snapshot; readonly summary: DecisionSummary } | undefined;
  /** The status as it should be, and as it was last written. */
  status: PolicyStatus;
  written: PolicyStatus | undefined;
  writtenAt: Instant | undefined;
  /** Status by condition type, as Events last told it. */
  readonly announced: Map<string, string>;
  /** The explaining part of the status, and since when it has been so. */
  told: string;
  toldSince: Instant;
  readonly trail: Trail | undefined;
  journalledAt: Instant;
  readonly load: LoadStep;
}

export function createMemory(entry: PolicyEntry, withTrail: boolean): Memory {
  const { status, history, season } = readStatus(entry.object.status);
  return {
    uid: entry.object.metadata.uid ?? '',
    folding: undefined,
    foresight: undefined,
    season,
    history,
    last: undefined,
    status,
    written: entry.object.status === undefined ? undefined : status,
    writtenAt: entry.object.status === undefined ? undefined : instant(0),
    announced: new Map((status.conditions ?? []).map(({ type, status: state }) => [type, state])),
    told: '',
    toldSince: instant(0),
    trail: withTrail ? createTrail() : undefined,
    journalledAt: instant(0),
    load: createLoadStep(),
  };
}

/** Notices that a target carries clearly more than when it was last looked at, without waiting for the next look. */
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
        if (newest !== undefined && elapsed(at, newest) > limits.silence) byPod.delete(uid);
        else total += load;
      }
      decidedFor = total;
    },
  };
}
