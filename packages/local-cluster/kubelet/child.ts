// A process of a container: started as the leader of its own process group, so that everything it starts in turn can
// be signalled, and is killed with it at the end. A real container would also be held by its cgroup: a program that
// moves itself to another group escapes us, and resource limits are not enforced.
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdirSync, statSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { Clock } from '@kubeai/daemon';
import { lastWords } from './limits.ts';
import type { Watchdog } from './watchdog.ts';

export interface Launch {
  readonly command: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  readonly directory: string;
}

export interface Ended {
  /** As a container runtime reports it: 128 + the signal's number for a killed one. */
  readonly exitCode: number;
  readonly signal: number | undefined;
}

export interface Child {
  readonly pid: number;
  /** Resolves when the process has ended, its group is dead and its output has been read. */
  readonly ended: Promise<Ended>;
  /** Signals the whole group; nothing happens once it has ended. */
  signal(name: 'SIGTERM' | 'SIGKILL'): void;
}

/** The command cannot be started at all; the message is what a container runtime would say. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export interface ChildHost {
  readonly clock: Clock;
  readonly watchdog: Watchdog;
}

/** Starts `launch.command`. Throws StartError when there is no such program. */
export async function startChild(
  { command, environment, directory }: Launch,
  { clock, watchdog }: ChildHost,
  onOutput: (stream: 'stdout' | 'stderr', output: Readable) => void,
): Promise<Child> {
  const [name = '', ...args] = command;
  const program = locate(name, environment.get('PATH') ?? '', directory);
  if (program === undefined) throw new StartError(notFoundMessage(name));
  mkdirSync(directory, { recursive: true });
  const process = spawn(program, args, {
    argv0: name,
    cwd: directory,
    env: Object.fromEntries(environment),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = process;
  if (pid === undefined) {
    const cause = await new Promise<Error>((resolve) => process.once('error', resolve));
    throw new StartError(`exec: "${name}": ${cause.message}`);
  }
  watchdog.guard(pid);
  process.on('error', () => undefined);
  onOutput('stdout', process.stdout);
  onOutput('stderr', process.stderr);
  let over = false;
  const signal = (what: 'SIGTERM' | 'SIGKILL') => {
    if (!over) signalGroup(pid, what);
  };
  const closed = new Promise<void>((resolve) => process.once('close', () => resolve()));
  const exited = new Promise<Ended>((resolve) => {
    process.once('exit', (code, killedBy) => {
      const number = killedBy === null ? undefined : osConstants.signals[killedBy];
      resolve({ exitCode: number === undefined ? (code ?? 0) : 128 + number, signal: number });
    });
  });
  const ended = exited.then(async (how) => {
    // Children that the program left behind die with it, as the rest of a PID namespace does.
    signal('SIGKILL');
    over = true;
    watchdog.release(pid);
    await Promise.race([closed, clock.sleep(lastWords)]);
    process.stdout.destroy();
    process.stderr.destroy();
    return how;
  });
  return { pid, ended, signal };
}

function signalGroup(group: number, name: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-group, name);
  } catch (cause) {
    // Everybody in the group is gone already.
    if ((cause as NodeJS.ErrnoException).code !== 'ESRCH') throw cause;
  }
}

const notFoundMessage = (name: string): string => {
  const why = name.includes('/') ? `stat ${name}: no such file or directory` : 'executable file not found in $PATH';
  return `failed to create task: exec: "${name}": ${why}`;
};

function locate(name: string, path: string, directory: string): string | undefined {
  if (name === '') return undefined;
  if (name === 'node') return process.execPath;
  if (name.includes('/')) return isProgram(join(name.startsWith('/') ? '/' : directory, name)) ? name : undefined;
  return path
    .split(':')
    .map((folder) => join(folder, name))
    .find(isProgram);
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    // Not there, or not ours to run: both mean "not found" to whoever asked for it.
    return false;
  }
}
