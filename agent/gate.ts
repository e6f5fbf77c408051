// At most so many requests reach the model server at once; the rest wait here, in order, up to a deadline. This makes
// the length of the queue exact for any server. Zero means no limit: then there is no gate at all.
import type { Clock, Timer } from '@kubeai/daemon';
import { type Milliseconds, milliseconds } from '@kubeai/units';

export const turnAways = {
  QueueFull: 'as many requests wait as may wait',
  QueueTimeout: 'no place became free in time',
} as const;
export type TurnAway = keyof typeof turnAways;

export interface Ticket {
  /** No longer waits: the client has gone. Harmless when it was let in or turned away before. */
  cancel(): void;
}

export interface Gate {
  /** Calls one of the two, at once or later, exactly once unless cancelled. Who was let in must `leave`. */
  enter(letIn: () => void, turnAway: (reason: TurnAway) => void): Ticket;
  leave(): void;
  readonly waiting: number;
  readonly inside: number;
}

interface Waiting {
  readonly deadline: number;
  readonly letIn: () => void;
  readonly turnAway: (reason: TurnAway) => void;
}

export function createGate(
  limits: { readonly limit: number; readonly maxQueued: number; readonly deadline: Milliseconds },
  clock: Clock,
): Gate {
  // A set keeps the order of arrival and lets go of anybody in between.
  const queue = new Set<Waiting>();
  let inside = 0;
  let timer: Timer | undefined;

  const watch = (): void => {
    timer?.stop();
    timer = undefined;
    const [first] = queue;
    if (first === undefined) return;
    timer = clock.after(milliseconds(Math.max(1, first.deadline - clock.monotonic())), () => {
      const now = clock.monotonic();
      for (const waiting of queue) {
        if (waiting.deadline > now) break;
        queue.delete(waiting);
        waiting.turnAway('QueueTimeout');
      }
      watch();
    });
  };

  return {
    enter(letIn, turnAway) {
      if (inside < limits.limit && queue.size === 0) {
        inside += 1;
        letIn();
        return { cancel: () => undefined };
      }
      if (queue.size >= limits.maxQueued) {
        turnAway('QueueFull');
        return { cancel: () => undefined };
      }
      const waiting: Waiting = { deadline: clock.monotonic() + limits.deadline, letIn, turnAway };
      queue.add(waiting);
      if (queue.size === 1) watch();
      return { cancel: () => void queue.delete(waiting) };
    },
    leave() {
      inside -= 1;
      const [next] = queue;
      if (next === undefined || inside >= limits.limit) return;
      queue.delete(next);
      inside += 1;
      next.letIn();
    },
    get waiting() {
      return queue.size;
    },
    get inside() {
      return inside;
    },
  };
}
