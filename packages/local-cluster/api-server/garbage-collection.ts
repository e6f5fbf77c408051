// What goes when its owner goes. Objects follow the owners named in their ownerReferences; a namespace takes everything
// in it along, a CRD all its objects. All of it happens after the write that caused it, never inside it, and through
// the pipeline, so that finalizers and webhooks have their say.
import { isApiError } from './api-error.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import type { KubeObject, OwnerReference } from './kube-object.ts';
import type { Pipeline } from './pipeline.ts';
import type { Registry } from './registry.ts';
import { type Caller, targetOf } from './request.ts';
import type { ResourceKind } from './resources.ts';
import type { ServerLog } from './server-log.ts';
import type { Store } from './store.ts';

interface Located {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
}

const crdStorage = 'customresourcedefinitions.apiextensions.k8s.io';
export const crdFinalizer = 'customresourcecleanup.apiextensions.k8s.io';

/** A namespace keeps what is in it for so long, as a real one does: whoever deletes it and its content one by one finds all. */
const namespaceGraceMs = 5_000;

const callerNamed = (username: string): Caller => ({
  user: { username, groups: ['system:masters', 'system:authenticated'] },
  agent: 'kube-controller-manager',
  warn: () => undefined,
});
const collector = callerNamed('system:serviceaccount:kube-system:generic-garbage-collector');

