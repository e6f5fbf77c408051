// The pods of a target as one look finds them: which serve, whose word is fresh, who should have reported and did not.
import { elapsed, type Instant, type Milliseconds } from '@kubeai/units';
import { isReady, type PodFacts, readySince } from './ledger.ts';
import { limits } from './limits.ts';
import type { PodState } from './pod-state.ts';

export interface Fleet {
  readonly now: Instant;
  serving: number;
  readonly fresh: PodState[];
  /** Pods that should have reported lately; undefined for one that never did. */
  readonly silent: (PodState | undefined)[];
  /** Of the fresh ones: without latencies, and without any count of requests. */
  unobserved: number;
  blind: number;
  /** Every serving pod is fresh and none was busy lately. */
  idle: boolean;
  lostReport: boolean;
  /** Age of the oldest fresh report. */
  ageMs: number;
}

export function fleetOf(podFacts: readonly PodFacts[], states: ReadonlyMap<string, PodState>, now: Instant): Fleet {
  const fleet: Fleet = {
    now,
    serving: 0,
    fresh: [],
    silent: [],
    unobserved: 0,
    blind: 0,
    idle: false,
    lostReport: false,
    ageMs: 0,
  };
  let busy = false;
  for (const pod of podFacts) {
    if (pod.deletedAt !== undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed' || !isReady(pod)) continue;
    const state = states.get(pod.uid);
    // A pod that says it leaves is no survivor; its requests finish where they are.
    if (state?.leaving === true) continue;
    fleet.serving += 1;
    const age = state === undefined ? Number.POSITIVE_INFINITY : elapsed(state.measuredAt, now);
    if (state !== undefined && age <= limits.staleAfter) {
      fleet.fresh.push(state);
      if (state.unobserved) fleet.unobserved += 1;
      if (state.blind) fleet.blind += 1;
      fleet.ageMs = Math.max(fleet.ageMs, age);
      // By its own last word: silence after a busy second is no idleness.
      if (elapsed(state.busyAt, state.measuredAt) < limits.idleAfter) busy = true;
      continue;
    }
    if (state !== undefined) fleet.lostReport = true;
    const since = readySince(pod);
    // A pod that has just become ready has not had the time to report.
    if (state === undefined && since !== undefined && elapsed(since, now) < limits.lostAfter) continue;
    fleet.silent.push(state);
  }
  fleet.idle = fleet.fresh.length > 0 && fleet.silent.length === 0 && !busy;
  return fleet;
}

/** The mean of the pods that were full for so long; undefined while none was. */
export function meanOfFull({ fresh }: Fleet, span: Milliseconds, of: (state: PodState) => number): number | undefined {
  let sum = 0;
  let full = 0;
  for (const state of fresh) {
    if (state.fullFor < span || state.running <= 0) continue;
    sum += of(state);
    full += 1;
  }
  return full === 0 ? undefined : sum / full;
}

export function forgetGone(pods: Map<string, PodState>, podFacts: readonly PodFacts[]): void {
  const present = new Set(podFacts.map(({ uid }) => uid));
  for (const uid of pods.keys()) if (!present.has(uid)) pods.delete(uid);
}
