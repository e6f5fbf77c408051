// Keeps a copy of all objects of one kind, by list and watch, for as long as it runs. A watch that ends is resumed
// where it stood; one that has fallen out of the server's window (410) starts over with a list, and the difference is
// handed out as if it had been seen happening. Handlers only enqueue: the copy, not the event, is the truth.
import type { Clock, Log } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { createBackoff } from './backoff.ts';
import { isKubeError, type KubeClient } from './kube-client.ts';
import { type KubeList, type KubeObject, keyOf, type ObjectName } from './kube-object.ts';
import { leastBackoff, mostBackoff, pageSize } from './limits.ts';
import type { Resource } from './resource.ts';

export interface ReflectorHandler<Item extends KubeObject> {
  /** An object that is new or changed; `old` is what we had. */
  upsert(item: Item, old: Item | undefined): void;
  /** The last state we knew of an object that is gone. */
  remove(item: Item): void;
}

export interface Reflector<Item extends KubeObject> {
  /** The present copy; undefined when there is no such object. */
  read(name: ObjectName): Item | undefined;
  items(): IterableIterator<Item>;
  /** Calls for every object that there is, and for each change from then on. */
  subscribe(handler: ReflectorHandler<Item>): void;
  /** Whether the first list is complete. Nothing may be concluded from absence before. */
  hasSynced(): boolean;
  /** Resolves with the first complete list. Never rejects: it waits as long as the server is away. */
  readonly synced: Promise<void>;
  stop(): void;
}

export interface ReflectorOptions<Item extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource;
  readonly clock: Clock;
  readonly log: Log;
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Keeps only what is needed of each object, to save memory. */
  readonly keep?: ((item: Item) => Item) | undefined;
  readonly random?: (() => number) | undefined;
}

/** Starts at once. */
export function createReflector<Item extends KubeObject>(options: ReflectorOptions<Item>): Reflector<Item> {
  const { client, resource, clock, namespace, labelSelector, fieldSelector } = options;
  const keep = options.keep ?? withoutManagedFields;
  const log = options.log.child({ resource: resource.plural });
  const store = new Map<string, Item>();
  const handlers: ReflectorHandler<Item>[] = [];
  const stopped = new AbortController();
  const backoff = createBackoff(leastBackoff, mostBackoff, options.random ?? Math.random);
  let synced = false;
  let resolveSynced: () => void;
  const firstSync = new Promise<void>((resolve) => {
    resolveSynced = resolve;
  });

  const upsert = (item: Item) => {
    const key = keyOf(item.metadata);
    const old = store.get(key);
    // The same version again (a resumed watch, a relist) is no change.
    if (old !== undefined && old.metadata.resourceVersion === item.metadata.resourceVersion) return;
    const kept = keep(item);
    store.set(key, kept);
    for (const handler of handlers) handler.upsert(kept, old);
  };
  const remove = (key: string) => {
    const old = store.get(key);
    if (!store.delete(key) || old === undefined) return;
    for (const handler of handlers) handler.remove(old);
  };

  /** Replaces the copy by a complete list; returns the version to watch from. */
  async function relist(): Promise<string> {
    const items: Item[] = [];
    let page: KubeList<Item> | undefined;
    let limit: number | undefined = pageSize;
    do {
      try {
        page = await client.list<Item>(resource, {
          namespace,
          labelSelector,
          fieldSelector,
          limit,
          continue: page?.metadata.continue,
        });
      } catch (cause) {
        // The next page may be gone by the time we ask. Then the whole list in one answer.
        if (page === undefined || !isKubeError(cause, 410)) throw cause;
        page = undefined;
        limit = undefined;
        items.length = 0;
        continue;
      }
      items.push(...page.items);
    } while (page === undefined || (page.metadata.continue ?? '') !== '');
    if (stopped.signal.aborted) return page.metadata.resourceVersion;
    const present = new Set(items.map((item) => keyOf(item.metadata)));
    for (const key of [...store.keys()]) if (!present.has(key)) remove(key);
    for (const item of items) upsert(item);
    if (!synced) {
      synced = true;
      resolveSynced();
    }
    return page.metadata.resourceVersion;
  }

  /** Follows changes; returns the version to resume from, or undefined when a list is needed. */
  async function follow(from: string): Promise<string | undefined> {
    let version = from;
    try {
      const watch = client.watch<Item>(resource, {
        namespace,
        labelSelector,
        fieldSelector,
        resourceVersion: version,
        signal: stopped.signal,
      });
      for await (const event of watch) {
        if (stopped.signal.aborted) return version;
        if (event.type === 'ERROR') {
          if (event.object.code === 410) return undefined;
          throw new Error(`the watch reported ${event.object.code}: ${event.object.message}`);
        }
        backoff.reset();
        version = event.object.metadata.resourceVersion ?? version;
        if (event.type === 'DELETED') remove(keyOf(event.object.metadata));
        else if (event.type !== 'BOOKMARK') upsert(event.object);
      }
      return version;
    } catch (cause) {
      if (stopped.signal.aborted) return version;
      if (isKubeError(cause, 410)) return undefined;
      log.warn('Watch broke off and will be resumed', { cause });
      await clock.sleep(backoff.next(), stopped.signal);
      return version;
    }
  }

  async function run(): Promise<void> {
    let version: string | undefined;
    while (!stopped.signal.aborted) {
      if (version === undefined) {
        try {
          version = await relist();
          backoff.reset();
        } catch (cause) {
          if (stopped.signal.aborted) return;
          log.warn('Listing failed and will be repeated', { cause });
          await clock.sleep(backoff.next(), stopped.signal);
          continue;
        }
      }
      const began = clock.monotonic();
      version = await follow(version);
      // A server that ends every watch at once must not be asked in a tight loop.
      if (clock.monotonic() - began < seconds(1)) await clock.sleep(backoff.next(), stopped.signal);
    }
  }
  void run();

  return {
    read: (name) => store.get(keyOf(name)),
    items: () => store.values(),
    subscribe(handler) {
      handlers.push(handler);
      for (const item of store.values()) handler.upsert(item, undefined);
    },
    hasSynced: () => synced,
    synced: firstSync,
    stop: () => stopped.abort(),
  };
}

/** Half of many objects is bookkeeping of who wrote which field. */
function withoutManagedFields<Item extends KubeObject>(item: Item): Item {
  const { managedFields: _managedFields, ...metadata } = item.metadata as Item['metadata'] & {
    managedFields?: unknown;
  };
  return { ...item, metadata };
}
