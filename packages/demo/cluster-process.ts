// The cluster as a process of its own, as `npm run cluster` or `npm run cluster:real` would run it: the load and the page
// must not share an event loop with an API server, and a demonstration should use what a user uses, a kubeconfig.
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Clock } from '@kubeai/daemon';
import { type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import { defaultDirectory, forward, layout, type Place } from '../../test/cluster/index.ts';

/** `local`: pods are processes of this machine. `real`: Kubernetes itself and containers, on this machine. */
export const clusterKinds = ['local', 'real'] as const;
export type ClusterKind = (typeof clusterKinds)[number];

export interface ClusterProcess {
  readonly kubeconfig: string;
  /** Where the pods' files or logs lie while it runs. */
  readonly pods: string;
  /** Resolves with its last words when the process has ended, for whatever reason. */
  readonly ended: Promise<string>;
  /** Where an address in the cluster is reached from here. */
  reach(place: Place): Promise<Place>;
  /** Asks it to stop, waits, and makes sure. */
  stop(): Promise<void>;
}

export interface ClusterProcessOptions {
  readonly kind: ClusterKind;
  readonly repository: string;
  /** Its kubeconfig and its log go there. */
  readonly directory: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Is told each step of the start, where it takes longer than a moment. */
  readonly onStep: (words: string) => void;
}

interface Launch {
  readonly program: string;
  readonly words: readonly string[];
  readonly pods: string;
  /** Left out: as long as it takes, because its programs may have to be built first. */
  readonly startLimit?: Milliseconds;
  readonly stopLimit: Milliseconds;
}

const launches: Readonly<Record<ClusterKind, (directory: string) => Launch>> = {
  local: (directory) => ({
    program: 'packages/local-cluster/main.ts',
    words: ['--port', '0', '--data-dir', join(directory, 'cluster')],
    pods: join(directory, 'cluster/pods'),
    startLimit: seconds(60),
    stopLimit: seconds(20),
  }),
  // In its usual place, because a machine has one: a second is refused, and `npm run cluster:real stop` finds it.
  real: () => ({
    program: 'test/cluster/main.ts',
    words: [],
    pods: layout(defaultDirectory).pods,
    stopLimit: seconds(90),
  }),
};

/**
 * Starts the cluster. Throws an Error with its last words when it does not get ready, and an AbortError when stopped
 * meanwhile; it is not running then.
 */
export async function startClusterProcess(options: ClusterProcessOptions): Promise<ClusterProcess> {
  const { kind, repository, directory, clock, signal } = options;
  const kubeconfig = join(directory, 'kubeconfig');
  const { program, words, pods, startLimit, stopLimit } = launches[kind](directory);
  const child = spawn(
    process.execPath,
    [
      ...['--no-warnings', '--import', join(repository, 'scripts/typescript.mjs'), join(repository, program)],
      ...[...words, '--kubeconfig', kubeconfig, '--until-stdin-closes'],
    ],
    // A process group of its own: Ctrl-C in the terminal reaches only the demonstration, which then stops it in order.
    // Should the demonstration be killed instead, the pipe to standard input breaks, and the cluster ends by itself.
    { cwd: repository, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
  );
  let isStarting = true;
  const lastWords = keepWords(child, join(directory, 'cluster.log'), (line) => {
    if (isStarting && kind === 'real') options.onStep(line);
  });
  const ended = new Promise<string>((resolve) => {
    child.once('close', () => resolve(lastWords()));
    child.once('error', (cause) => resolve(cause.message));
  });
  const forwards: { close(): Promise<void> }[] = [];
  const cluster: ClusterProcess = {
    kubeconfig,
    pods,
    ended,
    async reach(place) {
      // Addresses of the local cluster are this machine's own.
      if (kind === 'local') return place;
      const opened = await forward(layout(defaultDirectory).networkSocket, place);
      forwards.push(opened);
      return { host: '127.0.0.1', port: opened.port };
    },
    async stop() {
      await Promise.all(forwards.map((each) => each.close()));
      await stop(child, ended, clock, stopLimit);
    },
  };
  const started = clock.monotonic();
  let over: string | undefined;
  void ended.then((last) => {
    over = last;
  });
  // The cluster writes its kubeconfig last, when everything in it answers.
  while (!existsSync(kubeconfig)) {
    if (over !== undefined) throw new Error(`the ${kind} cluster did not start: ${over}`);
    if (startLimit !== undefined && clock.monotonic() - started > startLimit) {
      await cluster.stop();
      throw new Error(`the ${kind} cluster was not ready after ${startLimit / 1_000} s: ${lastWords()}`);
    }
    if (signal.aborted) await cluster.stop();
    signal.throwIfAborted();
    await clock.sleep(milliseconds(50), signal);
  }
  isStarting = false;
  return cluster;
}

/** Copies what the process says into a file, tells each line that is not blank, and remembers the last one. */
function keepWords(child: ChildProcess, logFile: string, onLine: (line: string) => void): () => string {
  const file = createWriteStream(logFile);
  let last = 'it said nothing';
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    stream.pipe(file, { end: false });
    createInterface({ input: stream }).on('line', (line) => {
      if (line.trim() === '') return;
      last = line.trim();
      onLine(last);
    });
  }
  return () => last;
}

async function stop(child: ChildProcess, ended: Promise<string>, clock: Clock, limit: Milliseconds): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  const timer = clock.after(limit, () => child.kill('SIGKILL'));
  await ended;
  timer.stop();
}
