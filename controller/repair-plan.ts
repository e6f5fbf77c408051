// Which pods the webhook has missed, and which of them may be restarted now. Pure: pods, namespaces and what happened so
// far go in, counts and at most one pod come out. A restart costs a model's start-up, so it waits for everything: the
// namespace's consent, a workload that is whole, and a webhook that is known to look at new pods again.
import { elapsed, type Instant } from '@kubeai/units';
import type { Injection, Workload } from './injection-facts.ts';
import { limits } from './limits.ts';

/** Why the pods of a policy have agents or lack them: the reasons of its condition `Injected`. */
export const coverageReasons = {
  EveryPodSeen: 'the webhook has looked at every pod',
  NamespaceNotLabelled: 'the namespace does not carry the label kubeai.io/injection=enabled, so no pod gets an agent',
  WebhookAway: 'the newest pods were created without the webhook: see whether it runs and its certificate is valid',
  RepairOff: 'restart them, or let it be done by the annotation kubeai.io/repair=true on the namespace',
  Repairing: 'they are restarted one at a time',
  LeftToOwner: 'restart them by hand: nothing would replace them, or nothing would serve meanwhile',
} as const;
export type CoverageReason = keyof typeof coverageReasons;

export interface RepairPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly injection: Injection;
  readonly workload: Workload | undefined;
  readonly createdAt: Instant;
  readonly ready: boolean;
  /** Being deleted, or evicted by us a moment ago. */
  readonly leaving: boolean;
}

/** What the pods of the labelled namespaces say. */
export interface Coverage {
  /** Missed pods by namespace; labelled namespaces without any are there with none. */
  readonly missed: ReadonlyMap<string, readonly RepairPod[]>;
  /** Whether the newest pod was seen; true as long as there is none to judge by. */
  readonly webhookAnswers: boolean;
  readonly byWorkload: ReadonlyMap<string, readonly RepairPod[]>;
}

/** The restarts so far. */
export interface RepairHistory {
  readonly restartedAt: Instant | undefined;
  /** Restarts in a row that were tried while nobody could tell whether the webhook is back. */
  readonly trials: number;
  /** Workloads that still lack agents, by key. */
  readonly tried: ReadonlyMap<string, Tried>;
}

interface Tried {
  readonly at: Instant;
  /** Pods from before the first restart. A missed pod that is not among them came of a restart that was in vain. */
  readonly before: ReadonlySet<string>;
  /** Restarts of pods that were not among them. */
  readonly vain: number;
}

export const noRepairs: RepairHistory = { restartedAt: undefined, trials: 0, tried: new Map() };

const workloadKey = ({ namespace, workload }: RepairPod): string =>
  workload === undefined ? '' : `${namespace}/${workload.kind}/${workload.name}`;

/** @param pods of every namespace; those that have ended are left out by the caller */
export function coverageOf(pods: Iterable<RepairPod>, labelled: Iterable<string>): Coverage {
  const missed = new Map<string, RepairPod[]>([...labelled].map((namespace) => [namespace, []]));
  const byWorkload = new Map<string, RepairPod[]>();
  let newest: RepairPod | undefined;
  for (const pod of pods) {
    const ofNamespace = missed.get(pod.namespace);
    if (ofNamespace === undefined || pod.injection === 'exempt') continue;
    // Within one second the webhook may have come back: then it is there.
    if (newest === undefined || pod.createdAt > newest.createdAt) newest = pod;
    else if (pod.createdAt === newest.createdAt && pod.injection === 'seen') newest = pod;
    if (pod.injection === 'missed' && !pod.leaving) ofNamespace.push(pod);
    const key = workloadKey(pod);
    if (key === '') continue;
    const group = byWorkload.get(key);
    if (group === undefined) byWorkload.set(key, [pod]);
    else group.push(pod);
  }
  return { missed, byWorkload, webhookAnswers: newest?.injection !== 'missed' };
}

/** The history after the restart of this pod. */
export function restarted(history: RepairHistory, coverage: Coverage, pod: RepairPod, now: Instant): RepairHistory {
  const key = workloadKey(pod);
  const last = history.tried.get(key);
  const before = last?.before ?? new Set((coverage.byWorkload.get(key) ?? []).map(({ uid }) => uid));
  const vain = (last?.vain ?? 0) + (before.has(pod.uid) ? 0 : 1);
  return {
    restartedAt: now,
    trials: coverage.webhookAnswers ? 0 : history.trials + 1,
    tried: new Map(history.tried).set(key, { at: now, before, vain }),
  };
}

/** The history without the workloads that lack no agent any more. */
export function withoutRepaired(history: RepairHistory, { byWorkload }: Coverage): RepairHistory {
  const lacks = (key: string) => byWorkload.get(key)?.some(({ injection }) => injection === 'missed') ?? false;
  return { ...history, tried: new Map([...history.tried].filter(([key]) => lacks(key))) };
}

/** Whether this pod came of a restart that was in vain. The webhook may look at it and still not mark it. */
export function mustRest({ tried }: RepairHistory, pod: RepairPod, now: Instant): boolean {
  const last = tried.get(workloadKey(pod));
  if (last === undefined || last.before.has(pod.uid)) return false;
  return elapsed(last.at, now) < Math.min(limits.longestRepairRest, limits.repairRest * 2 ** last.vain);
}

/**
 * Whether the budget of the whole cluster allows a restart now. While the webhook answers, one after the other; while the newest pod was missed
 * nobody can tell whether it is back, so now and then one pod is tried.
 */
export function mayRestart({ restartedAt, trials }: RepairHistory, webhookAnswers: boolean, now: Instant): boolean {
  if (restartedAt === undefined) return true;
  const trial = Math.min(limits.longestRepairTrial, limits.repairTrial * 2 ** Math.max(0, trials - 1));
  return elapsed(restartedAt, now) >= (webhookAnswers ? limits.repairPause : trial);
}

/** Missed pods of namespaces that consent, which something replaces, oldest first. */
export const candidates = ({ missed }: Coverage, consents: (namespace: string) => boolean): readonly RepairPod[] =>
  [...missed]
    .filter(([namespace]) => consents(namespace))
    .flatMap(([, pods]) => pods)
    .filter(isReplaced)
    .toSorted((a, b) => a.createdAt - b.createdAt);

/** Whether the workload serves on without this pod: it has every replica that it should, all ready, and none is leaving. */
export function isWhole({ byWorkload }: Coverage, pod: RepairPod, wanted: number): boolean {
  const pods = byWorkload.get(workloadKey(pod)) ?? [];
  return wanted >= 2 && pods.length >= wanted && pods.every(({ ready, leaving }) => ready && !leaving);
}

/** Whether its workload makes it anew, alone, when it goes. */
const isReplaced = ({ workload }: RepairPod): boolean =>
  workload?.apiVersion === 'apps/v1' && (workload.kind === 'Deployment' || workload.kind === 'StatefulSet');

/** Why pods of one policy lack agents. `missed` are those of its pods that the webhook has missed. */
export function reasonOf(
  missed: readonly RepairPod[],
  { webhookAnswers }: Coverage,
  consents: boolean,
  replicas: number,
): CoverageReason {
  if (missed.length === 0) return 'EveryPodSeen';
  if (!webhookAnswers) return 'WebhookAway';
  if (!consents) return 'RepairOff';
  return replicas < 2 || !missed.every(isReplaced) ? 'LeftToOwner' : 'Repairing';
}
