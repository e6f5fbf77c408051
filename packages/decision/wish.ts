// From the combined proposals to the size that would be right if nothing held it: rounding, tolerance, sizes that were
// tried and failed, the forecast, what to do when nothing is known, and replicas that will not come.
import type { Policy } from '@kubeai/policy';
import { elapsed } from '@kubeai/units';
import { chanceTolerated } from './arriving-work.ts';
import type { Combined } from './combination.ts';
import { type Staged, staged } from './constraints.ts';
import type { Proposal } from './decision.ts';
import type { History } from './history.ts';
import { knowsNothing } from './learn.ts';
import { limits } from './limits.ts';
import type { Reason } from './reasons.ts';
import type { Scene } from './scene.ts';
import { isSound } from './signal.ts';
import type { Snapshot } from './snapshot.ts';

export interface Wish {
  readonly replicas: number;
  readonly reason: Reason;
}

/** Fractions of replicas round up; the sum of floats that should be whole may be off in the last digit. */
export const roundUp = (replicas: number): number => Math.max(0, Math.ceil(replicas - 1e-9));

/** Enough of the pods that should report do, to trust them with a shrink. */
export function hasQuorum({ traffic, signals }: Snapshot): boolean {
  const enough = (measured: number, silent: number) => measured >= limits.quorum * (measured + silent);
  return enough(traffic.measured, traffic.silent) && signals.every(({ measured, silent }) => enough(measured, silent));
}

export function wishOf(snapshot: Snapshot, combined: Combined, proposals: readonly Proposal[], history: History): Wish {
  const current = snapshot.replicas;
  const waiting = (snapshot.waitingAtDoor ?? 0) > 0;
  if (current === 0) {
    if (!history.wentToZero) return { replicas: 0, reason: 'StoppedByHand' };
    const wanted = Math.max(roundUp(combined.needs), waiting ? 1 : 0);
    return { replicas: wanted, reason: wanted > 0 ? 'WokenUp' : 'Idle' };
  }
  if (knowsNothing(snapshot)) return { replicas: current, reason: 'NoFreshSignals' };
  const wanted = roundUp(combined.needs);
  if (wanted > current) return { replicas: wanted, reason: 'MetricAboveTarget' };
  const noted = orBudget(awaited(snapshot, combined) ?? notable(proposals), snapshot, history);
  if (combined.keeps !== undefined) {
    const kept = roundUp(combined.keeps);
    if (kept < current)
      return { replicas: Math.max(kept, wanted), reason: snapshot.traffic.idle ? 'Idle' : 'MetricBelowTarget' };
    return { replicas: current, reason: noted ?? 'WithinTarget' };
  }
  const sound = proposals.flatMap(({ keeps }) => keeps ?? []);
  const wouldShrink = sound.length > 0 && roundUp(Math.max(...sound)) < current;
  if (!wouldShrink) return { replicas: current, reason: noted ?? 'WithinTarget' };
  return { replicas: current, reason: snapshot.signals.every(isSound) ? 'QuorumMissing' : 'SignalMissing' };
}

/** More is needed than serves: what was asked for is starting, or finds no node. */
function awaited({ ledger: { counts, credited } }: Snapshot, { needs }: Combined): Reason | undefined {
  const lacking = roundUp(needs) - counts.serving;
  if (counts.unschedulable > 0 && lacking > credited) return 'ReplicasUnschedulable';
  return credited > 0 && lacking > 0 ? 'WaitingForStartingReplicas' : undefined;
}

/** What waits asks for no more by now, but it would not wait for so few if the budget had allowed what it asked for first. */
const orBudget = (noted: Reason | undefined, { gpuReplicas = 0 }: Snapshot, { growth }: History): Reason | undefined =>
  noted === 'WaitingForStartingReplicas' && gpuReplicas > 0 && (growth?.replicas ?? 0) > gpuReplicas
    ? 'GpuBudget'
    : noted;

/** What keeps a size that would otherwise be told as "within target". Learning is news only where nothing else decides. */
function notable(proposals: readonly Proposal[]): Reason | undefined {
  const isGiven = (reason: Reason) => proposals.some(({ because }) => because === reason);
  const found = (['SLOInfeasible', 'NotCausedByLoad', 'WaitingForStartingReplicas'] as const).find(isGiven);
  return found ?? (proposals.length === 1 && isGiven('LearningWork') ? 'LearningWork' : undefined);
}

