// Every replica in exactly one state. A replica that is still loading a model is capacity already bought; one that cannot
// be placed or keeps crashing is not. Works on plain facts of a pod, so that it needs no Kubernetes client.
import { elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { limits } from './limits.ts';

export const replicaStates = [
  'requested',
  'unschedulable',
  'pulling',
  'loading',
  'warming',
  'serving',
  'failing',
  'lost',
  'draining',
] as const;
/** `requested` no node yet; `pulling` a node, no container; `loading` the process runs; `warming` it has started but is not
 * ready; `failing` crashes or cannot get its image; `lost` served until nothing was heard of its node any more; `draining`
 * is being deleted. */
export type ReplicaState = (typeof replicaStates)[number];

export interface ContainerFacts {
  readonly name: string;
  readonly ready: boolean;
  readonly started?: boolean;
  readonly restarts: number;
  readonly state: 'waiting' | 'running' | 'terminated';
  /** Of a waiting or terminated container, as Kubernetes names it: `CrashLoopBackOff`, `ErrImagePull`, … */
  readonly reason?: string;
}

/** What the ledger needs to know of a pod. Instants on the controller's clock. */
export interface PodFacts {
  readonly name: string;
  readonly uid: string;
  readonly phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed' | 'Unknown';
  readonly createdAt: Instant;
  readonly deletedAt?: Instant;
  readonly conditions: readonly {
    readonly type: string;
    readonly status: 'True' | 'False' | 'Unknown';
    readonly reason?: string;
    readonly since?: Instant;
  }[];
  readonly containers: readonly ContainerFacts[];
}

export interface LearnedStartup {
  /** Spans from a node to readiness, newest last, at most `limits.startupSamples`. */
  readonly samples: readonly Milliseconds[];
  /** The latest moment of readiness that was learned from. Kubernetes tells it in whole seconds, so looks cannot be compared. */
  readonly lastReady: Instant;
}

export interface Ledger {
  readonly counts: Readonly<Record<ReplicaState, number>>;
  /** Starting replicas that count as capacity. One without a node does not, for nobody knows when it will have one. */
  readonly credited: number;
  /** Replicas that will not come by themselves: failing, lost, or long overdue. */
  readonly dead: number;
  readonly startup: LearnedStartup;
  readonly startupP50Ms: number;
  readonly startupP90Ms: number;
}

const brokenImage =
  /^(ErrImagePull|ImagePullBackOff|InvalidImageName|ErrImageNeverPull|CreateContainerConfigError|CreateContainerError|RunContainerError)$/;

function conditionOf({ conditions }: PodFacts, type: string): PodFacts['conditions'][number] | undefined {
  for (const condition of conditions) if (condition.type === type) return condition;
  return undefined;
}

export const isReady = (pod: PodFacts): boolean => conditionOf(pod, 'Ready')?.status === 'True';

/** When a ready pod became ready; undefined while it is not. */
export const readySince = (pod: PodFacts): Instant | undefined => {
  const condition = conditionOf(pod, 'Ready');
  return condition?.status === 'True' ? condition.since : undefined;
};

/** The one state a pod is in; undefined for a pod that has ended and is no replica any more. */
export function stateOf(pod: PodFacts): ReplicaState | undefined {
  if (pod.phase === 'Succeeded' || pod.phase === 'Failed') return undefined;
  if (pod.deletedAt !== undefined) return 'draining';
  if (pod.containers.some(isFailing)) return 'failing';
  if (isReady(pod)) return 'serving';
  if (isLost(pod)) return 'lost';
  const scheduled = conditionOf(pod, 'PodScheduled');
  if (pod.phase === 'Pending' && scheduled?.status !== 'True') {
    return scheduled?.reason === 'Unschedulable' ? 'unschedulable' : 'requested';
  }
  if (!pod.containers.some((container) => container.state === 'running')) return 'pulling';
  return pod.containers.every((container) => container.started === true) ? 'warming' : 'loading';
}

/** A kubelet tells of both at once. That only the pod is no longer ready is the node controller's word, when it has not heard of
 * the node for 40 s and more; or a gate of the pod's own, which is named. */
const isLost = (pod: PodFacts): boolean =>
  conditionOf(pod, 'ContainersReady')?.status === 'True' &&
  conditionOf(pod, 'Ready')?.reason !== 'ReadinessGatesNotReady';

/** When a start began: with a node. Before it has one a pod waits, for a minute or for days, and that tells nothing of starts. */
function startOf(pod: PodFacts): Instant {
  const scheduled = conditionOf(pod, 'PodScheduled');
  return scheduled?.status === 'True' && scheduled.since !== undefined && scheduled.since > pod.createdAt
    ? scheduled.since
    : pod.createdAt;
}

const isFailing = (container: ContainerFacts): boolean =>
  container.state !== 'running' &&
  (container.reason === 'CrashLoopBackOff' ||
    brokenImage.test(container.reason ?? '') ||
    (container.restarts > 0 && !container.ready));

/** What a ledger needs of the past; a `History` is one. */
export interface LedgerPast {
  /** Size the target asked for at the last look, and since when. */
  readonly replicas: number;
  readonly replicasSince: Instant;
  readonly startup: LearnedStartup;
}

/**
 * Counts the replicas of a target by state, and learns how long they take to start.
 * @param wanted what the target asks for now; replicas without a pod yet count as `requested`
 */
export function ledgerOf(wanted: number, pods: readonly PodFacts[], past: LedgerPast, now: Instant): Ledger {
  const startup = learnStartup(past.startup, pods, now);
  const wantedSince = wanted === past.replicas ? past.replicasSince : now;
  const counts = {
    requested: 0,
    unschedulable: 0,
    pulling: 0,
    loading: 0,
    warming: 0,
    serving: 0,
    failing: 0,
    lost: 0,
    draining: 0,
  };
  let live = 0;
  const { startupP50Ms, startupP90Ms } = quantilesOf(startup);
  const patience = startupP90Ms * limits.startupPatience;
  let credited = 0;
  let dead = 0;
  for (const pod of pods) {
    const state = stateOf(pod);
    if (state === undefined) continue;
    counts[state] += 1;
    if (state !== 'draining') live += 1;
    if (state === 'failing' || state === 'lost') dead += 1;
    else if (state === 'requested' || state === 'pulling' || state === 'loading' || state === 'warming') {
      if (elapsed(startOf(pod), now) <= patience) credited += 1;
      else dead += 1;
    }
  }
  const missing = Math.max(0, wanted - live);
  counts.requested += missing;
  if (elapsed(wantedSince, now) <= patience) credited += missing;
  // A rollout starts replicas beside the ones they replace: they are no extra capacity.
  credited = Math.min(credited, Math.max(0, wanted - counts.serving));
  return { counts, credited, dead, startup, startupP50Ms, startupP90Ms };
}

/** The learned start-up times with those of pods that became ready since the last one. */
function learnStartup(learned: LearnedStartup, pods: readonly PodFacts[], now: Instant): LearnedStartup {
  let { samples, lastReady } = learned;
  for (const pod of pods) {
    const since = readySince(pod);
    if (since === undefined || since <= learned.lastReady || since > now) continue;
    if (since > lastReady) lastReady = since;
    const took = Math.round(elapsed(startOf(pod), since));
    // A restarted container, or one whose readiness came and went, is ready again without having been started anew.
    if (took < 0 || took > limits.startupCeiling || pod.containers.some(({ restarts }) => restarts > 0)) continue;
    samples = [...samples, milliseconds(took)].slice(-limits.startupSamples);
  }
  return lastReady === learned.lastReady ? learned : { samples, lastReady };
}

// Start-ups are learned every few minutes and asked for every second.
const known = new WeakMap<LearnedStartup, { readonly startupP50Ms: number; readonly startupP90Ms: number }>();

function quantilesOf(startup: LearnedStartup) {
  const before = known.get(startup);
  if (before !== undefined) return before;
  const sorted = [...startup.samples].sort((left, right) => left - right);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? limits.startupGuess;
  const found = { startupP50Ms: at(0.5), startupP90Ms: at(0.9) };
  known.set(startup, found);
  return found;
}

/** Whether replicas are starting, or wait for a node to start on. */
export const isAwaited = ({ credited, counts }: Ledger): boolean => credited > 0 || counts.unschedulable > 0;
