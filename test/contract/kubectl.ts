// The real kubectl, as a child process: the judge that users bring along.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Kubectl {
  (args: readonly string[], input?: string | object): Promise<Outcome>;
  /** Starts a kubectl that goes on (`get -w`). The caller kills it. */
  start(args: readonly string[]): ChildProcess;
}

/** Whether there is a kubectl to run; the tests say so when there is none. */
export const hasKubectl = (): boolean =>
  spawnSync('kubectl', ['version', '--client'], { timeout: 20_000 }).status === 0;

const timeoutMs = 50_000;

export function createKubectl(kubeconfigPath: string, namespace: string): Kubectl {
  const start = (args: readonly string[]) =>
    spawn('kubectl', ['--kubeconfig', kubeconfigPath, '--namespace', namespace, ...args], { timeout: timeoutMs });
  const run = (args: readonly string[], input?: string | object): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      const child = start(args);
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (part: Buffer) => {
        stdout += part.toString('utf8');
      });
      child.stderr.on('data', (part: Buffer) => {
        stderr += part.toString('utf8');
      });
      child.on('error', reject);
      child.on('close', (code) => resolve({ code, stdout, stderr }));
      child.stdin.end(typeof input === 'object' ? JSON.stringify(input) : input);
    });
  return Object.assign(run, { start });
}
