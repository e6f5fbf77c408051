// Watches the target of a demonstration: how large it is, and what the autoscaler said about it. The size is read from
// the Deployment itself; only the reason is taken from the autoscaler's word.
import type { Clock, Log } from '@kubeai/daemon';
import { createReflector, type KubeClient, type KubeObject, type ObjectName, resources } from '@kubeai/kube';
import { elapsed, type Instant } from '@kubeai/units';
import type { ReadyChange, SizeChange } from './summary.ts';

interface Deployment extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status?: { readonly readyReplicas?: number };
}

interface StatedDecision {
  readonly at?: string;
  readonly from?: number;
  readonly to?: number;
  readonly reason?: string;
  readonly message?: string;
}

interface ObservedPolicy extends KubeObject {
  readonly status?: {
    readonly lastDecision?: StatedDecision;
    readonly decisions?: readonly StatedDecision[];
  };
}

export interface Observation {
  /** Replicas asked for and ready now. */
  now(): { readonly replicas: number; readonly ready: number; readonly reason: string };
  /** Every size so far, the first one included, with the reason given for it. */
  sizes(): readonly SizeChange[];
  /** Every number of ready replicas so far. */
  readiness(): readonly ReadyChange[];
  stop(): void;
}

/** What is said of a change that nobody gave a reason for. */
export const unexplained = 'Unexplained';

/** Starts watching; resolves when both objects have been seen. */
export async function observe(
  client: KubeClient,
  clock: Clock,
  log: Log,
  target: ObjectName,
  policy: ObjectName,
): Promise<Observation> {
  const changes: { readonly at: Instant; readonly replicas: number }[] = [];
  const readiness: ReadyChange[] = [];
  const decisions: StatedDecision[] = [];
  let current: Deployment | undefined;
  let word = '';
  const only = (object: ObjectName) => ({
    client,
    clock,
    log,
    namespace: object.namespace,
    fieldSelector: `metadata.name=${object.name}`,
  });
  const deployments = createReflector<Deployment>({ ...only(target), resource: resources.deployments });
  const policies = createReflector<ObservedPolicy>({ ...only(policy), resource: resources.policies });
  deployments.subscribe({
    upsert(deployment) {
      current = deployment;
      const replicas = deployment.spec.replicas ?? 1;
      if (changes.at(-1)?.replicas !== replicas) changes.push({ at: clock.now(), replicas });
      const ready = deployment.status?.readyReplicas ?? 0;
      if (readiness.at(-1)?.ready !== ready) readiness.push({ at: clock.now(), ready });
    },
    remove() {
      current = undefined;
    },
  });
  policies.subscribe({
    upsert({ status }) {
      word = status?.lastDecision?.reason ?? word;
      for (const decision of status?.decisions ?? []) {
        if (!decisions.some((known) => known.at === decision.at && known.to === decision.to)) decisions.push(decision);
      }
    },
    remove: () => undefined,
  });
  await Promise.all([deployments.synced, policies.synced]);
  return {
    now: () => ({
      replicas: current?.spec.replicas ?? 0,
      ready: current?.status?.readyReplicas ?? 0,
      reason: word,
    }),
    sizes: () =>
      changes.map((change, index) => ({
        ...change,
        reason: index === 0 ? 'Initial' : reasonFor(decisions, changes[index - 1]!.replicas, change),
      })),
    readiness: () => readiness,
    stop() {
      deployments.stop();
      policies.stop();
    },
  };
}

/** The decision with the same two sizes that was made closest in time. */
function reasonFor(
  decisions: readonly StatedDecision[],
  from: number,
  change: { readonly at: Instant; readonly replicas: number },
): string {
  const distance = (decision: StatedDecision) => Math.abs(elapsed(Date.parse(decision.at ?? '') as Instant, change.at));
  const candidates = decisions.filter((decision) => decision.to === change.replicas && decision.from === from);
  const closest = candidates.toSorted((left, right) => distance(left) - distance(right))[0];
  return closest?.reason ?? unexplained;
}
