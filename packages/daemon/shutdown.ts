// Ending well: the first SIGTERM or SIGINT starts the work of shutting down, once; the process exits when it is done
// or when the deadline passes; a second signal is somebody who will not wait.
import type { Milliseconds } from '@kubeai/units';
import type { Log } from './log.ts';

/** The part of `process` that shutting down touches. */
export interface StoppableProcess {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): never;
}

export interface Shutdown {
  /** Shuts down for a reason of our own, such as a lost lease; exits with `code`. */
  begin(reason: string, code: number): void;
}

/**
 * Runs `work` once, at the first signal. Its own order is the order of the steps: stop taking, drain, release, close.
 * Exits 0 after SIGTERM, 130 after SIGINT, 1 when the work fails or the deadline passes, at once on a second signal.
 */
export function onShutdown(
  process: StoppableProcess,
  options: { readonly deadline: Milliseconds; readonly log: Log },
  work: () => Promise<void>,
): Shutdown {
  const { log, deadline } = options;
  let begun = false;
  const begin = (reason: string, code: number) => {
    if (begun) return;
    begun = true;
    log.info('Began shutting down', { reason });
    const giveUp = setTimeout(() => {
      log.error('Gave up shutting down in order', { reason, deadlineMs: deadline });
      process.exit(1);
    }, deadline);
    work()
      .finally(() => clearTimeout(giveUp))
      .then(
        () => {
          log.info('Shut down', { reason });
          process.exit(code);
        },
        (cause: unknown) => {
          log.error('Shutting down failed', { reason, cause });
          process.exit(1);
        },
      );
  };
  const onSignal = (signal: 'SIGTERM' | 'SIGINT', code: number) => {
    process.on(signal, () => {
      if (begun) process.exit(128 + (signal === 'SIGINT' ? 2 : 15));
      begin(signal, code);
    });
  };
  onSignal('SIGTERM', 0);
  onSignal('SIGINT', 130);
  return { begin };
}
