// The agent beside its rivals, in one run: the same clients, the same server, one after another in random order, each
// pinned to one core with clients and server on the other. Machines have slow and fast states, so what counts are the
// ratios of neighbours in a round, and of those the median.
import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { bundle, bundleProcess } from '../../docker/bundle.ts';
import { type Endurance, endure } from './agent/endurance.ts';
import { loadOn, type Outcome, type Work } from './agent/load-process.ts';
import {
  children,
  cpuOf,
  endAll,
  family,
  installed,
  listening,
  otherCore,
  pause,
  pin,
  proxyCore,
  residentOf,
  start,
} from './agent/processes.ts';
import { jsonOption, keepFigures, wholeNumberOption } from './bench-options.ts';
import { median, printVerdict, type Verdict } from './verdict.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../..');

const optionsOf = () =>
  readCommandLine(
    {
      name: 'bench:agent',
      summary: 'Measures the agent beside nginx, haproxy and other proxies, in one run.',
      options: {
        rounds: wholeNumberOption('rounds of each scenario, in random order', 'N', 5),
        seconds: wholeNumberOption('how long a proxy is measured in a round', 'S', 3),
        only: {
          value: 'WORDS',
          describe: 'part of a scenario’s name, to leave out the others',
          schema: z.string().default(''),
        },
        soak: wholeNumberOption(
          'how long the agent is watched for growth; what is asked of it is asked over 600',
          'S',
          60,
        ),
        json: jsonOption,
      },
    },
    process,
  );

interface Proxy {
  readonly name: string;
  readonly port: number;
  /** Processes whose CPU and memory are the proxy's. */
  readonly pids: () => number[];
}

interface Scenario {
  readonly name: string;
  readonly work: Omit<Work, 'port' | 'milliseconds'>;
  /** All on one core, so that latency is the sum of everybody's CPU. */
  readonly oneCore: boolean;
}

const scenarios: readonly Scenario[] = [
  { name: '1 connection, one core', oneCore: true, work: { connections: 1, kind: 'get', pauseMs: 0 } },
  { name: '32 connections', oneCore: false, work: { connections: 32, kind: 'get', pauseMs: 0 } },
  { name: '256 connections', oneCore: false, work: { connections: 256, kind: 'get', pauseMs: 0 } },
  { name: 'paced: 8 connections, 10 ms apart', oneCore: false, work: { connections: 8, kind: 'get', pauseMs: 10 } },
  { name: 'SSE, 200 tokens, 32 streams', oneCore: false, work: { connections: 32, kind: 'sse-unpaced', pauseMs: 0 } },
  {
    name: 'SSE, 200 tokens 2 ms apart, 32 streams',
    oneCore: false,
    work: { connections: 32, kind: 'sse', pauseMs: 0 },
  },
  {
    name: 'SSE, 200 tokens 2 ms apart, 256 streams',
    oneCore: false,
    work: { connections: 256, kind: 'sse', pauseMs: 0 },
  },
  { name: 'uploads of 1 MiB, 8 connections', oneCore: false, work: { connections: 8, kind: 'upload', pauseMs: 0 } },
];

const upstreamPort = 18_000;
const startPort = 18_030;
const agentEnvironment = {
  KUBEAI_POD_NAME: 'bench',
  KUBEAI_POD_NAMESPACE: 'bench',
  KUBEAI_POD_UID: 'bench',
  KUBEAI_POD_IP: '127.0.0.1',
  KUBEAI_UPSTREAM_PORT: String(upstreamPort),
  KUBEAI_LOG_LEVEL: 'error',
};
const startEnvironment = (port: number) => ({
  ...agentEnvironment,
  KUBEAI_LISTEN_PORT: String(port),
  KUBEAI_ADMIN_PORT: String(port + 1),
});
async function bundleHelper(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  await bundle(join(here, 'agent', `${name}.ts`), outfile);
  return outfile;
}

