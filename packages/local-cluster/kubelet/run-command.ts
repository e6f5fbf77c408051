// Runs one command to its end and keeps what it printed: what an exec probe or hook asks for.

import type { Milliseconds } from '@kubeai/units';
import { type ChildHost, type Launch, StartError, startChild } from './child.ts';
import type { Found } from './handler.ts';
import { probeOutputBytes } from './limits.ts';

/** Ok when it ends with 0 within `timeout`; it is killed otherwise. The message is its output, or why it did not run. */
export async function runCommand(launch: Launch, timeout: Milliseconds, host: ChildHost): Promise<Found> {
  let text = '';
  try {
    const child = await startChild(launch, host, (_stream, output) => {
      output.setEncoding('utf8').on('data', (more: string) => {
        text = (text + more).slice(0, probeOutputBytes);
      });
    });
    let isLate = false;
    const timer = host.clock.after(timeout, () => {
      isLate = true;
      child.signal('SIGKILL');
    });
    const { exitCode } = await child.ended;
    timer.stop();
    if (!isLate) return { ok: exitCode === 0, message: text.trim() };
    return {
      ok: false,
      message: `command timed out: "${launch.command.join(' ')}" timed out after ${timeout / 1000}s`,
    };
  } catch (cause) {
    if (!(cause instanceof StartError)) throw cause;
    return { ok: false, message: cause.message };
  }
}
