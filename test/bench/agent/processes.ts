// Starts processes pinned to cores, and reads from /proc what they cost.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

/** Everything that was started, so that it can be ended. */
export const children: ChildProcess[] = [];
export const proxyCore = '0';
export const otherCore = '1';

/**
 * Starts a process on a core; it may open as many files as connections need. Of our environment it gets the path alone: what a shell
 * gives to Node there, such as certificates to read at each start, would be measured too.
 */
export function start(
  command: string,
  args: readonly string[],
  core: string,
  environment: Record<string, string> = {},
): ChildProcess {
  const child = spawn('sh', ['-c', 'ulimit -n $(ulimit -Hn); exec taskset -c "$@"', 'sh', core, command, ...args], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, ...environment },
  });
  children.push(child);
  return child;
}

export const installed = (command: string): string | undefined =>
  ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/usr/local/go/bin']
    .map((directory) => join(directory, command))
    .find(existsSync);

export const pause = (seconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, seconds * 1_000));

/** Waits until something listens. */
export async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 5_000; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** The process and its children: nginx works in them. */
export function family(pid: number): number[] {
  const pids = [pid];
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid) pids.push(Number(name));
    } catch {
      // It ended while we looked: then it is nobody's child.
    }
  }
  return pids;
}

/** Ends everything that was started, and what that has started. */
export function endAll(): void {
  for (const child of children)
    if (child.exitCode === null && child.signalCode === null)
      for (const pid of family(child.pid!)) process.kill(pid, 'SIGKILL');
}

/** CPU time of processes in nanoseconds, all threads; finer than the ticks of /proc/PID/stat. */
export function cpuOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return sum;
}

/** Resident memory in MB. */
export const residentOf = (pids: readonly number[]): number =>
  pids.reduce(
    (sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
    0,
  ) / 1_024;

/** Moves every thread of processes to a core. */
export function pin(pids: readonly number[], core: string): void {
  for (const pid of pids) execFileSync('taskset', ['-acp', core, String(pid)], { stdio: 'ignore' });
}