async function startProxies(directory: string, agent: string): Promise<Proxy[]> {
  const proxies: Proxy[] = [{ name: 'direct', port: upstreamPort, pids: () => [] }];
  const add = async (name: string, port: number, child: ChildProcess) => {
    await listening(port);
    proxies.push({ name, port, pids: () => family(child.pid!) });
  };
  const target = `127.0.0.1:${upstreamPort}`;

  const nginx = installed('nginx');
  if (nginx !== undefined) {
    const file = join(directory, 'nginx.conf');
    await writeFile(
      file,
      `daemon off; worker_processes 1; pid ${directory}/nginx.pid; error_log /dev/null crit;
events { worker_connections 4096; }
http { access_log off; client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy;
  fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
  keepalive_requests 100000000; client_max_body_size 0;
  upstream model { server ${target}; keepalive 1024; keepalive_requests 100000000; }
  server { listen 127.0.0.1:18001; location / { proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection "";
    proxy_buffering off; proxy_request_buffering off; } } }
`,
    );
    await add('nginx', 18_001, start(nginx, ['-c', file, '-p', directory], proxyCore));
  }
  const haproxy = installed('haproxy');
  if (haproxy !== undefined) {
    const file = join(directory, 'haproxy.cfg');
    await writeFile(
      file,
      `global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option http-keep-alive
frontend in
  bind 127.0.0.1:18002
  default_backend model
backend model
  http-reuse always
  server one ${target}
`,
    );
    await add('haproxy', 18_002, start(haproxy, ['-db', '-f', file], proxyCore));
  }
  const go = installed('go');
  if (go !== undefined) {
    const binary = join(directory, 'go-proxy');
    execFileSync(go, ['build', '-o', binary, join(here, 'agent/proxy.go')], {
      env: { ...process.env, GO111MODULE: 'off', GOCACHE: join(directory, 'go-cache'), GOFLAGS: '' },
    });
    await add('go', 18_003, start(binary, ['127.0.0.1:18003', `http://${target}`], proxyCore, { GOMAXPROCS: '1' }));
  }
  const nodeProxies = await bundleHelper('node-proxies', directory);
  await add(
    'http-proxy-3',
    18_004,
    start(process.execPath, [nodeProxies, 'http-proxy-3', '18004', String(upstreamPort)], proxyCore),
  );
  await add(
    'node http',
    18_005,
    start(process.execPath, [nodeProxies, 'http', '18005', String(upstreamPort)], proxyCore),
  );

  await add(
    'bare splice',
    18_008,
    start(process.execPath, [nodeProxies, 'splice', '18008', String(upstreamPort)], proxyCore),
  );

  await add(
    'agent',
    18_006,
    start(process.execPath, [agent], proxyCore, {
      ...agentEnvironment,
      KUBEAI_LISTEN_PORT: '18006',
      KUBEAI_ADMIN_PORT: '18007',
    }),
  );
  return proxies;
}

function shuffled<Item>(items: readonly Item[]): Item[] {
  const copy = [...items];
  for (let at = copy.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [copy[at], copy[other]] = [copy[other]!, copy[at]!];
  }
  return copy;
}

interface Measured extends Outcome {
  readonly cpuUsPerRequest: number;
  readonly residentMb: number;
}
type Round = ReadonlyMap<string, Measured>;

async function measure(
  scenario: Scenario,
  proxies: readonly Proxy[],
  rounds: number,
  seconds: number,
  load: ChildProcess,
  upstream: ChildProcess,
): Promise<Round[]> {
  pin([load.pid!, upstream.pid!], scenario.oneCore ? proxyCore : otherCore);
  const run = (work: Work): Promise<Outcome> => loadOn(load, work);
  for (const { port } of proxies) await run({ ...scenario.work, port, milliseconds: 500 });
  const all: Round[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const measured = new Map<string, Measured>();
    for (const { name, port, pids } of shuffled(proxies)) {
      const before = cpuOf(pids());
      const outcome = await run({ ...scenario.work, port, milliseconds: seconds * 1_000 });
      const cpu = cpuOf(pids()) - before;
      measured.set(name, {
        ...outcome,
        cpuUsPerRequest: cpu / 1_000 / Math.max(1, outcome.requests),
        residentMb: residentOf(pids()),
      });
    }
    all.push(measured);
  }
  return all;
}

