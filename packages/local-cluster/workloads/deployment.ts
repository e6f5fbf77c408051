// Rolls a Deployment's pods from one template to the next through ReplicaSets. Reads the world, asks rollout.ts how
// large each ReplicaSet should be, writes the sizes one by one and the status last; the next pass sees what came of it.
import { milliseconds } from '@kubeai/units';
import { copyOf, isApiError } from '../cluster-client.ts';
import {
  type Controller,
  createController,
  onEvery,
  type Running,
  runningUntilStopped,
  type World,
} from './controller.ts';
import { deploymentStatus, timeUntilOverdue } from './deployment-status.ts';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import {
  controllerOf,
  type Deployment,
  isControlledBy,
  keyOf,
  type Pod,
  type ReplicaSet,
  splitKey,
} from './objects.ts';
import { controllerReference, hashLabel, sameTemplate, templateHash } from './pod-template.ts';
import { type Bounds, boundsOf, type Generation, nextSizeOfNewest, nextSizesOfOld, spreadScaling } from './rollout.ts';
import { selects } from './selector.ts';

const revisionAnnotation = 'deployment.kubernetes.io/revision';
const historyAnnotation = 'deployment.kubernetes.io/revision-history';
const desiredAnnotation = 'deployment.kubernetes.io/desired-replicas';
const maxAnnotation = 'deployment.kubernetes.io/max-replicas';
/** Annotations of a Deployment that its ReplicaSets do not inherit. */
const ownAnnotations = new Set([
  'kubectl.kubernetes.io/last-applied-configuration',
  revisionAnnotation,
  historyAnnotation,
  desiredAnnotation,
  maxAnnotation,
]);

export function runDeployments(world: World): Running {
  const events = createEventRecorder(world, 'deployment-controller');
  const controller = createController('deployment', world, (key) => reconcile(key, world, events, controller));
  const ofReplicaSet = (set: ReplicaSet) => {
    const owner = controllerOf(set);
    if (owner?.kind === 'Deployment') controller.enqueue(`${set.metadata.namespace}/${owner.name}`);
  };
  // Recreate waits for the last old pod to be gone, which no ReplicaSet's status says.
  const ofPod = async (pod: Pod) => {
    const owner = controllerOf(pod);
    if (owner?.kind !== 'ReplicaSet') return;
    const { namespace } = pod.metadata;
    const set = await world.client.find<ReplicaSet>('replicasets.apps', { name: owner.name, namespace });
    if (set !== undefined) ofReplicaSet(set);
  };
  return runningUntilStopped(
    [
      onEvery<Deployment>(world.client, 'deployments.apps', (deployment) => controller.enqueue(keyOf(deployment))),
      onEvery<ReplicaSet>(world.client, 'replicasets.apps', ofReplicaSet),
      onEvery<Pod>(world.client, 'pods', (pod, type) => {
        if (type === 'DELETED') ofPod(pod).catch((cause) => world.log.debug('Owner not found', { cause }));
      }),
    ],
    [controller],
  );
}

/** One look at a Deployment and everything that is its own, oldest ReplicaSet first. */
interface Rollout {
  readonly deployment: Deployment;
  readonly bounds: Bounds;
  readonly desired: number;
  newest: ReplicaSet | undefined;
  readonly old: ReplicaSet[];
  readonly pods: readonly Pod[];
}

async function reconcile(key: string, world: World, events: EventRecorder, controller: Controller): Promise<void> {
  const deployment = await world.client.find<Deployment>('deployments.apps', splitKey(key));
  if (deployment === undefined) return;
  const rollout = await observe(deployment, world);
  const created = deployment.metadata.deletionTimestamp === undefined && (await roll(rollout, world, events));
  await writeStatus(rollout, created, world);
  const wait = timeUntilOverdue(deployment, world.clock.now());
  if (wait !== undefined) controller.enqueueAfter(key, milliseconds(wait));
}

