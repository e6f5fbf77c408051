// Events are what `kubectl describe` shows. The same event about the same object is counted up instead of written anew,
// and a failure to write one is only logged: nothing waits for an event.
import { elapsed, type Instant } from '@kubeai/units';
import type { World } from './controller.ts';
import { eventFold, messageLength, rememberedEvents } from './limits.ts';
import type { KubeObject } from './objects.ts';
import { timeOf } from './time.ts';

export interface EventRecorder {
  record(about: KubeObject, type: 'Normal' | 'Warning', reason: string, message: string, fieldPath?: string): void;
}

interface Remembered {
  readonly name: string;
  readonly written: Promise<unknown>;
  count: number;
  last: Instant;
}

export function createEventRecorder(world: World, component: string, host?: string): EventRecorder {
  const remembered = new Map<string, Remembered>();
  let sequence = 0;

  function remember(key: string, entry: Remembered): void {
    remembered.delete(key);
    remembered.set(key, entry);
    const oldest = remembered.keys().next().value;
    if (remembered.size > rememberedEvents && oldest !== undefined) remembered.delete(oldest);
  }

  const forgive = (cause: unknown) => world.log.debug('Event not written', { component, cause });

  return {
    record(about, type, reason, text, fieldPath) {
      const { name, namespace = 'default', uid = '' } = about.metadata;
      const message = text.slice(0, messageLength);
      const now = world.clock.now();
      const time = timeOf(now);
      const key = JSON.stringify([namespace, about.kind, name, uid, fieldPath, type, reason, message]);
      const known = remembered.get(key);
      if (known !== undefined && elapsed(known.last, now) < eventFold) {
        known.count += 1;
        known.last = now;
        const change = { count: known.count, lastTimestamp: time };
        known.written
          .then(() => world.client.patch('events', { name: known.name, namespace }, change, { type: 'merge' }))
          .catch(forgive);
        return;
      }
      sequence += 1;
      const eventName = `${name}.${now.toString(16)}${sequence.toString(16).padStart(4, '0')}`;
      const event = {
        metadata: { name: eventName, namespace },
        involvedObject: {
          apiVersion: about.apiVersion,
          kind: about.kind,
          name,
          ...(about.metadata.namespace === undefined ? {} : { namespace: about.metadata.namespace }),
          uid,
          resourceVersion: about.metadata.resourceVersion ?? '',
          ...(fieldPath === undefined ? {} : { fieldPath }),
        },
        type,
        reason,
        message,
        source: { component, ...(host === undefined ? {} : { host }) },
        reportingComponent: component,
        reportingInstance: host ?? '',
        firstTimestamp: time,
        lastTimestamp: time,
        count: 1,
      };
      const written = world.client.create('events', event);
      written.catch(forgive);
      remember(key, { name: eventName, written, count: 1, last: now });
    },
  };
}