/** Median over rounds of what one proxy's figure is to another's in the same round. */
function ratio(
  rounds: readonly Round[],
  name: string,
  to: string,
  figure: (measured: Measured, direct: Measured) => number,
): number {
  return median(
    rounds.flatMap((round) => {
      const [one, other, direct] = [round.get(name), round.get(to), round.get('direct')];
      if (one === undefined || other === undefined || direct === undefined) return [];
      return [figure(one, direct) / figure(other, direct)];
    }),
  );
}

const cpu = (measured: Measured): number => measured.cpuUsPerRequest;
const added = (measured: Measured, direct: Measured): number => Math.max(1, measured.p50Us - direct.p50Us);

interface Idle {
  readonly residentToBareNode: number;
  readonly cpuPercent: number;
}

/**
 * What the agent costs when nothing passes: CPU, and memory beside a bare Node that only listens. Both hold the same pages of
 * the node binary, and how many of them are resident is the kernel's choice: so five pairs, started in random order, and the median.
 */
async function measureIdle(agent: Proxy, file: string): Promise<Idle> {
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
async function startOf(words: readonly string[], port: number): Promise<number> {
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

interface Start {
  readonly agentMs: number;
  readonly bareMs: number;
}

function verdictsOf(
  results: ReadonlyMap<string, readonly Round[]>,
  idle: Idle,
  endurance: Endurance,
  starting: Start,
): Verdict[] {
  const of = (name: string): readonly Round[] => results.get(name) ?? [];
  const many = of('32 connections');
  const loaded = median(many.map((round) => round.get('agent')?.residentMb ?? Number.NaN));
  return [
    { what: 'resident when idle, to bare Node', value: idle.residentToBareNode, must: 1.15, excellent: 1.09 },
    { what: 'CPU when idle, percent of a core', value: idle.cpuPercent, must: 0.5, excellent: 0.2 },
    { what: 'longest block of the loop, ms', value: endurance.longestBlockMs, must: 10, excellent: 3 },
    { what: `growth in ${endurance.soakSeconds} s, MB`, value: endurance.growthMb, must: 3, excellent: 1 },
    { what: 'start, ms', value: starting.agentMs, must: 150, excellent: 150 },
    { what: 'resident at 32 connections, MB', value: loaded, must: 64, excellent: 56 },
    { what: 'CPU at 32 connections, to nginx', value: ratio(many, 'agent', 'nginx', cpu), must: 1.8, excellent: 1.45 },
    { what: 'CPU at 32 connections, to Go', value: ratio(many, 'agent', 'go', cpu), must: 0.55, excellent: 0.42 },
    {
      what: 'CPU at 32 connections, to Node http',
      value: ratio(many, 'agent', 'node http', cpu),
      must: 0.5,
      excellent: 0.35,
    },
    {
      what: 'added p50, one connection on one core, to nginx',
      value: ratio(of('1 connection, one core'), 'agent', 'nginx', added),
      must: 1.4,
      excellent: 1.15,
    },
    {
      what: 'added p50, paced, to nginx',
      value: ratio(of('paced: 8 connections, 10 ms apart'), 'agent', 'nginx', added),
      must: 1.7,
      excellent: 1.1,
    },
    {
      what: 'CPU of a stream of 200 chunks, as fast as they are written, to nginx',
      value: ratio(of('SSE, 200 tokens, 32 streams'), 'agent', 'nginx', cpu),
      must: 1.25,
      excellent: 1.08,
    },
    {
      what: 'CPU of a stream of 200 chunks, 2 ms apart, to nginx',
      value: ratio(of('SSE, 200 tokens 2 ms apart, 32 streams'), 'agent', 'nginx', cpu),
      must: 1.25,
      excellent: 1.08,
    },
  ];
}

function print(results: ReadonlyMap<string, readonly Round[]>, verdicts: readonly Verdict[]): void {
  for (const [scenario, rounds] of results) {
    console.log(`\n${scenario}`);
    console.log('  proxy            req/s   p50 µs   p99 µs  added p50  added p99  CPU ms/1000  to nginx  RSS MB');
    for (const name of rounds[0]?.keys() ?? []) {
      const of = (pick: (measured: Measured, direct: Measured) => number): number =>
        median(rounds.map((round) => pick(round.get(name)!, round.get('direct')!)));
      const cells = [
        of((each) => each.requests / each.seconds)
          .toFixed(0)
          .padStart(8),
        of((each) => each.p50Us)
          .toFixed(0)
          .padStart(9),
        of((each) => each.p99Us)
          .toFixed(0)
          .padStart(9),
        of((each, direct) => each.p50Us - direct.p50Us)
          .toFixed(0)
          .padStart(11),
        of((each, direct) => each.p99Us - direct.p99Us)
          .toFixed(0)
          .padStart(11),
        of(cpu).toFixed(1).padStart(13),
        ratio(rounds, name, 'nginx', cpu).toFixed(2).padStart(10),
        of((each) => each.residentMb)
          .toFixed(0)
          .padStart(8),
      ];
      console.log(`  ${name.padEnd(13)}${cells.join('')}`);
    }
  }
  console.log('');
  // A median of nothing is no number: its scenario was left out, or the machine was too busy with others.
  for (const verdict of verdicts) printVerdict(verdict);
}

async function main({ rounds, seconds, only, soak, json }: ReturnType<typeof optionsOf>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kubeai-bench-'));
  await mkdir(join(directory, 'logs'), { recursive: true });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      endAll();
      rmSync(directory, { recursive: true, force: true });
      process.exit(128 + constants.signals[signal]);
    });
  }
  try {
    const upstream = start(
      process.execPath,
      [await bundleHelper('upstream', directory), String(upstreamPort)],
      otherCore,
    );
    await listening(upstreamPort);
    const agent = await bundleProcess(repository, 'agent', directory);
    const starting = {
      bareMs: await startOf(['-e', `require('node:net').createServer().listen(${startPort}, '127.0.0.1')`], startPort),
      agentMs: await startOf([agent], startPort + 1),
    };
    const proxies = await startProxies(directory, agent);
    const idle = await measureIdle(proxies.find(({ name }) => name === 'agent')!, agent);
    const load = fork(await bundleHelper('load', directory), { execArgv: [] });
    children.push(load);
    const results = new Map<string, readonly Round[]>();
    for (const scenario of scenarios.filter(({ name }) => name.includes(only))) {
      process.stderr.write(`${scenario.name} …\n`);
      results.set(scenario.name, await measure(scenario, proxies, rounds, seconds, load, upstream));
    }
    process.stderr.write(`soak of ${soak} s …\n`);
    const endurance = await endure({ agent, environment: agentEnvironment, directory, seconds: soak, load });
    const verdicts = verdictsOf(results, idle, endurance, starting);
    print(results, verdicts);
    console.log(
      `start: ${starting.agentMs.toFixed(0)} ms, bare Node ${starting.bareMs.toFixed(0)} ms; ` +
        `${endurance.idleConnections} idle connections: ${endurance.idleConnectionKb.toFixed(1)} kB each, ` +
        `others ${endurance.othersServed ? 'served' : 'NOT SERVED'}`,
    );
    const plain = [...results].map(([scenario, each]) => ({
      scenario,
      rounds: each.map((round) => Object.fromEntries(round)),
    }));
    keepFigures(json, { verdicts, idle, endurance, starting, results: plain });
  } finally {
    endAll();
    await rm(directory, { recursive: true, force: true });
  }
}

await main(optionsOf());
