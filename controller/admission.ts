// Who may begin a handshake now. After a restart of the controller every agent comes within a second or two: handshakes are
// begun at a pace that it can keep, in the order in which the agents came. The others wait as bare sockets of a kilobyte.
import type { Clock } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';

export interface AdmissionOptions {
  readonly clock: Clock;
  /** Turns a second; in no second are there more than these and a twentieth. */
  readonly perSecond: number;
  /** Turns that are not over yet. */
  readonly atOnce: number;
}

export interface Admission {
  /** Calls `begin` when it is this one's turn, at once where nobody waits. */
  enter(begin: () => void): Ticket;
  waiting(): number;
}

export interface Ticket {
  /** The turn is over, or is not waited for any more. Leaving twice is harmless. */
  leave(): void;
}

/** Whoever waits is called in groups of what is due after so long. */
const step = milliseconds(50);

export function createAdmission({ clock, perSecond, atOnce }: AdmissionOptions): Admission {
  const most = (perSecond * step) / 1_000;
  const waiting = new Set<() => void>();
  let allowance = most;
  let filledAt = clock.monotonic();
  let underWay = 0;
  let called = false;

  const mayBegin = (): boolean => {
    const now = clock.monotonic();
    allowance = Math.min(most, allowance + ((now - filledAt) / 1_000) * perSecond);
    filledAt = now;
    return allowance >= 1 && underWay < atOnce;
  };

  const callLater = (): void => {
    if (called) return;
    called = true;
    clock.after(step, () => {
      called = false;
      for (const begin of waiting) {
        if (!mayBegin()) break;
        begin();
      }
      if (waiting.size > 0) callLater();
    });
  };

  return {
    enter(begin) {
      let state: 'waiting' | 'under way' | 'over' = 'waiting';
      const start = () => {
        waiting.delete(start);
        state = 'under way';
        allowance -= 1;
        underWay += 1;
        begin();
      };
      if (waiting.size === 0 && mayBegin()) start();
      else {
        waiting.add(start);
        callLater();
      }
      return {
        leave() {
          if (state === 'waiting') waiting.delete(start);
          if (state === 'under way') underWay -= 1;
          state = 'over';
        },
      };
    },
    waiting: () => waiting.size,
  };
}