/** Small differences are noise, unless work is short while requests wait at every pod, or a small step is the way to learn.
 * Work has room for its noise in what it needs, and what is tolerated is lacking for as long as a start takes. Shrinking
 * is judged on the load itself, not on what survivors have to spare. */
export function tolerate(
  { traffic, ledger, replicas: current }: Snapshot,
  combined: Combined,
  isLearning: boolean,
  tolerance: { readonly up: number; readonly down: number },
  history: History,
  wanted: number,
): Staged {
  if (current === 0) return { replicas: wanted };
  const byWork = combined.winner === 'work';
  const share = tolerance.up * current;
  const byStart = share * (limits.toleratedStart / ledger.startupP90Ms);
  const lacking = byWork ? Math.min(share, Math.max(chanceTolerated(history), byStart)) : share;
  const near =
    wanted > current
      ? !(byWork && traffic.saturated) && combined.needs <= current + lacking
      : wanted < current &&
        !isLearning &&
        (combined.keeps ?? current) * limits.survivorHeadroom >= current * (1 - tolerance.down);
  return staged('tolerance', wanted, near ? current : wanted, 'WithinTolerance');
}

/** A size that was tried at this load and had to be taken back is not tried again before the load is lower. */
export function keepSurvivors({ replicas, traffic }: Snapshot, { regret }: History, wanted: number): Staged {
  if (regret === undefined || wanted > regret.replicas || wanted >= replicas) return { replicas: wanted };
  if (traffic.arrivalsPerSecond < 0.9 * regret.arrivals) return { replicas: wanted };
  return staged('survivors', wanted, Math.min(replicas, regret.replicas + 1), 'TriedAndFailed');
}

/** The forecast is a floor, and only while it predicts better than "as now". */
export function followForecast(policy: Policy, { forecast }: Snapshot, wanted: number): Staged {
  if (policy.prediction.mode !== 'On' || forecast === undefined) return { replicas: wanted };
  const { replicas, score } = forecast;
  if (!(score < 1) || !(replicas >= 0 && replicas <= 1_000_000)) return { replicas: wanted };
  return staged('forecast', wanted, Math.max(wanted, roundUp(replicas)), 'PredictedLoad');
}

export function fallBack(policy: Policy, snapshot: Snapshot, { failedRounds }: History, wanted: number): Staged {
  const { behavior, failureThreshold, replicas } = policy.fallback;
  if (snapshot.replicas === 0 || failedRounds < failureThreshold || behavior === 'hold' || replicas === undefined) {
    return { replicas: wanted };
  }
  const size = behavior === 'static' ? replicas : Math.max(wanted, replicas);
  return staged('fallback', wanted, size, 'Fallback');
}

/** Replicas that crash, never come ready or are lost take a place without serving: a few are bought in their stead.
 * @param least replicas that the policy promises */
export function replaceDead(
  { snapshot, history, tolerance, now }: Scene,
  combined: Combined,
  least: number,
  wanted: number,
): Staged {
  const { ledger, replicas, signals } = snapshot;
  const { counts, credited } = ledger;
  const dead = Math.min(ledger.dead, Math.max(0, replicas - counts.serving - credited));
  if (dead === 0) return { replicas: wanted };
  const isKnown = elapsed(history.coveredFrom, now) >= limits.lostAfterAbsence;
  const lost = isKnown ? Math.min(counts.lost, dead) : 0;
  const told = signals.some(isSound);
  const asked = told ? roundUp(combined.needs / (1 + tolerance.up)) : 0;
  // Where nobody serves, few are left to tell what is needed: what there has to be, or all that there was.
  const unserved = lost > 0 && counts.serving === 0 ? (told ? Math.min(lost, least) : lost) : 0;
  const needed = Math.max(asked, unserved);
  if (needed <= counts.serving) return { replicas: wanted };
  const spare = Math.min(dead, Math.ceil(limits.replacementShare * needed));
  // What crashes will crash again, so all of it has to do with the same few. The lost have served, and so will those that
  // stand in for them: they come beside the lost, and once they serve there may be others.
  const besideLost = lost > 0 ? lost + Math.min(needed, counts.serving + spare) : 0;
  return staged('ledger', wanted, Math.max(wanted, needed + spare, besideLost), 'ReplacingDeadReplicas');
}