async function observe(deployment: Deployment, { client }: World): Promise<Rollout> {
  const { namespace } = deployment.metadata;
  const sets = (await client.list<ReplicaSet>('replicasets.apps', { namespace })).items
    .filter((set) => isControlledBy(set, deployment))
    .sort(oldestFirst);
  const newest = sets.find((set) => sameTemplate(set.spec.template, deployment.spec.template));
  const pods = (await client.list<Pod>('pods', { namespace })).items;
  return {
    deployment,
    bounds: boundsOf(deployment),
    desired: deployment.spec.replicas ?? 1,
    newest,
    old: sets.filter((set) => set !== newest),
    pods: pods.filter((pod) => selects(deployment.spec.selector, pod.metadata.labels)),
  };
}

const oldestFirst = (a: ReplicaSet, b: ReplicaSet): number =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  a.metadata.name.localeCompare(b.metadata.name);

/** Moves one step towards the template and the size asked for. True when it created the ReplicaSet of the template. */
async function roll(rollout: Rollout, world: World, events: EventRecorder): Promise<boolean> {
  const { deployment } = rollout;
  if (rollout.newest !== undefined) await carryRevision(rollout, rollout.newest, world);
  if (deployment.spec.paused === true || isScaling(rollout)) {
    await scale(rollout, world, events);
    return false;
  }
  const created =
    deployment.spec.strategy?.type === 'Recreate'
      ? await recreate(rollout, world, events)
      : await update(rollout, world, events);
  await forgetHistory(rollout, world);
  return created;
}

async function update(rollout: Rollout, world: World, events: EventRecorder): Promise<boolean> {
  const { bounds, desired, old } = rollout;
  const generations = old.map(generationOf);
  if (rollout.newest === undefined) {
    await createNewest(rollout, nextSizeOfNewest(desired, bounds, 0, generations), world, events);
    return true;
  }
  const newest = generationOf(rollout.newest);
  const size = nextSizeOfNewest(desired, bounds, newest.replicas, generations);
  if (size !== newest.replicas) {
    rollout.newest = await resize(rollout, rollout.newest, size, world, events);
    return false;
  }
  const sizes = nextSizesOfOld(desired, bounds, newest, generations);
  await resizeAll(rollout, sizes, world, events);
  return false;
}

async function recreate(rollout: Rollout, world: World, events: EventRecorder): Promise<boolean> {
  const { old, desired, pods } = rollout;
  if (old.some(({ spec }) => (spec.replicas ?? 0) > 0)) {
    await resizeAll(rollout, new Map(old.map(({ metadata }) => [metadata.name, 0])), world, events);
    return false;
  }
  const unfinished = (pod: Pod) => pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';
  const oldNames = new Set(old.map(({ metadata }) => metadata.uid));
  if (pods.some((pod) => unfinished(pod) && oldNames.has(controllerOf(pod)?.uid))) return false;
  if (rollout.newest === undefined) {
    await createNewest(rollout, desired, world, events);
    return true;
  }
  if (rollout.newest.spec.replicas !== desired) {
    rollout.newest = await resize(rollout, rollout.newest, desired, world, events);
  }
  return false;
}

/** The size changed and the template did not: a rollout in progress keeps its proportions. */
function isScaling({ deployment, newest, old, desired }: Rollout): boolean {
  if (deployment.spec.strategy?.type === 'Recreate') return false;
  const active = [...old, ...(newest ? [newest] : [])].filter(({ spec }) => (spec.replicas ?? 0) > 0);
  return active.some((set) => {
    const before = set.metadata.annotations?.[desiredAnnotation];
    return before !== undefined && Number(before) !== desired;
  });
}

