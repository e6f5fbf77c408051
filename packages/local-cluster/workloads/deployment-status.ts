// What a Deployment's status says about its rollout: counts, and the conditions that `kubectl rollout status` and
// `kubectl wait` read. Pure; upstream's calculateStatus and syncRolloutStatus.
import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from './objects.ts';
import { conditionOf } from './objects.ts';
import type { Bounds } from './rollout.ts';
import { timeOf } from './time.ts';

export interface Observed {
  readonly newest: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** The newest ReplicaSet was created in this pass. */
  readonly created: boolean;
  readonly bounds: Bounds;
}

type Count = 'replicas' | 'readyReplicas' | 'availableReplicas';
type Told = Omit<Condition, 'lastTransitionTime' | 'lastUpdateTime'>;

/** The new status, or undefined when it says what the present one says. */
export function deploymentStatus(deployment: Deployment, seen: Observed, now: number): DeploymentStatus | undefined {
  const present = deployment.status ?? {};
  const counts = countsOf(deployment, seen);
  const conditions = [
    progressing(deployment, seen, counts, now),
    available(deployment, seen, counts),
    replicaFailure(seen),
  ].filter((told) => told !== undefined);
  const kept = (present.conditions ?? []).filter(({ type }) => type === 'Progressing' && !hasDeadline(deployment));
  const moved = (told: Told) => told.type === 'Progressing' && isProgress(present, counts);
  const written = conditions.map((told) =>
    withTimes(told, conditionOf(present.conditions, told.type), moved(told), now),
  );
  const order = [...kept, ...written].sort((a, b) => placeOf(present, a) - placeOf(present, b));
  const status = clean({ ...counts, conditions: order, collisionCount: present.collisionCount ?? 0 });
  return JSON.stringify(status) === JSON.stringify(clean(present)) ? undefined : status;
}

// Conditions keep the places they have, so that an unchanged status is byte for byte the same.
function placeOf({ conditions = [] }: DeploymentStatus, { type }: Condition): number {
  const place = conditions.findIndex((condition) => condition.type === type);
  return place < 0 ? conditions.length : place;
}

function countsOf({ metadata }: Deployment, { newest, old }: Observed): DeploymentStatus {
  const all = newest === undefined ? old : [...old, newest];
  const sum = (field: Count) => all.reduce((total, set) => total + (set.status?.[field] ?? 0), 0);
  const asked = all.reduce((total, set) => total + (set.spec.replicas ?? 0), 0);
  return {
    observedGeneration: metadata.generation ?? 0,
    replicas: sum('replicas'),
    updatedReplicas: newest?.status?.replicas ?? 0,
    readyReplicas: sum('readyReplicas'),
    availableReplicas: sum('availableReplicas'),
    unavailableReplicas: Math.max(0, asked - sum('availableReplicas')),
  };
}

function available({ spec }: Deployment, { bounds }: Observed, counts: DeploymentStatus): Told {
  const enough = (counts.availableReplicas ?? 0) >= (spec.replicas ?? 1) - bounds.unavailable;
  return {
    type: 'Available',
    status: enough ? 'True' : 'False',
    reason: enough ? 'MinimumReplicasAvailable' : 'MinimumReplicasUnavailable',
    message: `Deployment ${enough ? 'has' : 'does not have'} minimum availability.`,
  };
}

const hasDeadline = ({ spec }: Deployment): boolean => (spec.progressDeadlineSeconds ?? 600) < 2 ** 31 - 1;

