// A command that prints GPU numbers each second for as long as it lives: nvidia-smi and dcgmi. Starting a process blocks
// our loop for ten milliseconds, so none is started for a sample; one that ends is started again after a while, and one
// that falls silent (a GPU fell off the bus) is killed first.
import type { Clock, Log } from '@kubeai/daemon';
import type { Absence } from '@kubeai/protocol';
import { milliseconds } from '@kubeai/units';
import { type Command, findCommand } from './find-command.ts';
import { firstSmiRestart, longestSmiRestart, maxSmiBytes, smiSilence } from './limits.ts';

/** How a child ended: the command is not there, it was silent and killed, or it ended by itself. */
export type ChildEnd = 'missing' | 'hung' | 'ended';

export interface ChildOptions {
  readonly command: Command;
  readonly words: readonly string[];
  readonly clock: Clock;
  /** Ends the child. */
  readonly signal: AbortSignal;
  /** Whole lines of both outputs as they come, and at the end whatever is left. */
  readonly read: (lines: string) => void;
}

/** Runs a child to its end. Never rejects. */
export async function runChild({ command, words, clock, signal, read }: ChildOptions): Promise<ChildEnd> {
  const path = await findCommand(command);
  if (path === undefined) return 'missing';
  // Loaded by who has a GPU.
  const { spawn } = await import('node:child_process');
  return await new Promise((resolve) => {
    const child = spawn(path, words, { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' });
    let text = '';
    let heardAt = clock.monotonic();
    let hung = false;

    const take = (chunk: string): void => {
      heardAt = clock.monotonic();
      text = (text + chunk).slice(-maxSmiBytes);
      const end = text.lastIndexOf('\n');
      if (end === -1) return;
      read(text.slice(0, end));
      text = text.slice(end + 1);
    };
    child.stdout.setEncoding('utf8').on('data', take);
    child.stderr.setEncoding('utf8').on('data', take);

    const watch = clock.every(milliseconds(1_000), () => {
      if (clock.monotonic() - heardAt <= smiSilence) return;
      hung = true;
      child.kill('SIGKILL');
    });
    child.on('error', (cause: NodeJS.ErrnoException) => {
      watch.stop();
      resolve(cause.code === 'ENOENT' || cause.code === 'EACCES' ? 'missing' : 'ended');
    });
    child.on('close', () => {
      watch.stop();
      if (text !== '') read(text);
      resolve(hung ? 'hung' : 'ended');
    });
  });
}

const absences: Readonly<Record<ChildEnd, Absence>> = { missing: 'NotSupported', hung: 'Hung', ended: 'Stopped' };
export const absenceOf = (end: ChildEnd): Absence => absences[end];

export interface Ending {
  readonly because: Absence;
  /** Worth another start. */
  readonly again: boolean;
  /** It gave numbers, so what ended it may be over. */
  readonly knew: boolean;
  /** It was asked wrongly and is asked in other words now. */
  readonly atOnce: boolean;
}

export interface KeptRunning {
  readonly name: string;
  readonly runOnce: () => Promise<Ending>;
  readonly ended: (because: Absence) => void;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Runs a child again and again, with pauses that double while it gives nothing; returns when it is not worth it. */
export async function keepRunning({ name, runOnce, ended, clock, log, signal }: KeptRunning): Promise<void> {
  let delay: number = firstSmiRestart;
  while (!signal.aborted) {
    const { because, again, knew, atOnce } = await runOnce();
    ended(because);
    if (signal.aborted || !again) return;
    if (atOnce) continue;
    if (knew) delay = firstSmiRestart;
    log.warn(`${name} ended and is started again`, { because, delayMs: delay });
    await clock.sleep(milliseconds(delay), signal);
    delay = Math.min(longestSmiRestart, delay * 2);
  }
}