async function scale(rollout: Rollout, world: World, events: EventRecorder): Promise<void> {
  const { desired, bounds, newest, old } = rollout;
  const sets = [...old, ...(newest === undefined ? [] : [newest])];
  const active = sets.filter(({ spec }) => (spec.replicas ?? 0) > 0);
  const only = active.length > 1 ? undefined : (active[0] ?? newest ?? old.at(-1));
  if (only !== undefined) {
    await resizeAll(rollout, new Map([[only.metadata.name, desired]]), world, events);
  } else if (newest !== undefined && isSaturated(newest, desired)) {
    await resizeAll(rollout, new Map(old.map(({ metadata }) => [metadata.name, 0])), world, events);
  } else {
    await resizeAll(rollout, spreadScaling(desired, bounds, active.map(generationOf)), world, events);
  }
}

const isSaturated = (set: ReplicaSet, desired: number): boolean =>
  set.spec.replicas === desired &&
  Number(set.metadata.annotations?.[desiredAnnotation] ?? Number.NaN) === desired &&
  (set.status?.availableReplicas ?? 0) === desired;

function generationOf(set: ReplicaSet): Generation {
  const max = Number(set.metadata.annotations?.[maxAnnotation] ?? Number.NaN);
  return {
    name: set.metadata.name,
    replicas: set.spec.replicas ?? 1,
    available: set.status?.availableReplicas ?? 0,
    ...(Number.isNaN(max) ? {} : { max }),
  };
}

/** Writes the sizes that differ, and the annotations that belong to them; sets that are not in `sizes` stay. */
async function resizeAll(
  rollout: Rollout,
  sizes: ReadonlyMap<string, number>,
  world: World,
  events: EventRecorder,
): Promise<void> {
  for (const [index, set] of rollout.old.entries()) {
    const size = sizes.get(set.metadata.name);
    if (size !== undefined) rollout.old[index] = await resize(rollout, set, size, world, events);
  }
  const size = rollout.newest && sizes.get(rollout.newest.metadata.name);
  if (rollout.newest !== undefined && size !== undefined) {
    rollout.newest = await resize(rollout, rollout.newest, size, world, events);
  }
}

async function resize(rollout: Rollout, set: ReplicaSet, size: number, world: World, events: EventRecorder) {
  const annotations = sizeAnnotations(rollout);
  const before = set.spec.replicas ?? 1;
  const annotated = Object.entries(annotations).every(([name, value]) => set.metadata.annotations?.[name] === value);
  if (before === size && (annotated || size === 0)) return set;
  const { name, namespace, resourceVersion } = set.metadata;
  const change = { metadata: { annotations, resourceVersion }, spec: { replicas: size } };
  const changed = await world.client.patch<ReplicaSet>('replicasets.apps', { name, namespace }, change, {
    type: 'merge',
  });
  if (before !== size) {
    const verb = size > before ? 'up' : 'down';
    const message = `Scaled ${verb} replica set ${name} from ${before} to ${size}`;
    events.record(rollout.deployment, 'Normal', 'ScalingReplicaSet', message);
  }
  return changed;
}

const sizeAnnotations = ({ desired, bounds }: Rollout) => ({
  [desiredAnnotation]: String(desired),
  [maxAnnotation]: String(desired + bounds.surge),
});

