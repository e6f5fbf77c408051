// All objects of the cluster, in memory, under one revision that only grows. The store knows no kinds, no defaults and
// no rules: it keeps frozen objects, compares versions, and tells watchers what was written, in order.
import { freeze, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import { createWatchWindow, type StoreEvent, type WatchWindow } from './watch-window.ts';

export interface Store {
  /** The revision of the last write: the resourceVersion of a list made now. */
  revision(): number;
  read(storage: string, namespace: string, name: string): KubeObject | undefined;
  /** Objects of one namespace ('' for all), in the order of their keys. */
  list(storage: string, namespace: string): KubeObject[];
  count(storage: string): number;
  /** Adds a new object; undefined when the name is taken. */
  add(storage: string, object: KubeObject): KubeObject | undefined;
  /** Replaces exactly the given object; undefined when it is no longer the one stored. */
  replace(storage: string, previous: KubeObject, next: KubeObject): KubeObject | undefined;
  /** Removes exactly the given object; returns it with the revision of its removal, or undefined when it has changed. */
  remove(storage: string, previous: KubeObject): KubeObject | undefined;
  /** Events after a revision, then every further one. 'gone' when the window no longer reaches back that far. */
  watch(storage: string, after: number, listener: (event: StoreEvent) => void): (() => void) | 'gone';
  /** Every write of every resource, synchronously: for the server's own bookkeeping. */
  onWrite(listener: (storage: string, event: StoreEvent) => void): void;
}

interface Shelf {
  readonly objects: Map<string, KubeObject>;
  readonly window: WatchWindow;
  readonly listeners: Set<(event: StoreEvent) => void>;
}

const keyOf = (namespace: string, name: string) => `${namespace}/${name}`;
const keyOfObject = ({ metadata }: KubeObject) => keyOf(metadata.namespace ?? '', metadata.name);

export function createStore(): Store {
  // Real clusters start far above 1; 0 means "any version" in the API, so it can never be an object's.
  let revision = 1;
  const shelves = new Map<string, Shelf>();
  const observers: ((storage: string, event: StoreEvent) => void)[] = [];

  const shelfOf = (storage: string): Shelf => {
    let shelf = shelves.get(storage);
    if (shelf === undefined) {
      shelf = { objects: new Map(), window: createWatchWindow(limits.eventsPerResource), listeners: new Set() };
      shelves.set(storage, shelf);
    }
    return shelf;
  };

  const stamped = (object: KubeObject): KubeObject => {
    revision += 1;
    return freeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
  };

  const announce = (storage: string, shelf: Shelf, event: StoreEvent) => {
    shelf.window.add(event);
    for (const listener of shelf.listeners) listener(event);
    for (const observer of observers) observer(storage, event);
  };

  return {
    revision: () => revision,
    read: (storage, namespace, name) => shelves.get(storage)?.objects.get(keyOf(namespace, name)),
    list(storage, namespace) {
      const shelf = shelves.get(storage);
      if (shelf === undefined) return [];
      const prefix = `${namespace}/`;
      const found = [...shelf.objects].filter(([key]) => namespace === '' || key.startsWith(prefix));
      return found.sort(([left], [right]) => (left < right ? -1 : 1)).map(([, object]) => object);
    },
    count: (storage) => shelves.get(storage)?.objects.size ?? 0,
    add(storage, object) {
      const shelf = shelfOf(storage);
      const key = keyOfObject(object);
      if (shelf.objects.has(key)) return undefined;
      const stored = stamped(object);
      shelf.objects.set(key, stored);
      announce(storage, shelf, { type: 'ADDED', object: stored, previous: undefined, revision });
      return stored;
    },
    replace(storage, previous, next) {
      const shelf = shelfOf(storage);
      const key = keyOfObject(previous);
      if (shelf.objects.get(key) !== previous) return undefined;
      const stored = stamped(next);
      shelf.objects.set(key, stored);
      announce(storage, shelf, { type: 'MODIFIED', object: stored, previous, revision });
      return stored;
    },
    remove(storage, previous) {
      const shelf = shelfOf(storage);
      const key = keyOfObject(previous);
      if (shelf.objects.get(key) !== previous) return undefined;
      shelf.objects.delete(key);
      const removed = stamped(previous);
      announce(storage, shelf, { type: 'DELETED', object: removed, previous, revision });
      return removed;
    },
    watch(storage, after, listener) {
      const shelf = shelfOf(storage);
      const missed = shelf.window.after(after);
      if (missed === undefined) return 'gone';
      for (const event of missed) listener(event);
      shelf.listeners.add(listener);
      return () => shelf.listeners.delete(listener);
    },
    onWrite: (listener) => {
      observers.push(listener);
    },
  };
}
