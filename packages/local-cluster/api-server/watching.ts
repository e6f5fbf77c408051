// Events of objects for those who watch them: what a selector begins or ceases to match is added or deleted for its watcher.
import { expired } from './api-error.ts';
import type { KubeObject } from './kube-object.ts';
import { matcherOf } from './listing.ts';
import type { Target } from './request.ts';
import type { Store } from './store.ts';
import { servedForm } from './versions.ts';

export interface WatchedEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: KubeObject;
}

export interface WatchRequest {
  /** Undefined: what is there now comes first, as ADDED. */
  readonly after: number | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** Every matching event from then on, in order, as it is written, until it is stopped. Throws a 410 when `after` is too long ago. */
export type Watch = (target: Target, request: WatchRequest, onEvent: (event: WatchedEvent) => void) => () => void;

export function createWatch(store: Store): Watch {
  return (target, request, onEvent) => {
    const { kind, namespace } = target;
    const matches = matcherOf(target, request);
    const concerns = (object: KubeObject) =>
      (namespace === '' || object.metadata.namespace === namespace) && matches(object);
    const after = request.after ?? store.revision();
    if (request.after === undefined) {
      for (const object of store.list(kind.storage, namespace))
        if (matches(object)) onEvent({ type: 'ADDED', object: servedForm(object, kind) });
    }
    const stop = store.watch(kind.storage, after, ({ type, object, previous }) => {
      const is = concerns(object);
      const was = previous !== undefined && concerns(previous);
      if (type === 'DELETED' ? !was : !is && !was) return;
      const kindOfEvent = type === 'DELETED' || !is ? 'DELETED' : was ? 'MODIFIED' : 'ADDED';
      onEvent({ type: kindOfEvent, object: servedForm(object, kind) });
    });
    if (stop === 'gone') throw expired(`too old resource version: ${after} (${store.revision()})`);
    return stop;
  };
}
