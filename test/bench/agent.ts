// The agent beside its rivals, in one run: the same clients, the same server, one after another in random order, each
// pinned to one core with clients and server on the other. Machines have slow and fast states, so what counts are the
// ratios of neighbours in a round, and of those the median.
//
// node --import ./scripts/typescript.mjs test/bench/agent.ts [--rounds N] [--seconds S] [--only WORDS] [--json FILE]
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { bundleProcess } from '../../docker/bundle.ts';
import type { Outcome, Work } from './agent/load.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../..');

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  /** Part of a scenario's name. */
  readonly only: string;
  readonly json: string | undefined;
}

function optionsOf(words: readonly string[]): Options {
  const after = (name: string): string | undefined => {
    const at = words.indexOf(name);
    return at === -1 ? undefined : words[at + 1];
  };
  const number = (name: string, fallback: number): number => {
    const value = Number(after(name) ?? fallback);
    if (Number.isFinite(value) && value > 0) return value;
    process.stderr.write(`bench:agent: ${name} needs a positive number\n`);
    return process.exit(2);
  };
  return {
    rounds: number('--rounds', 5),
    seconds: number('--seconds', 3),
    only: after('--only') ?? '',
    json: after('--json'),
  };
}

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
  { name: 'SSE, 200 tokens, 32 streams', oneCore: false, work: { connections: 32, kind: 'sse', pauseMs: 0 } },
  { name: 'uploads of 1 MiB, 8 connections', oneCore: false, work: { connections: 8, kind: 'upload', pauseMs: 0 } },
];

const upstreamPort = 18_000;
const children: ChildProcess[] = [];
const proxyCore = '0';
const otherCore = '1';

function start(
  command: string,
  args: readonly string[],
  core: string,
  environment: Record<string, string> = {},
): ChildProcess {
  const child = spawn('taskset', ['-c', core, command, ...args], {
    stdio: 'ignore',
    env: { ...process.env, ...environment },
  });
  children.push(child);
  return child;
}

const installed = (command: string): string | undefined =>
  ['/usr/sbin', '/usr/bin', '/usr/local/bin', '/usr/local/go/bin']
    .map((directory) => join(directory, command))
    .find(existsSync);

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const open = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`nothing listens on port ${port}`);
}

/** The process and its children: nginx works in them. */
function family(pid: number): number[] {
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

/** CPU time of processes in nanoseconds, all threads; finer than the ticks of /proc/PID/stat. */
function cpuOf(pids: readonly number[]): number {
  let sum = 0;
  for (const pid of pids)
    for (const thread of readdirSync(`/proc/${pid}/task`))
      sum += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  return sum;
}

const residentOf = (pids: readonly number[]): number =>
  pids.reduce(
    (sum, pid) => sum + Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0),
    0,
  ) / 1_024;

async function bundleHelper(name: string, directory: string): Promise<string> {
  const outfile = join(directory, `${name}.mjs`);
  const banner = "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);";
  await build({
    entryPoints: [join(here, 'agent', `${name}.ts`)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    banner: { js: banner },
    logLevel: 'error',
  });
  return outfile;
}

async function startProxies(directory: string): Promise<Proxy[]> {
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

  const agent = await bundleProcess(repository, 'agent', directory);
  const environment = {
    KUBEAI_POD_NAME: 'bench',
    KUBEAI_POD_NAMESPACE: 'bench',
    KUBEAI_POD_UID: 'bench',
    KUBEAI_POD_IP: '127.0.0.1',
    KUBEAI_UPSTREAM_PORT: String(upstreamPort),
    KUBEAI_LISTEN_PORT: '18006',
    KUBEAI_ADMIN_PORT: '18007',
    KUBEAI_LOG_LEVEL: 'error',
  };
  await add('agent', 18_006, start(process.execPath, [agent], proxyCore, environment));
  return proxies;
}

const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor(sorted.length / 2)]!;
};

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

/** Moves every thread of processes to a core. */
function pin(pids: readonly number[], core: string): void {
  for (const pid of pids) execFileSync('taskset', ['-acp', core, String(pid)], { stdio: 'ignore' });
}

