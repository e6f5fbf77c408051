// The shape every controller has: watch events and timers only put a key into a queue, and reconcile then reads the
// world as it is. A key is never reconciled twice at the same time; a key that comes again meanwhile runs once more.
import type { Clock, Log, Timer } from '@kubeai/daemon';
import { after, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { type ClusterClient, isApiError, type KubeObject, type WatchEvent } from '../cluster-client.ts';
import { firstRetry, longestRetry } from './limits.ts';

/** What every part of the cluster is told: whom to talk to, what time it is, where to say what went wrong. */
export interface World {
  readonly client: ClusterClient;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Controller {
  enqueue(key: string): void;
  /** Puts the key into the queue once `wait` has passed; an earlier time already arranged stays. */
  enqueueAfter(key: string, wait: Milliseconds): void;
  /** Resolves when the pass in progress has ended; nothing runs afterwards. */
  stop(): Promise<void>;
}

interface Appointment {
  readonly due: Instant;
  readonly timer: Timer;
}

export function createController(name: string, world: World, reconcile: (key: string) => Promise<void>): Controller {
  const queue = new Set<string>();
  const timers = new Map<string, Appointment>();
  const failures = new Map<string, number>();
  let running: Promise<void> | undefined;
  let stopped = false;

  async function work(): Promise<void> {
    for (let key = first(queue); key !== undefined && !stopped; key = first(queue)) {
      queue.delete(key);
      await attempt(key);
    }
    running = undefined;
  }

  async function attempt(key: string): Promise<void> {
    try {
      await reconcile(key);
      failures.delete(key);
    } catch (cause) {
      const count = (failures.get(key) ?? 0) + 1;
      failures.set(key, count);
      // A conflict or an object that has just gone only means that we looked a moment too early.
      const expected = isApiError(cause, 409) || isApiError(cause, 404);
      if (!expected && !stopped) world.log.warn('Failed to reconcile', { controller: name, key, cause });
      controller.enqueueAfter(key, milliseconds(Math.min(firstRetry * 2 ** (count - 1), longestRetry)));
    }
  }

  const controller: Controller = {
    enqueue(key) {
      if (stopped) return;
      queue.add(key);
      // Not at once: a burst of events in the same turn becomes one pass.
      running ??= Promise.resolve().then(work);
    },
    enqueueAfter(key, wait) {
      if (stopped) return;
      const due = after(world.clock.now(), wait);
      const present = timers.get(key);
      if (present !== undefined && present.due <= due) return;
      present?.timer.stop();
      const fire = () => {
        timers.delete(key);
        controller.enqueue(key);
      };
      timers.set(key, { due, timer: world.clock.after(wait, fire) });
    },
    async stop() {
      stopped = true;
      for (const { timer } of timers.values()) timer.stop();
      timers.clear();
      await running;
    },
  };
  return controller;
}

const first = (queue: Set<string>): string | undefined => queue.values().next().value;

/** Something that runs until it is stopped. */
export interface Running {
  stop(): Promise<void>;
}

/** Stops watches first, so that nothing new is enqueued, then the controllers. */
export function runningUntilStopped(watches: readonly (() => void)[], controllers: readonly Controller[]): Running {
  return {
    async stop() {
      for (const close of watches) close();
      await Promise.all(controllers.map((controller) => controller.stop()));
    },
  };
}

/** Calls back with the object of every event on `resource`, present ones first. */
export function onEvery<Kind extends KubeObject>(
  client: ClusterClient,
  resource: string,
  handle: (object: Kind, type: WatchEvent['type']) => void,
): () => void {
  return client.watch<Kind>(resource, {}, ({ object, type }) => handle(object, type));
}
