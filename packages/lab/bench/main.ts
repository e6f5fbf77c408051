// The default policy against tuned rivals, case by case; prints the tables and writes them down.
//
// npm run bench:lab -- [--traces DIRECTORY] [--case NAME] [--rivals FILE] [--json FILE] [--results FILE]
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClock, exitWith, onOutputLost, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { type RivalName, rivalNames } from '../contenders.ts';
import { defaultPolicy } from '../ours.ts';
import { createProgress } from '../progress.ts';
import { type ReadWorkload, readWorkload } from '../read-workload.ts';
import { playedOf, ranking } from '../report.ts';
import { isShape } from '../shapes.ts';
import { study } from '../study.ts';
import { type BenchCase, cases } from './cases.ts';
import { forecastSection } from './forecast-section.ts';
import { isMade, madeTraffic } from './made-traffic.ts';
import { setting } from './setting.ts';
import { markdown, type PlayedCase, sectionOf } from './tables.ts';
import { verdictsOf } from './verdict.ts';

const line = {
  name: 'bench:lab',
  summary: 'Judges preset interactive against tuned rivals on recorded and synthetic traffic.',
  options: {
    traces: {
      value: 'DIRECTORY',
      describe: 'where the recorded traces lie; without it only shapes and made-up traffic are played',
      schema: z.string().optional(),
    },
    case: { value: 'NAME', describe: 'only cases whose name has these words', schema: z.string().default('') },
    rivals: {
      value: 'FILE',
      describe:
        'takes the rivals from the --json of an earlier run: to judge a change of our own in a tenth of the time',
      schema: z.string().optional(),
    },
    json: {
      value: 'FILE',
      describe:
        'keeps every figure, case by case: a later run that plays others adds to it, so that the whole may be played in pieces',
      schema: z.string().optional(),
    },
    results: {
      value: 'FILE',
      describe: 'writes the tables of all cases that --json keeps as Markdown, such as docs/results-tables.md',
      schema: z.string().optional(),
    },
  },
};

onOutputLost(process, line.name);
const options = readCommandLine(line, process);
/** What --case calls the section on the forecast. */
const forecastCase = 'the forecast, off and on';
/** Requests from which on single values are dear enough to be searched for; those of made-up traffic, of which there is much, always are. */
const longDay = 3_000_000;
const earlier: readonly PlayedCase[] = options.rivals === undefined ? [] : await readCases('--rivals', options.rivals);
const kept = new Map<string, PlayedCase>();
if (options.json !== undefined && existsSync(options.json)) {
  for (const one of await readCases('--json', options.json)) kept.set(one.bench.name, one);
}
const chosen = cases.filter(({ name }) => name.includes(options.case));
const playsForecast = options.results !== undefined || forecastCase.includes(options.case);
if (chosen.length === 0 && !playsForecast) {
  exitWith(process, line.name, [
    {
      field: '--case',
      message: `knows no "${options.case}"; there are ${[...cases.map(({ name }) => name), forecastCase].join('; ')}`,
    },
  ]);
}
for (const bench of chosen) {
  const traffic = await trafficOf(bench);
  if (traffic === undefined) {
    process.stderr.write(`bench:lab: ${bench.name} is left out: --traces has no ${bench.trace}\n`);
    continue;
  }
  const before = earlier.find((each) => JSON.stringify(each.bench) === JSON.stringify(bench));
  const progress = createProgress(process.stderr, `${bench.name}: `);
  const result = study(
    {
      ...setting,
      ...traffic,
      startUpMs: bench.startUpSeconds * 1_000,
      warmUpMs: bench.warmUpSeconds * 1_000,
      seed: bench.seed,
      policies: [{ name: 'interactive', policy: defaultPolicy() }],
      rivals: before === undefined ? rivalsOf(bench) : [],
      isSearching: isMade(bench.trace) || traffic.workload.at.length > longDay,
      shares: bench.kind === 'smooth' ? [0.99, 0.999] : [0.99],
    },
    progress.tell,
  );
  progress.end();
  const contenders = ranking([...result.results, ...(before?.contenders.slice(1) ?? [])]);
  const one: PlayedCase = { bench, what: playedOf(result), contenders, verdicts: verdictsOf(bench.kind, contenders) };
  kept.set(bench.name, one);
  process.stdout.write(`${sectionOf(one)}\n`);
  if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(inOrder())}\n`);
}
if (playsForecast) {
  const tell = (what: string) => void process.stderr.write(`${forecastCase}: ${what}\n`);
  const section = await forecastSection(options.traces, tell);
  process.stdout.write(`${section}\n`);
  if (options.results !== undefined) {
    const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD'], { encoding: 'utf8' }).trim();
    const date = new Date(createClock().now()).toISOString().slice(0, 10);
    await writeFile(options.results, markdown(inOrder(), section, `${date} at commit ${commit}`));
  }
}

/** Nothing where it lies in a file that is not there. */
async function trafficOf(bench: BenchCase): Promise<ReadWorkload | undefined> {
  const { trace, seed } = bench;
  if (isMade(trace)) return { workload: madeTraffic(trace, seed), incidents: [] };
  const path = isShape(trace) ? trace : join(options.traces ?? '', trace);
  if (!isShape(trace) && (options.traces === undefined || !existsSync(path))) return undefined;
  const read = await readWorkload(path, { ...bench, speed: 1 });
  return read.ok ? read.value : exitWith(process, line.name, read.problems);
}

function inOrder(): readonly PlayedCase[] {
  return cases.flatMap(({ name }) => kept.get(name) ?? []);
}

async function readCases(flag: string, path: string): Promise<readonly PlayedCase[]> {
  const wrong = (message: string) => exitWith(process, line.name, [{ field: `${flag} ${path}`, message }]);
  let read: unknown;
  try {
    read = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    return wrong(`cannot be read: ${(cause as Error).message}`);
  }
  if (!Array.isArray(read) || !read.every((one) => 'bench' in one)) return wrong('was not written by bench:lab --json');
  // What is asked may have changed since they were kept.
  return (read as PlayedCase[]).map((one) => ({ ...one, verdicts: verdictsOf(one.bench.kind, one.contenders) }));
}

function rivalsOf({ trace, kind }: BenchCase): readonly RivalName[] {
  if (trace.startsWith('servegen')) return ['hpa-concurrency', 'keda', 'kpa', 'static', 'clairvoyant'];
  if (isMade(trace))
    return ['hpa-concurrency', ...(kind === 'bursty' ? ['kpa' as const] : []), 'static', 'clairvoyant'];
  return rivalNames;
}
