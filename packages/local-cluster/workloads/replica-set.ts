// Keeps as many pods of a ReplicaSet as it asks for, and says in its status how they are.
import { milliseconds, seconds } from '@kubeai/units';
import {
  type Controller,
  createController,
  onEvery,
  type Running,
  runningUntilStopped,
  type World,
} from './controller.ts';
import { deletionOrder } from './deletion-order.ts';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import { burstReplicas } from './limits.ts';
import {
  type Condition,
  conditionOf,
  controllerOf,
  isActive,
  isControlledBy,
  isReady,
  keyOf,
  type Pod,
  type ReplicaSet,
  type ReplicaSetStatus,
  splitKey,
} from './objects.ts';
import { hashLabel, podOf } from './pod-template.ts';
import { selects } from './selector.ts';
import { timeOf } from './time.ts';

export function runReplicaSets(world: World): Running {
  const events = createEventRecorder(world, 'replicaset-controller');
  const controller = createController('replicaset', world, (key) => reconcile(key, world, events, controller));
  const ofPod = (pod: Pod) => {
    const owner = controllerOf(pod);
    if (owner?.kind === 'ReplicaSet') controller.enqueue(`${pod.metadata.namespace}/${owner.name}`);
  };
  return runningUntilStopped(
    [
      onEvery<ReplicaSet>(world.client, 'replicasets.apps', (set) => controller.enqueue(keyOf(set))),
      onEvery<Pod>(world.client, 'pods', ofPod),
    ],
    [controller],
  );
}

async function reconcile(key: string, world: World, events: EventRecorder, controller: Controller): Promise<void> {
  const { namespace } = splitKey(key);
  const set = await world.client.find<ReplicaSet>('replicasets.apps', splitKey(key));
  if (set === undefined) return;
  const { items: pods } = await world.client.list<Pod>('pods', { namespace });
  const own = pods.filter((pod) => isControlledBy(pod, set) && isActive(pod));
  const failure =
    set.metadata.deletionTimestamp === undefined ? await replicate(set, own, pods, world, events) : undefined;
  await writeStatus(set, own, failure, world);
  const soonest = nextAvailability(own, set.spec.minReadySeconds ?? 0, world.clock.now());
  if (soonest !== undefined) controller.enqueueAfter(key, milliseconds(soonest));
}

/** Creates what is missing or deletes what is too much. Returns why it could not, if it could not. */
async function replicate(
  set: ReplicaSet,
  own: readonly Pod[],
  pods: readonly Pod[],
  { client, clock }: World,
  events: EventRecorder,
): Promise<Error | undefined> {
  const difference = (set.spec.replicas ?? 1) - own.length;
  try {
    for (let made = 0; made < Math.min(difference, burstReplicas); made++) {
      const draft = podOf(set.spec.template, set, { generateName: `${set.metadata.name}-` });
      const pod = await client.create<Pod>('pods', draft);
      events.record(set, 'Normal', 'SuccessfulCreate', `Created pod: ${pod.metadata.name}`);
    }
  } catch (cause) {
    const error = cause instanceof Error ? cause : new Error(String(cause));
    events.record(set, 'Warning', 'FailedCreate', `Error creating: ${error.message}`);
    return error;
  }
  if (difference >= 0) return undefined;
  const surplus = Math.min(-difference, burstReplicas);
  for (const pod of deletionOrder(own, relatives(set, pods), clock.now()).slice(0, surplus)) {
    const { name, namespace, uid } = pod.metadata;
    await client.delete('pods', { name, namespace }, uid === undefined ? {} : { preconditions: { uid } });
    events.record(set, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
  }
  return undefined;
}

// The pods of this ReplicaSet and of the others with the same owner carry its labels, and no unrelated pod should.
function relatives(set: ReplicaSet, pods: readonly Pod[]): Pod[] {
  const { [hashLabel]: _hash, ...labels } = set.spec.selector.matchLabels ?? {};
  return pods.filter((pod) => selects({ matchLabels: labels }, pod.metadata.labels));
}

async function writeStatus(set: ReplicaSet, own: readonly Pod[], failure: Error | undefined, world: World) {
  const status = statusOf(set, own, failure, world.clock.now());
  if (JSON.stringify(status) !== JSON.stringify(pick(set.status ?? {}))) {
    const { name, namespace } = set.metadata;
    const draft = { ...set, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, status };
    await world.client.updateStatus('replicasets.apps', draft);
  }
  // The queue's growing waits retry what failed.
  if (failure !== undefined) throw failure;
}

function statusOf(set: ReplicaSet, own: readonly Pod[], failure: Error | undefined, now: number): ReplicaSetStatus {
  const labels = { matchLabels: set.spec.template.metadata?.labels ?? {} };
  const minReady = seconds(set.spec.minReadySeconds ?? 0);
  const present = conditionOf(set.status?.conditions, 'ReplicaFailure');
  const condition: Condition | undefined = failure && {
    type: 'ReplicaFailure',
    status: 'True',
    reason: 'FailedCreate',
    message: failure.message,
    lastTransitionTime: present?.lastTransitionTime ?? timeOf(now),
  };
  return pick({
    replicas: own.length,
    fullyLabeledReplicas: own.filter((pod) => selects(labels, pod.metadata.labels)).length,
    readyReplicas: own.filter(isReady).length,
    availableReplicas: own.filter((pod) => untilAvailable(pod, minReady, now) === 0).length,
    observedGeneration: set.metadata.generation ?? 0,
    conditions: condition === undefined ? [] : [condition],
  });
}

/** The fields in one order, without those that the API server leaves out when they are empty. */
const pick = (status: ReplicaSetStatus): ReplicaSetStatus => ({
  replicas: status.replicas ?? 0,
  ...(status.fullyLabeledReplicas ? { fullyLabeledReplicas: status.fullyLabeledReplicas } : {}),
  ...(status.readyReplicas ? { readyReplicas: status.readyReplicas } : {}),
  ...(status.availableReplicas ? { availableReplicas: status.availableReplicas } : {}),
  ...(status.observedGeneration ? { observedGeneration: status.observedGeneration } : {}),
  ...(status.conditions?.length ? { conditions: status.conditions } : {}),
});

/** Milliseconds until a ready pod has been ready for long enough; 0 when it has, undefined when it is not ready. */
export function untilAvailable(pod: Pod, minReady: number, now: number): number | undefined {
  if (!isReady(pod)) return undefined;
  const since = conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime;
  if (minReady === 0) return 0;
  return since === undefined ? minReady : Math.max(0, Date.parse(since) + minReady - now);
}

/** Milliseconds until the next pod becomes available by mere waiting, or undefined. */
export function nextAvailability(pods: readonly Pod[], minReadySeconds: number, now: number): number | undefined {
  const waits = pods
    .map((pod) => untilAvailable(pod, minReadySeconds * 1000, now))
    .filter((wait): wait is number => wait !== undefined && wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
