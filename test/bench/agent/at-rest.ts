// What the agent costs before any request: its start, and its memory and CPU when nothing passes.
import { median } from '../verdict.ts';
import { cpuOf, listening, otherCore, pause, proxyCore, residentOf, start } from './processes.ts';
import { agentEnvironment, type Contestant } from './proxies.ts';
import { shuffled } from './rounds.ts';

/** The agent listens at the port after it. */
export const startPort = 18_030;
const startEnvironment = (port: number) => ({
  ...agentEnvironment,
  KUBEAI_LISTEN_PORT: String(port),
  KUBEAI_ADMIN_PORT: String(port + 1),
});

export interface Idle {
  readonly residentToBareNode: number;
  readonly cpuPercent: number;
}

/**
 * What the agent costs when nothing passes: CPU, and memory beside a bare Node that only listens. Both hold the same pages of
 * the node binary, and how many of them are resident is the kernel's choice: so five pairs, started in random order, and the median.
 */
export async function measureIdle(agent: Contestant, file: string): Promise<Idle> {
  const span = 10;
  await pause(5);
  const before = cpuOf(agent.pids());
  await pause(span);
  const cpuPercent = (cpuOf(agent.pids()) - before) / 1e7 / span;
  const pairs = Array.from({ length: 5 }, (_, at) => {
    const port = startPort + 2 * at;
    const words = { agent: [file], bare: ['-e', "require('node:net').createServer().listen(0, '127.0.0.1')"] };
    const pids: Partial<Record<string, number>> = {};
    for (const [name, each] of shuffled(Object.entries(words)))
      pids[name] = start(process.execPath, each, otherCore, startEnvironment(port)).pid!;
    return pids;
  });
  await pause(15);
  const ratios = pairs.map(({ agent, bare }) => residentOf([agent!]) / residentOf([bare!]));
  for (const pids of pairs) for (const pid of Object.values(pids)) process.kill(pid!, 'SIGKILL');
  return { residentToBareNode: median(ratios), cpuPercent };
}

/** Median time from the start of a process until its port is open. */
export async function startOf(words: readonly string[], port: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 7; round += 1) {
    const begun = performance.now();
    const child = start(process.execPath, words, proxyCore, startEnvironment(startPort));
    await listening(port);
    times.push(performance.now() - begun);
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  return median(times);
}

export interface Start {
  readonly agentMs: number;
  readonly bareMs: number;
}