async function createNewest(rollout: Rollout, replicas: number, world: World, events: EventRecorder): Promise<void> {
  const { deployment } = rollout;
  const { name, namespace } = deployment.metadata;
  const collisions = deployment.status?.collisionCount ?? 0;
  const hash = templateHash(deployment.spec.template, collisions);
  const template = copyOf(deployment.spec.template);
  template.metadata = { ...template.metadata, labels: { ...template.metadata?.labels, [hashLabel]: hash } };
  const { selector } = deployment.spec;
  const revision = String(1 + Math.max(0, ...rollout.old.map(revisionOf)));
  const set: ReplicaSet = {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: {
      name: `${name}-${hash}`,
      ...(namespace === undefined ? {} : { namespace }),
      labels: template.metadata.labels ?? {},
      annotations: { ...inherited(deployment), ...sizeAnnotations(rollout), [revisionAnnotation]: revision },
      ownerReferences: [controllerReference(deployment)],
    },
    spec: {
      replicas,
      ...(deployment.spec.minReadySeconds ? { minReadySeconds: deployment.spec.minReadySeconds } : {}),
      selector: { ...copyOf(selector), matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template,
    },
  };
  try {
    rollout.newest = await world.client.create<ReplicaSet>('replicasets.apps', set);
  } catch (cause) {
    // A ReplicaSet of this name that is not ours: another template with the same hash, or an orphan.
    if (!isApiError(cause, 409)) throw cause;
    const status = { ...deployment.status, collisionCount: collisions + 1 };
    await world.client.updateStatus('deployments.apps', { ...deployment, status } as Deployment);
    throw cause;
  }
  if (replicas > 0) {
    const message = `Scaled up replica set ${set.metadata.name} from 0 to ${replicas}`;
    events.record(deployment, 'Normal', 'ScalingReplicaSet', message);
  }
  await writeRevision(deployment, revision, world);
}

const revisionOf = (set: ReplicaSet): number => Number(set.metadata.annotations?.[revisionAnnotation] ?? 0);

const inherited = (deployment: Deployment): Record<string, string> =>
  Object.fromEntries(
    Object.entries(deployment.metadata.annotations ?? {}).filter(([name]) => !ownAnnotations.has(name)),
  );

/** A ReplicaSet that is in use again, after a rollback, gets the newest revision number; the Deployment shows it. */
async function carryRevision(rollout: Rollout, newest: ReplicaSet, world: World): Promise<void> {
  const { deployment, old } = rollout;
  const { name, namespace, annotations } = newest.metadata;
  const present = revisionOf(newest);
  const wanted = Math.max(present, 1 + Math.max(0, ...old.map(revisionOf)));
  if (wanted !== present) {
    const history = [annotations?.[historyAnnotation], present > 0 ? String(present) : undefined];
    const change = {
      metadata: {
        annotations: { [revisionAnnotation]: String(wanted), [historyAnnotation]: history.filter(Boolean).join(',') },
      },
    };
    rollout.newest = await world.client.patch('replicasets.apps', { name, namespace }, change, { type: 'merge' });
  }
  await writeRevision(deployment, String(wanted), world);
}

async function writeRevision(deployment: Deployment, revision: string, { client }: World): Promise<void> {
  const { name, namespace, annotations } = deployment.metadata;
  if (annotations?.[revisionAnnotation] === revision) return;
  const change = { metadata: { annotations: { [revisionAnnotation]: revision } } };
  await client.patch('deployments.apps', { name, namespace }, change, { type: 'merge' });
}

/** Old ReplicaSets without pods are kept for `kubectl rollout undo`, but only so many. */
async function forgetHistory({ deployment, old, newest }: Rollout, { client }: World): Promise<void> {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const complete =
    newest !== undefined &&
    old.every(({ spec, status }) => (spec.replicas ?? 0) === 0 && (status?.replicas ?? 0) === 0);
  if (!complete) return;
  const idle = [...old].sort((a, b) => revisionOf(a) - revisionOf(b));
  for (const set of idle.slice(0, Math.max(0, idle.length - limit))) {
    const { name, namespace } = set.metadata;
    await client.delete('replicasets.apps', { name, namespace });
  }
}

async function writeStatus(rollout: Rollout, created: boolean, { client, clock }: World): Promise<void> {
  const { newest, old } = rollout;
  const name = { name: rollout.deployment.metadata.name, namespace: rollout.deployment.metadata.namespace };
  // Read anew: the revision annotation has just changed it, and the status must carry the present version.
  const deployment = await client.find<Deployment>('deployments.apps', name);
  if (deployment === undefined || deployment.metadata.uid !== rollout.deployment.metadata.uid) return;
  const seen = { ...deployment, spec: rollout.deployment.spec, metadata: rollout.deployment.metadata };
  const status = deploymentStatus(seen, { newest, old, created, bounds: rollout.bounds }, clock.now());
  if (status === undefined) return;
  await client.updateStatus('deployments.apps', { ...deployment, status } as Deployment);
}