/** Starts collecting; returns the stop. */
export function collectGarbage(store: Store, registry: Registry, pipeline: Pipeline, log: ServerLog): () => void {
  // uid → where it is; uid of an owner → uids of those it owns.
  const places = new Map<string, Located>();
  const dependents = new Map<string, Set<string>>();
  const kindsByStorage = (storage: string) => registry.kinds().find((kind) => kind.storage === storage);

  const read = (uid: string): KubeObject | undefined => {
    const place = places.get(uid);
    return place && store.read(place.kind.storage, place.namespace, place.name);
  };
  const dependentsOf = (uid: string): KubeObject[] =>
    [...(dependents.get(uid) ?? [])].flatMap((dependent) => read(dependent) ?? []);

  const remove = async (object: KubeObject, propagationPolicy?: string): Promise<void> => {
    const place = places.get(object.metadata.uid ?? '');
    if (place === undefined) return;
    const preconditions = { uid: object.metadata.uid };
    await forgiving(
      pipeline.delete(collector, targetOf(place.kind, place.namespace, place.name), {
        preconditions,
        propagationPolicy,
      }),
    );
  };

  const write = async (object: KubeObject, metadata: Partial<KubeObject['metadata']>): Promise<void> => {
    const place = places.get(object.metadata.uid ?? '');
    if (place === undefined) return;
    const next = { ...object, metadata: { ...object.metadata, ...metadata } };
    await forgiving(pipeline.update(collector, targetOf(place.kind, place.namespace, place.name), next, {}));
  };

  const withoutFinalizer = (object: KubeObject, finalizer: string) =>
    write(object, { finalizers: (object.metadata.finalizers ?? []).filter((one) => one !== finalizer) });

  /** Whether an owner is there still. One in another kind than we serve is taken to be there: we cannot know. */
  const exists = ({ apiVersion, kind: kindName, name, uid }: OwnerReference, namespace: string): boolean => {
    if (places.has(uid)) return true;
    const kind = registry.of(apiVersion, kindName);
    if (kind === undefined) return true;
    return store.read(kind.storage, kind.namespaced ? namespace : '', name)?.metadata.uid === uid;
  };

  /** Looks at one object that may be without owners, or whose own end waits for its dependents. */
  const settle = async (uid: string): Promise<void> => {
    const object = read(uid);
    if (object === undefined) return;
    const { finalizers = [], ownerReferences = [], namespace = '', deletionTimestamp } = object.metadata;
    if (deletionTimestamp !== undefined && finalizers.includes('orphan')) {
      for (const dependent of dependentsOf(uid)) {
        await write(dependent, {
          ownerReferences: (dependent.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== uid),
        });
      }
      await withoutFinalizer(object, 'orphan');
      return;
    }
    if (deletionTimestamp !== undefined && finalizers.includes('foregroundDeletion')) {
      const left = dependentsOf(uid);
      const blocking = left.filter(({ metadata }) =>
        metadata.ownerReferences?.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
      );
      for (const dependent of left)
        if (dependent.metadata.deletionTimestamp === undefined) await remove(dependent, 'Foreground');
      if (blocking.length === 0 || dependentsOf(uid).length === 0) await withoutFinalizer(object, 'foregroundDeletion');
      return;
    }
    if (deletionTimestamp !== undefined || ownerReferences.length === 0) return;
    const present = ownerReferences.filter((owner) => exists(owner, namespace));
    if (present.length === 0) await remove(object, 'Background');
    else if (present.length < ownerReferences.length) await write(object, { ownerReferences: present });
  };

  // Namespaces within their grace.
  const spared = new Map<string, NodeJS.Timeout>();
  const spare = (name: string): void => {
    const timer = setTimeout(() => {
      spared.delete(name);
      queue.add(`namespace ${name}`);
    }, namespaceGraceMs);
    spared.set(name, timer);
  };

  /** Deletes what is in a namespace, and the namespace when that was the last of it. */
  const emptyNamespace = async (name: string): Promise<void> => {
    const namespace = store.read('namespaces.', '', name);
    if (namespace?.metadata.deletionTimestamp === undefined || spared.has(name)) return;
    let left = 0;
    const storages = new Map(
      registry
        .kinds()
        .filter((kind) => kind.namespaced && !kind.review)
        .map((kind) => [kind.storage, kind]),
    );
    for (const kind of storages.values()) {
      for (const { metadata } of store.list(kind.storage, name)) {
        if (metadata.deletionTimestamp === undefined)
          await forgiving(pipeline.delete(collector, targetOf(kind, name, metadata.name), {}));
      }
      left += store.list(kind.storage, name).length;
    }
    const kind = kindsByStorage('namespaces.');
    if (left > 0 || kind === undefined || (namespace.metadata.finalizers ?? []).length > 0) return;
    const current = store.read('namespaces.', '', name);
    if (current !== undefined) store.remove('namespaces.', current);
  };

  const emptyDefinition = async (name: string): Promise<void> => {
    const definition = store.read(crdStorage, '', name);
    if (definition?.metadata.deletionTimestamp === undefined || !definition.metadata.finalizers?.includes(crdFinalizer))
      return;
    const [kind] = registry.customKinds(name);
    if (kind !== undefined) {
      for (const { metadata } of store.list(kind.storage, '')) {
        if (metadata.deletionTimestamp === undefined)
          await forgiving(pipeline.delete(collector, targetOf(kind, metadata.namespace ?? '', metadata.name), {}));
      }
      if (store.count(kind.storage) > 0) return;
    }
    await withoutFinalizer(definition, crdFinalizer);
  };

  const queue = createKeyedQueue(
    async (key) => {
      const [what, name = ''] = key.split(' ');
      if (what === 'object') await settle(name);
      else if (what === 'namespace') await emptyNamespace(name);
      else await emptyDefinition(name);
    },
    (key, cause) => log.warn('Failed to collect garbage', { key, cause: String(cause) }),
  );

  store.onWrite((storage, { type, object, previous }) => {
    const { uid = '', namespace = '', name, ownerReferences = [] } = object.metadata;
    for (const owner of previous?.metadata.ownerReferences ?? []) dependents.get(owner.uid)?.delete(uid);
    if (type === 'DELETED') {
      places.delete(uid);
      for (const dependent of dependents.get(uid) ?? []) queue.add(`object ${dependent}`);
      dependents.delete(uid);
      for (const owner of previous?.metadata.ownerReferences ?? []) {
        if (read(owner.uid)?.metadata.deletionTimestamp !== undefined) queue.add(`object ${owner.uid}`);
      }
      if (namespace !== '' && store.read('namespaces.', '', namespace)?.metadata.deletionTimestamp !== undefined)
        queue.add(`namespace ${namespace}`);
      const definition = store.read(crdStorage, '', storage);
      if (definition?.metadata.deletionTimestamp !== undefined) queue.add(`definition ${storage}`);
      return;
    }
    const kind = kindsByStorage(storage);
    if (kind === undefined) return;
    places.set(uid, { kind, namespace, name });
    for (const owner of ownerReferences) {
      const owned = dependents.get(owner.uid) ?? new Set();
      owned.add(uid);
      dependents.set(owner.uid, owned);
    }
    const deleting = object.metadata.deletionTimestamp !== undefined;
    if (storage === 'namespaces.' && deleting) {
      if (previous?.metadata.deletionTimestamp === undefined) spare(name);
      else queue.add(`namespace ${name}`);
    } else if (storage === crdStorage && deleting) queue.add(`definition ${name}`);
    if (deleting || (ownerReferences.length > 0 && previous?.metadata.ownerReferences !== ownerReferences))
      queue.add(`object ${uid}`);
  });
  return () => {
    for (const timer of spared.values()) clearTimeout(timer);
    queue.stop();
  };
}

/** An object that is gone, or that someone else has changed meanwhile, will come by again through its own event. */
async function forgiving(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (!isApiError(error, 404) && !isApiError(error, 409)) throw error;
  }
}
