// Events for people: `kubectl describe` shows them. A repeat counts up the event that is there instead of writing
// another, and one object cannot fill etcd: beyond its allowance, events are dropped and counted. Writing happens
// behind the caller's back, in order; a failure is logged and nothing else, because an event is never worth a scaling.
import type { Clock, Log } from '@kubeai/daemon';
import { elapsed, type Instant } from '@kubeai/units';
import { isKubeError, type KubeClient } from './kube-client.ts';
import type { KubeObject } from './kube-object.ts';
import { eventAggregation, eventRewrite, maxPendingEvents, maxRememberedEvents } from './limits.ts';
import { timeOf } from './micro-time.ts';
import { resources } from './resource.ts';

export interface EventSubject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string | undefined;
}

export interface EventRecorder {
  /** `reason` is a CamelCase word from a closed list, `message` a sentence with the detail. Returns at once. */
  record(subject: EventSubject, type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** Resolves when everything recorded so far has been written or given up. */
  flush(): Promise<void>;
  /** Events dropped because an object had too many, or the server was too slow. */
  dropped(): number;
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  /** Shown as the source, such as `kubeai-controller`. */
  readonly component: string;
  /** A short unique part of each event's name. Default: time and a counter, as client-go does. */
  readonly nameSuffix?: (() => string) | undefined;
}

interface Remembered {
  readonly name: string;
  readonly namespace: string;
  readonly firstAt: Instant;
  count: number;
  writtenAt: Instant;
  /** The event's own creation must have gone through before it can be counted up. */
  exists: boolean;
}

// An object may write this many at once, and then one per so many milliseconds. client-go's burst; its refill of one in
// five minutes would hide the second scaling of a busy afternoon.
const burst = 25;
const refill = 20_000;

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, component, log } = options;
  const remembered = new Map<string, Remembered>();
  const allowances = new Map<string, { tokens: number; at: Instant }>();
  const host = component;
  let made = 0;
  let droppedCount = 0;
  let pending = 0;
  let tail: Promise<void> = Promise.resolve();
  const suffix = options.nameSuffix ?? (() => (clock.now() * 1_000 + (made++ % 1_000)).toString(16));

  function allowed(subject: EventSubject, now: Instant): boolean {
    const key = `${subject.kind}/${subject.namespace}/${subject.name}`;
    const allowance = allowances.get(key) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, allowance.tokens + elapsed(allowance.at, now) / refill);
    remember(allowances, key, { tokens: Math.max(0, tokens - 1), at: now });
    return tokens >= 1;
  }

  /** Queues one write behind those before it. */
  function write(what: () => Promise<unknown>): void {
    if (pending >= maxPendingEvents) {
      droppedCount += 1;
      return;
    }
    pending += 1;
    tail = tail
      .then(what)
      .catch((cause: unknown) => {
        droppedCount += 1;
        log.warn('Event could not be written', { cause });
      })
      .then(() => {
        pending -= 1;
      });
  }

  const countUp = (event: Remembered) => async () => {
    if (!event.exists) return;
    const change = { count: event.count, lastTimestamp: timeOf(event.writtenAt) };
    try {
      await client.patch(resources.events, event, change, { kind: 'merge' });
    } catch (cause) {
      // The server forgets events after an hour; the next repeat is a first one again.
      if (!isKubeError(cause, 404)) throw cause;
      event.exists = false;
    }
  };

  return {
    record(subject, type, reason, message) {
      const now = clock.now();
      const key = [subject.kind, subject.namespace, subject.name, subject.uid, type, reason, message].join('\n');
      const known = remembered.get(key);
      if (known?.exists && elapsed(known.firstAt, now) < eventAggregation) {
        known.count += 1;
        if (elapsed(known.writtenAt, now) < eventRewrite) return;
        known.writtenAt = now;
        write(countUp(known));
        return;
      }
      if (!allowed(subject, now)) {
        droppedCount += 1;
        return;
      }
      const event: Remembered = {
        // A name has at most 253 characters, and the suffix must survive.
        name: `${subject.name.slice(0, 200)}.${suffix()}`,
        namespace: subject.namespace,
        firstAt: now,
        count: 1,
        writtenAt: now,
        exists: true,
      };
      remember(remembered, key, event);
      write(async () => {
        try {
          await client.create(resources.events, eventOf(event, subject, type, reason, message, component, host));
        } catch (cause) {
          event.exists = false;
          throw cause;
        }
      });
    },
    flush: () => tail,
    dropped: () => droppedCount,
  };
}

function eventOf(
  event: Remembered,
  subject: EventSubject,
  type: string,
  reason: string,
  message: string,
  component: string,
  host: string,
): KubeObject {
  const at = timeOf(event.firstAt);
  const object = {
    metadata: { namespace: event.namespace, name: event.name },
    involvedObject: subject,
    type,
    reason,
    message: message.slice(0, 1_024),
    count: 1,
    firstTimestamp: at,
    lastTimestamp: at,
    source: { component },
    reportingComponent: component,
    reportingInstance: host,
  };
  return object;
}

/** Sets as the youngest entry; the oldest makes room. */
function remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
  if (map.size > maxRememberedEvents) map.delete(map.keys().next().value!);
}
