// What a kind does to an object between its author and the store: fields only the server sets, status that a normal
// write may not touch, and when the generation grows.
import type { FieldError } from './api-error.ts';
import { equal, isObject, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';
import { qualityOfService } from './pod-admission.ts';
import type { ResourceKind } from './resources.ts';
import { assignAddresses } from './service-addresses.ts';
import type { Store } from './store.ts';

/** Before an object is first validated and stored, in place. */
export function prepareCreate(object: KubeObject, kind: ResourceKind, store: Store): FieldError[] {
  if (kind.status) delete object.status;
  if (kind.generation) object.metadata.generation = 1;
  else delete object.metadata.generation;
  switch (object.kind) {
    case 'Pod':
      object.status = { phase: 'Pending', qosClass: qualityOfService(object) };
      return [];
    case 'Namespace':
      object.spec = { finalizers: ['kubernetes'] };
      object.status = { phase: 'Active' };
      labelNamespace(object);
      return [];
    case 'Service':
      object.status = { loadBalancer: {} };
      return assignAddresses(object, undefined, store);
    case 'PersistentVolumeClaim':
      object.status = { phase: 'Pending' };
      return [];
    case 'Deployment':
    case 'DaemonSet':
    case 'ReplicaSet':
    case 'StatefulSet':
      object.status =
        object.kind === 'Deployment' || object.kind === 'DaemonSet'
          ? object.kind === 'DaemonSet'
            ? noDaemons
            : {}
          : { replicas: 0 };
      return [];
    default:
      return [];
  }
}

const noDaemons = { currentNumberScheduled: 0, desiredNumberScheduled: 0, numberMisscheduled: 0, numberReady: 0 };

const labelNamespace = (object: KubeObject) => {
  object.metadata.labels = { ...object.metadata.labels, 'kubernetes.io/metadata.name': object.metadata.name };
};

/** Before a changed object is validated and stored, in place. */
export function prepareUpdate(
  object: KubeObject,
  previous: KubeObject,
  kind: ResourceKind,
  subresource: string,
  store: Store,
): FieldError[] {
  if (subresource === 'status') {
    const { status } = object;
    for (const key of Object.keys(object)) if (key !== 'metadata') delete object[key];
    const { managedFields } = object.metadata;
    Object.assign(object, previous, { metadata: { ...previous.metadata, ...(managedFields && { managedFields }) } });
    if (status === undefined) delete object.status;
    else object.status = status;
    // The kubelet reports node and pod labels through status on a real cluster too, but nobody here relies on it.
    return [];
  }
  if (kind.status) {
    if (previous.status === undefined) delete object.status;
    else object.status = previous.status;
  }
  if (kind.generation) {
    const before = previous.metadata.generation ?? 1;
    object.metadata.generation = equal(generated(object), generated(previous)) ? before : before + 1;
  } else if (previous.metadata.generation !== undefined) object.metadata.generation = previous.metadata.generation;
  else delete object.metadata.generation;
  if (object.kind === 'Namespace') labelNamespace(object);
  if (object.kind === 'Namespace' && subresource !== 'finalize') object.spec = previous.spec;
  return object.kind === 'Service' ? assignAddresses(object, previous, store) : [];
}

/** What the generation counts: everything but metadata and status. */
function generated(object: KubeObject): JsonObject {
  const { metadata: _metadata, status: _status, apiVersion: _apiVersion, ...rest } = object;
  return rest;
}

/** Seconds that a pod may take to end: nobody waits for one that never started or is over. */
export function gracePeriodOf(pod: KubeObject, asked: number | undefined): number {
  const spec = isObject(pod.spec) ? pod.spec : {};
  const phase = valueAt(pod, 'status', 'phase');
  if (spec.nodeName === undefined || spec.nodeName === '' || phase === 'Succeeded' || phase === 'Failed') return 0;
  const own = typeof spec.terminationGracePeriodSeconds === 'number' ? spec.terminationGracePeriodSeconds : 30;
  return Math.max(0, asked ?? own);
}
