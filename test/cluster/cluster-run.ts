// What every command does that runs a real cluster: it looks at the machine first, ends in order when it is asked to, and
// looks again. A command that leaves something behind has failed, whatever else it did.
import { randomUUID } from 'node:crypto';
import { leftBehind, type MachineState, runVariable } from './machine-state.ts';
import { MachineCannot } from './programs.ts';
import { removeDeadCluster } from './real-cluster.ts';

/** The part of `process` that a run touches. */
export interface RunProcess {
  readonly env: NodeJS.ProcessEnv;
  readonly stderr: { write(text: string): unknown };
  on(signal: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

export interface ClusterRun {
  /** What its lines on stderr begin with. */
  readonly name: string;
  /** Of the cluster, where the run starts one. */
  readonly directory?: string;
  /** Looks at the machine; processes that have the mark in their environment are ours. */
  look(mark: string): Promise<MachineState>;
  /** How long what is ending may take to be gone. */
  readonly patienceMs?: number;
}

/**
 * Runs `work`, which stops what it has started when the signal comes and returns the exit code. Resolves with the exit
 * code: that of the work, 1 when it throws or something is left behind, 2 when the machine turned out to lack something, 130
 * or 143 when it was interrupted.
 */
export async function runWithoutTrace(
  { name, directory, look: lookFor, patienceMs }: ClusterRun,
  process: RunProcess,
  work: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const complain = (line: string) => process.stderr.write(`${name}: ${line}\n`);
  const mark = randomUUID();
  process.env[runVariable] = mark;
  const look = () => lookFor(mark);
  const stop = new AbortController();
  let interrupted: number | undefined;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.on(signal, () => {
      interrupted ??= code;
      stop.abort();
    });
  }
  const failure = (cause: unknown): number => {
    const { message } = cause as Error;
    const lacking = cause instanceof MachineCannot;
    if (lacking) complain(`this machine cannot: ${message}`);
    else if (interrupted === undefined) complain(message);
    return lacking ? 2 : 1;
  };
  if (directory !== undefined) {
    const refused = await removeDeadCluster(directory).then(() => undefined, failure);
    if (refused !== undefined) return refused;
  }
  const before = await look();
  const code = await work(stop.signal).catch(failure);
  const left = await leftBehind(before, look, patienceMs);
  for (const line of left) complain(`left behind: ${line}`);
  return left.length > 0 ? 1 : (interrupted ?? code);
}
