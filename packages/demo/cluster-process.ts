// The local cluster as a process of its own, as `npm run cluster` would run it: the load and the page must not share an
// event loop with the API server, and a demonstration should use what a user uses, a kubeconfig.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';

export interface ClusterProcess {
  readonly kubeconfig: string;
  /** Everything the cluster said. */
  readonly logFile: string;
  /** Resolves with its last words when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /** Asks it to stop, waits, and makes sure. */
  stop(): Promise<void>;
}

const startDeadline = seconds(60);
const stopDeadline = seconds(20);

/**
 * Starts the cluster with its data under `directory`. Throws an Error with its last words when it does not get ready, and
 * an AbortError when stopped meanwhile; it is not running then.
 */
export async function startClusterProcess(
  repository: string,
  directory: string,
  clock: Clock,
  signal: AbortSignal,
): Promise<ClusterProcess> {
  const kubeconfig = join(directory, 'kubeconfig');
  const logFile = join(directory, 'cluster.log');
  const child = spawn(
    process.execPath,
    [
      ...['--no-warnings', '--import', join(repository, 'scripts/typescript.mjs')],
      join(repository, 'packages/local-cluster/main.ts'),
      ...['--port', '0', '--kubeconfig', kubeconfig, '--data-dir', join(directory, 'cluster'), '--until-stdin-closes'],
    ],
    // A process group of its own: Ctrl-C in the terminal reaches only the demonstration, which then stops it in order.
    // Should the demonstration be killed instead, the pipe to standard input breaks, and the cluster ends by itself.
    { cwd: repository, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  const words = keepWords(child, logFile);
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => resolve(words()));
    child.once('error', (cause) => resolve(cause.message));
  });
  const cluster = { kubeconfig, logFile, ended, stop: () => stop(child, ended, clock) };
  const started = clock.monotonic();
  let over: string | undefined;
  void ended.then((last) => {
    over = last;
  });
  // The cluster writes its kubeconfig last, when everything in it answers.
  while (!existsSync(kubeconfig)) {
    if (over !== undefined) throw new Error(`the local cluster did not start: ${over}`);
    if (clock.monotonic() - started > startDeadline) {
      await cluster.stop();
      throw new Error(`the local cluster was not ready after ${startDeadline / 1_000} s: ${words()}`);
    }
    if (signal.aborted) await cluster.stop();
    signal.throwIfAborted();
    await clock.sleep(milliseconds(50), signal);
  }
  return cluster;
}

/** Copies what the process says into a file and remembers its last line that is not blank. */
function keepWords(child: ChildProcess, logFile: string): () => string {
  const file = createWriteStream(logFile);
  let last = 'it said nothing';
  const keep = (chunk: Buffer) => {
    file.write(chunk);
    const line = chunk.toString().trimEnd().split('\n').at(-1)?.trim();
    if (line) last = line;
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  return () => last;
}

async function stop(child: ChildProcess, ended: Promise<string>, clock: Clock): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = clock.after(stopDeadline, () => child.kill('SIGKILL'));
  await ended;
  timer.stop();
}
