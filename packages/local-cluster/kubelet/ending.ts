// How a process is asked to end: preStop, its turn among the containers of the pod, SIGTERM, and SIGKILL once the grace
// is over. The grace counts from the beginning, hook included; a second wish can only shorten it.
import type { Clock } from '@kubeai/daemon';
import { after, elapsed, type Milliseconds, milliseconds } from '@kubeai/units';
import type { Child } from './child.ts';
import type { Found } from './handler.ts';
import { leastGrace } from './limits.ts';

export interface EndingOptions {
  /** 0: SIGKILL at once. */
  readonly grace: Milliseconds;
  readonly preStop?: ((timeout: Milliseconds) => Promise<Found>) | undefined;
  /** SIGTERM waits for this, after preStop and within the grace. */
  readonly turn?: Promise<unknown> | undefined;
  readonly onHookFailed: (message: string) => void;
}

export interface Ending {
  /** Resolves when the process is dead. */
  readonly done: Promise<void>;
  shorten(grace: Milliseconds): void;
}

export function endProcess(child: Pick<Child, 'ended' | 'signal'>, options: EndingOptions, clock: Clock): Ending {
  let deadline = after(clock.now(), options.grace);
  let hurry = new AbortController();
  let isHurried = options.grace === 0;
  const left = () => milliseconds(Math.max(0, elapsed(clock.now(), deadline)));

  /** Whatever comes first: the work, the end of the process, or that of the grace, which may move meanwhile. */
  async function within<Outcome>(work: Promise<Outcome>): Promise<Outcome | 'ended' | 'late'> {
    for (;;) {
      const wait = clock.sleep(left(), hurry.signal).then(() => 'late' as const);
      const first = await Promise.race([work, child.ended.then(() => 'ended' as const), wait]);
      if (first !== 'late' || left() === 0) return first;
    }
  }

  async function run(): Promise<void> {
    if (!isHurried) {
      if (options.preStop) {
        const found = await within(options.preStop(left()));
        if (found === 'late') options.onHookFailed('grace period exceeded');
        else if (found !== 'ended' && !found.ok) options.onHookFailed(found.message);
      }
      if (options.turn) await within(options.turn);
    }
    if (!isHurried) {
      child.signal('SIGTERM');
      // However long the hook took, the program gets a moment to end by itself.
      deadline = after(clock.now(), milliseconds(Math.max(left(), leastGrace)));
      await within(new Promise<never>(() => undefined));
    }
    child.signal('SIGKILL');
    await child.ended;
  }

  const done = run();
  return {
    done,
    shorten(grace) {
      if (grace >= left()) return;
      isHurried ||= grace === 0;
      deadline = after(clock.now(), grace);
      hurry.abort();
      hurry = new AbortController();
    },
  };
}