function progressing(deployment: Deployment, seen: Observed, counts: DeploymentStatus, now: number): Told | undefined {
  if (!hasDeadline(deployment)) return undefined;
  const present = conditionOf(deployment.status?.conditions, 'Progressing');
  const told = (status: string, reason: string, message: string): Told => ({
    type: 'Progressing',
    status,
    reason,
    message,
  });
  if (deployment.spec.paused === true) return told('Unknown', 'DeploymentPaused', 'Deployment is paused');
  if (present?.reason === 'DeploymentPaused') return told('Unknown', 'DeploymentResumed', 'Deployment is resumed');
  const name = seen.newest?.metadata.name ?? deployment.metadata.name;
  if (seen.created) return told('True', 'NewReplicaSetCreated', `Created new replica set "${name}"`);
  const unchanged = present && told(present.status, present.reason ?? '', present.message ?? '');
  if (counts.replicas === counts.updatedReplicas && present?.reason === 'NewReplicaSetAvailable') return unchanged;
  if (isComplete(deployment, counts)) {
    return told('True', 'NewReplicaSetAvailable', `ReplicaSet "${name}" has successfully progressed.`);
  }
  if (isProgress(deployment.status ?? {}, counts) || present === undefined) {
    return told('True', 'ReplicaSetUpdated', `ReplicaSet "${name}" is progressing.`);
  }
  const overdue = timeUntilOverdue(deployment, now);
  if (present.reason !== 'ProgressDeadlineExceeded' && overdue === 0) {
    return told('False', 'ProgressDeadlineExceeded', `ReplicaSet "${name}" has timed out progressing.`);
  }
  return unchanged;
}

function isComplete({ spec }: Deployment, counts: DeploymentStatus): boolean {
  const replicas = spec.replicas ?? 1;
  return counts.updatedReplicas === replicas && counts.replicas === replicas && counts.availableReplicas === replicas;
}

function isProgress(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const old = (status: DeploymentStatus) => (status.replicas ?? 0) - (status.updatedReplicas ?? 0);
  return (
    (after.updatedReplicas ?? 0) > (before.updatedReplicas ?? 0) ||
    old(after) < old(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** Milliseconds until the rollout counts as stuck, 0 when it does, undefined when nothing is in progress. */
export function timeUntilOverdue(deployment: Deployment, now: number): number | undefined {
  const present = conditionOf(deployment.status?.conditions, 'Progressing');
  if (!hasDeadline(deployment) || deployment.spec.paused === true || present?.lastUpdateTime === undefined)
    return undefined;
  if (present.reason === 'NewReplicaSetAvailable' || present.reason === 'ProgressDeadlineExceeded') return undefined;
  const deadline = Date.parse(present.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;
  return Math.max(0, deadline - now);
}

function replicaFailure({ newest, old }: Observed): Told | undefined {
  const sets = newest === undefined ? old : [newest, ...old];
  for (const set of sets) {
    const failure = conditionOf(set.status?.conditions, 'ReplicaFailure');
    if (failure?.status !== 'True') continue;
    return { type: 'ReplicaFailure', status: 'True', reason: failure.reason ?? '', message: failure.message ?? '' };
  }
  return undefined;
}

function withTimes(told: Told, present: Condition | undefined, moved: boolean, now: number): Condition {
  const time = timeOf(now);
  const same = present?.status === told.status && present.reason === told.reason && present.message === told.message;
  const lastTransitionTime = present?.status === told.status ? (present.lastTransitionTime ?? time) : time;
  const lastUpdateTime = same && !moved ? (present.lastUpdateTime ?? time) : time;
  return { ...told, lastUpdateTime, lastTransitionTime };
}

/** The fields in one order, without the zeros that the API leaves out. */
const clean = (status: DeploymentStatus): DeploymentStatus => ({
  ...(status.observedGeneration ? { observedGeneration: status.observedGeneration } : {}),
  ...(status.replicas ? { replicas: status.replicas } : {}),
  ...(status.updatedReplicas ? { updatedReplicas: status.updatedReplicas } : {}),
  ...(status.readyReplicas ? { readyReplicas: status.readyReplicas } : {}),
  ...(status.availableReplicas ? { availableReplicas: status.availableReplicas } : {}),
  ...(status.unavailableReplicas ? { unavailableReplicas: status.unavailableReplicas } : {}),
  ...(status.collisionCount ? { collisionCount: status.collisionCount } : {}),
  ...(status.conditions?.length ? { conditions: status.conditions.map(conditionFields) } : {}),
});

const conditionFields = ({
  type,
  status,
  reason,
  message,
  lastUpdateTime,
  lastTransitionTime,
}: Condition): Condition => ({
  type,
  status,
  ...(reason === undefined ? {} : { reason }),
  ...(message === undefined ? {} : { message }),
  ...(lastUpdateTime === undefined ? {} : { lastUpdateTime }),
  ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }),
});
