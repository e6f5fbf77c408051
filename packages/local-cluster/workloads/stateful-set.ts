// Keeps the numbered pods of a StatefulSet: one after the other, or all at once where podManagementPolicy is Parallel.
// ControllerRevision objects are not kept: a revision is the hash of its template, so a pod that is lost below the
// partition of a rolling update comes back with the new template, not with the old one.
import { milliseconds, seconds } from '@kubeai/units';
import { copyOf } from '../cluster-client.ts';
import {
  type Controller,
  createController,
  onEvery,
  type Running,
  runningUntilStopped,
  type World,
} from './controller.ts';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import {
  controllerOf,
  isActive,
  isControlledBy,
  isReady,
  keyOf,
  type Pod,
  type StatefulSet,
  splitKey,
} from './objects.ts';
import { podOf, templateHash } from './pod-template.ts';
import { nextAvailability, untilAvailable } from './replica-set.ts';

const revisionLabel = 'controller-revision-hash';

export function runStatefulSets(world: World): Running {
  const events = createEventRecorder(world, 'statefulset-controller');
  const controller = createController('statefulset', world, (key) => reconcile(key, world, events, controller));
  const ofPod = (pod: Pod) => {
    const owner = controllerOf(pod);
    if (owner?.kind === 'StatefulSet') controller.enqueue(`${pod.metadata.namespace}/${owner.name}`);
  };
  return runningUntilStopped(
    [
      onEvery<StatefulSet>(world.client, 'statefulsets.apps', (set) => controller.enqueue(keyOf(set))),
      onEvery<Pod>(world.client, 'pods', ofPod),
    ],
    [controller],
  );
}

async function reconcile(key: string, world: World, events: EventRecorder, controller: Controller): Promise<void> {
  const set = await world.client.find<StatefulSet>('statefulsets.apps', splitKey(key));
  if (set === undefined) return;
  const { items } = await world.client.list<Pod>('pods', { namespace: set.metadata.namespace });
  const own = items.filter((pod) => isControlledBy(pod, set));
  const revision = `${set.metadata.name}-${templateHash(set.spec.template)}`;
  const now = world.clock.now();
  for (const step of set.metadata.deletionTimestamp === undefined ? nextSteps(set, own, revision, now) : []) {
    await take(step, set, revision, world, events);
  }
  await writeStatus(set, revision, world);
  const wait = nextAvailability(own, set.spec.minReadySeconds ?? 0, now);
  if (wait !== undefined) controller.enqueueAfter(key, milliseconds(wait));
}

export type Step = { readonly create: number } | { readonly remove: Pod };

/**
 * What to do next. Ordered: at most one step, and none while the pods before it are not well. Parallel: all at once for
 * scaling; a rolling update still goes one pod at a time, from the highest number down to the partition.
 */
export function nextSteps(set: StatefulSet, pods: readonly Pod[], revision: string, now: number): Step[] {
  const start = set.spec.ordinals?.start ?? 0;
  const replicas = set.spec.replicas ?? 1;
  const ordered = set.spec.podManagementPolicy !== 'Parallel';
  const minReady = seconds(set.spec.minReadySeconds ?? 0);
  const isWell = (pod: Pod) => isActive(pod) && untilAvailable(pod, minReady, now) === 0;
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(pod), pod]));
  const steps: Step[] = [];

  for (let ordinal = start; ordinal < start + replicas; ordinal++) {
    const pod = byOrdinal.get(ordinal);
    const finished = pod?.status?.phase === 'Failed' || pod?.status?.phase === 'Succeeded';
    if (pod === undefined) steps.push({ create: ordinal });
    else if (finished && pod.metadata.deletionTimestamp === undefined) steps.push({ remove: pod });
    if (ordered && (pod === undefined || !isWell(pod))) return steps;
  }
  const condemned = pods
    .filter((pod) => ordinalOf(pod) < start || ordinalOf(pod) >= start + replicas)
    .sort((a, b) => ordinalOf(b) - ordinalOf(a));
  for (const pod of condemned) {
    if (pod.metadata.deletionTimestamp === undefined) steps.push({ remove: pod });
    if (ordered) return steps;
  }
  if (steps.length > 0 || set.spec.updateStrategy?.type === 'OnDelete') return steps;
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (let ordinal = start + replicas - 1; ordinal >= Math.max(start, partition); ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return steps;
    if (pod.metadata.labels?.[revisionLabel] !== revision) return [{ remove: pod }];
    if (!isWell(pod)) return steps;
  }
  return steps;
}

const ordinalOf = (pod: Pod): number => Number(/-(\d+)$/.exec(pod.metadata.name)?.[1] ?? -1);

async function take(step: Step, set: StatefulSet, revision: string, { client }: World, events: EventRecorder) {
  if ('create' in step) {
    const name = `${set.metadata.name}-${step.create}`;
    await client.create('pods', podNumber(set, step.create, revision));
    events.record(
      set,
      'Normal',
      'SuccessfulCreate',
      `create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
    );
    return;
  }
  const { name, namespace, uid } = step.remove.metadata;
  await client.delete('pods', { name, namespace }, uid === undefined ? {} : { preconditions: { uid } });
  events.record(set, 'Normal', 'SuccessfulDelete', `delete Pod ${name} in StatefulSet ${set.metadata.name} successful`);
}

function podNumber(set: StatefulSet, ordinal: number, revision: string) {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podOf(set.spec.template, set, { name });
  const claims = (set.spec.volumeClaimTemplates ?? []).map(({ metadata }) => ({
    name: metadata.name,
    persistentVolumeClaim: { claimName: `${metadata.name}-${name}` },
  }));
  const claimed = new Set(claims.map((claim) => claim.name));
  const kept = (pod.spec.volumes ?? []).filter((volume) => !claimed.has(volume.name));
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        'statefulset.kubernetes.io/pod-name': name,
        'apps.kubernetes.io/pod-index': String(ordinal),
        [revisionLabel]: revision,
      },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      ...(set.spec.serviceName === undefined ? {} : { subdomain: set.spec.serviceName }),
      ...(claims.length === 0 ? {} : { volumes: [...kept, ...claims] }),
    },
  };
}

async function writeStatus(set: StatefulSet, revision: string, { client, clock }: World): Promise<void> {
  const { name, namespace } = set.metadata;
  const { items } = await client.list<Pod>('pods', { namespace });
  const own = items.filter((pod) => isControlledBy(pod, set));
  const active = own.filter(isActive);
  const minReady = seconds(set.spec.minReadySeconds ?? 0);
  const updated = active.filter((pod) => pod.metadata.labels?.[revisionLabel] === revision).length;
  const complete = updated === (set.spec.replicas ?? 1) && own.length === updated && own.every(isReady);
  const currentRevision = complete ? revision : (set.status?.currentRevision ?? revision);
  const status = {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: own.length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => untilAvailable(pod, minReady, clock.now()) === 0).length,
    currentReplicas: active.filter((pod) => pod.metadata.labels?.[revisionLabel] === currentRevision).length,
    updatedReplicas: updated,
    currentRevision,
    updateRevision: revision,
    collisionCount: set.status?.collisionCount ?? 0,
  };
  const present: Record<string, unknown> = { ...set.status };
  if (Object.entries(status).every(([field, value]) => (present[field] ?? 0) === value)) return;
  const latest = await client.find<StatefulSet>('statefulsets.apps', { name, namespace });
  if (latest?.metadata.uid !== set.metadata.uid) return;
  await client.updateStatus('statefulsets.apps', { ...copyOf(latest), status } as StatefulSet);
}