async function measure(
  scenario: Scenario,
  proxies: readonly Proxy[],
  rounds: number,
  seconds: number,
  load: ChildProcess,
  upstream: ChildProcess,
): Promise<Round[]> {
  pin([load.pid!, upstream.pid!], scenario.oneCore ? proxyCore : otherCore);
  const run = (work: Work): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      load.once('message', (answer: { outcome?: Outcome; problem?: string }) =>
        answer.outcome === undefined ? reject(new Error(answer.problem)) : resolve(answer.outcome),
      );
      load.send(work);
    });
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

interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly must: number;
  readonly excellent: number;
}

interface Idle {
  readonly residentToBareNode: number;
  readonly cpuPercent: number;
}

/** What the agent costs when nothing passes: memory beside a bare Node that only listens, and CPU. */
async function measureIdle(agent: Proxy): Promise<Idle> {
  const bare = start(process.execPath, ['-e', "require('node:net').createServer().listen(0, '127.0.0.1')"], otherCore);
  const span = 10;
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  const before = cpuOf(agent.pids());
  await new Promise((resolve) => setTimeout(resolve, span * 1_000));
  const cpuPercent = (cpuOf(agent.pids()) - before) / 1e7 / span;
  const residentToBareNode = residentOf(agent.pids()) / residentOf(family(bare.pid!));
  bare.kill('SIGKILL');
  return { residentToBareNode, cpuPercent };
}

function verdictsOf(results: ReadonlyMap<string, readonly Round[]>, idle: Idle): Verdict[] {
  const of = (name: string): readonly Round[] => results.get(name) ?? [];
  const many = of('32 connections');
  const loaded = median(many.map((round) => round.get('agent')?.residentMb ?? Number.NaN));
  return [
    { what: 'resident when idle, to bare Node', value: idle.residentToBareNode, must: 1.15, excellent: 1.09 },
    { what: 'CPU when idle, percent of a core', value: idle.cpuPercent, must: 0.5, excellent: 0.2 },
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
      what: 'CPU of a stream of 200 chunks, to nginx',
      value: ratio(of('SSE, 200 tokens, 32 streams'), 'agent', 'nginx', cpu),
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
  // A median of nothing is no number: its scenario was left out.
  for (const { what, value, must, excellent } of verdicts.filter((each) => !Number.isNaN(each.value))) {
    const word = value <= excellent ? 'excellent' : value <= must ? 'met' : 'MISSED';
    console.log(`${word.padEnd(13)}${what}: ${value.toFixed(2)} (must ${must}, excellent ${excellent})`);
  }
}

async function main({ rounds, seconds, only, json }: Options): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kubeai-bench-'));
  await mkdir(join(directory, 'logs'), { recursive: true });
  try {
    const upstream = start(
      process.execPath,
      [await bundleHelper('upstream', directory), String(upstreamPort)],
      otherCore,
    );
    await listening(upstreamPort);
    const proxies = await startProxies(directory);
    const idle = await measureIdle(proxies.find(({ name }) => name === 'agent')!);
    const load = fork(await bundleHelper('load', directory), { execArgv: [] });
    children.push(load);
    const results = new Map<string, readonly Round[]>();
    for (const scenario of scenarios.filter(({ name }) => name.includes(only))) {
      process.stderr.write(`${scenario.name} …\n`);
      results.set(scenario.name, await measure(scenario, proxies, rounds, seconds, load, upstream));
    }
    const verdicts = verdictsOf(results, idle);
    print(results, verdicts);
    if (json !== undefined) {
      const plain = [...results].map(([scenario, each]) => ({
        scenario,
        rounds: each.map((round) => Object.fromEntries(round)),
      }));
      await writeFile(json, `${JSON.stringify({ verdicts, results: plain }, null, 2)}\n`);
    }
  } finally {
    for (const child of children) child.kill('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  }
}

await main(optionsOf(process.argv.slice(2)));
