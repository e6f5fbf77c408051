// The agent beside its rivals, in one run: the same clients, the same server, one after another in random order, each
// pinned to one core with clients and server on the other. Machines have slow and fast states, so what counts are the
// ratios of neighbours in a round, and of those the median.
import { fork } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { bundleProcess } from '../../docker/bundle.ts';
import { type Idle, measureIdle, type Start, startOf, startPort } from './agent/at-rest.ts';
import { type Endurance, endure } from './agent/endurance.ts';
import { children, endAll, listening, otherCore, start } from './agent/processes.ts';
import { agentEnvironment, bundleHelper, startProxies, upstreamPort } from './agent/proxies.ts';
import { added, cpu, type Measured, measure, type Round, ratio, type Scenario } from './agent/rounds.ts';
import { jsonOption, keepFigures, readBenchLine, wholeNumberOption } from './bench-options.ts';
import { median, printVerdict, type Verdict } from './verdict.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

const optionsOf = () =>
  readBenchLine({
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
  });

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
      // As fast as they are written: so what other proxies were measured to take comes out again. The table has them 2 ms apart too.
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
  // A median of nothing is no number: its scenario was left out, or the machine was too busy with others.
  for (const verdict of verdicts) printVerdict(verdict);
}

async function main({ rounds, seconds, only, soak, json }: ReturnType<typeof optionsOf>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'kubeai-bench-'));
  await mkdir(join(directory, 'logs'), { recursive: true });
  process.once('exit', () => {
    endAll();
    rmSync(directory, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => process.exit(128 + constants.signals[signal]));
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
  }
}

await main(optionsOf());
