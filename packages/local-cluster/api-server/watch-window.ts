// The last writes of one resource, for watchers that begin at a version in the past. It is a ring: a watcher that
// starts before the oldest write it still holds has missed something and must list again (410).
import assert from 'node:assert';
import type { KubeObject } from './kube-object.ts';

export interface StoreEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
  /** What it was before; undefined for ADDED. A selector needs it: an object can leave a selection without a delete. */
  readonly previous: KubeObject | undefined;
  readonly revision: number;
}

export interface WatchWindow {
  add(event: StoreEvent): void;
  /** Events after a revision, oldest first; undefined when some of them are gone. */
  after(revision: number): readonly StoreEvent[] | undefined;
}

export function createWatchWindow(capacity: number): WatchWindow {
  assert(capacity > 0, 'a window needs room for one event');
  let events: StoreEvent[] = [];
  let forgotten = 0;
  return {
    add(event) {
      events.push(event);
      // Cut in halves, so that forgetting costs nothing per event.
      if (events.length < capacity * 2) return;
      forgotten = events[capacity - 1]?.revision ?? forgotten;
      events = events.slice(capacity);
    },
    after(revision) {
      if (revision < forgotten) return undefined;
      let first = events.length;
      while (first > 0 && (events[first - 1]?.revision ?? 0) > revision) first -= 1;
      return events.slice(first);
    },
  };
}
