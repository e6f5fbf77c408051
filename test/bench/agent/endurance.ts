// What an agent of its own does over time: how long its loop is held up under load while it is scraped, whether it grows,
// and what ten thousand connections cost on which nothing happens (or as many as may be opened).
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { join } from 'node:path';
import { median } from '../verdict.ts';
import { loadOn } from './load-process.ts';
import { family, listening, pause, proxyCore, residentOf, start } from './processes.ts';

export interface Endurance {
  /** Resident MB at the end of the soak over those after its first fifth, each the median of a fifth. */
  readonly growthMb: number;
  readonly soakSeconds: number;
  /** NaN where others held up the machine in more than half of the time. */
  readonly longestBlockMs: number;
  readonly idleConnections: number;
  /** Resident memory of one connection that had an answer and waits, kB. */
  readonly idleConnectionKb: number;
  /** Whether another client was answered beside them. */
  readonly othersServed: boolean;
}

export interface EnduranceOptions {
  readonly agent: string;
  readonly environment: Record<string, string>;
  readonly directory: string;
  readonly seconds: number;
  readonly load: ChildProcess;
}

const port = 18_020;
const adminPort = 18_021;
/** The agent needs two files a connection, and a few of its own. */
const openFiles = Number(/Max open files +\d+ +(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1] ?? 1_024);
const held = Math.min(10_000, Math.floor((openFiles - 200) / 2));
const fifths = 5;

const windowMs = 250;

/**
 * Writes down, window by window, the longest turn of the loop: the time on a core that its thread took between two ticks of a
 * timer. What the machine gave to others in between is in no thread's time. The first seconds are the start.
 */
const watchLoop = (file: string): readonly string[] => [
  '--import',
  `data:text/javascript,${encodeURIComponent(`
import { appendFileSync, openSync, readSync } from 'node:fs';
const fd = openSync('/proc/self/task/' + process.pid + '/schedstat');
const text = Buffer.alloc(64);
const onCore = () => Number.parseInt(text.latin1Slice(0, readSync(fd, text, 0, 64, 0)), 10) / 1e6;
setTimeout(() => {
  let last = onCore();
  let longest = 0;
  setInterval(() => {
    const now = onCore();
    longest = Math.max(longest, now - last);
    last = now;
  }, 1).unref();
  setInterval(() => {
    appendFileSync(${JSON.stringify(file)}, Date.now() + ' ' + longest + '\\n');
    longest = 0;
    last = onCore();
  }, ${windowMs}).unref();
}, 2000).unref();`)}`,
];

/** The longest block that was the agent's own: what slows the whole machine down shows in the bare Node beside it, too. */
function longestBlock(agentFile: string, bareFile: string): number {
  const read = (file: string) =>
    readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ').map(Number) as [at: number, ms: number]);
  const bare = read(bareFile);
  const all = read(agentFile);
  const own = all.filter(
    ([at, ms]) => !bare.some(([beside, other]) => Math.abs(beside - at) < 2 * windowMs && other > ms / 2),
  );
  // On a machine that stands still all the time nothing is left to judge by.
  return own.length < all.length / 2 ? Number.NaN : Math.max(...own.map(([, ms]) => ms));
}

const fetched = (address: string): Promise<number> =>
  new Promise((resolve, reject) => {
    get(address, { agent: false, timeout: 5_000 }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0));
    }).on('error', reject);
  });

/** Runs the soak, then holds the connections. */
export async function endure({ agent, environment, directory, seconds, load }: EnduranceOptions): Promise<Endurance> {
  const blocks = join(directory, 'blocks-agent');
  const bareBlocks = join(directory, 'blocks-bare');
  const child = start(process.execPath, [...watchLoop(blocks), agent], proxyCore, {
    ...environment,
    KUBEAI_LISTEN_PORT: String(port),
    KUBEAI_ADMIN_PORT: String(adminPort),
  });
  const listen = "require('node:net').createServer().listen(0, '127.0.0.1')";
  const bare = start(process.execPath, [...watchLoop(bareBlocks), '-e', listen], proxyCore);
  await listening(port);
  const resident = () => residentOf(family(child.pid!));

  // Half a core's worth of short answers: under a load that fills the core a turn of the loop is a full batch of work, not
  // a block. Streams and short answers by turns then fill it, and a scrape every two seconds, as a Prometheus in a hurry would.
  const samples: number[] = [];
  const scraping = setInterval(() => {
    samples.push(resident());
    void fetched(`http://127.0.0.1:${adminPort}/metrics`);
  }, 2_000);
  await loadOn(load, { port, connections: 32, kind: 'get', pauseMs: 10, milliseconds: 20_000 });
  const longestBlockMs = longestBlock(blocks, bareBlocks);
  samples.length = 0;
  const until = Date.now() + seconds * 1_000;
  for (let turn = 0; Date.now() < until; turn += 1)
    await loadOn(load, {
      port,
      connections: 32,
      kind: turn % 2 === 0 ? 'sse' : 'get',
      pauseMs: 1,
      milliseconds: Math.min(5_000, Math.max(1, until - Date.now())),
    });
  clearInterval(scraping);
  const fifth = Math.floor(samples.length / fifths);
  const growthMb = median(samples.slice(-fifth)) - median(samples.slice(fifth, 2 * fifth));

  const before = resident();
  const holding = loadOn(load, { port, connections: held, kind: 'hold', pauseMs: 0, milliseconds: 10_000 });
  // It may fail while we wait for something else.
  holding.catch(() => undefined);
  await pause(12);
  const idleConnectionKb = ((resident() - before) * 1_024) / held;
  const othersServed = (await fetched(`http://127.0.0.1:${port}/v1/completions`)) === 200;
  const { requests } = await holding;
  child.kill('SIGKILL');
  bare.kill('SIGKILL');
  return { growthMb, soakSeconds: seconds, longestBlockMs, idleConnections: requests, idleConnectionKb, othersServed };
}
