// The program as it is started: one case of ours beside rivals that an earlier run has kept.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import type { Score } from '../score.ts';
import { cases } from './cases.ts';
import { markdown, type PlayedCase } from './tables.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const directory = mkdtempSync(join(tmpdir(), 'bench-lab-'));
afterAll(() => rmSync(directory, { recursive: true }));

function bench(...words: readonly string[]) {
  const loader = join(repository, 'scripts/typescript.mjs');
  const args = ['--no-warnings', '--import', loader, join(repository, 'packages/lab/bench/main.ts'), ...words];
  return spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
}

const score = (value: number, misses: number, gpuHours: number): Score => ({
  contender: '',
  knob: 'replicas',
  value,
  requests: 10_000,
  attainment: 1 - misses / 10_000,
  misses,
  firstTokenP50Ms: 100,
  firstTokenP95Ms: 200,
  firstTokenP99Ms: 300,
  perTokenP95Ms: 40,
  lost: 0,
  replicaSeconds: gpuHours * 450,
  gpuHours,
  meanReplicas: value,
  maxReplicas: value,
  starts: 2,
  startsPerReplicaHour: 0.1,
  changes: 2,
  reversalsPerHour: 0,
  recoverySeconds: 0,
});
const standing = (name: string, ...scores: Score[]) => ({ name, chosen: scores[0]!, scores });
/** As an earlier run may have kept a bursty case: what it says of ours is not looked at. */
const earlierOf = (trace: string): PlayedCase => ({
  bench: cases.find((each) => each.trace === trace)!,
  what: { trace, requests: 10_000, hours: 2, startUpSeconds: 60 },
  contenders: [
    standing('interactive', score(1, 9_999, 1)),
    standing('hpa-concurrency', score(26, 400, 500)),
    standing('kpa', score(40, 300, 500)),
    standing('static', score(9, 50, 600)),
    standing('clairvoyant', score(1.1, 40, 450)),
  ],
  verdicts: [],
});

test.each([
  ['a shape', 'spikes'],
  ['made-up traffic', 'outages'],
])('plays ours on %s beside rivals of an earlier run, prints what is asked of it, and keeps it', (_, trace) => {
  const earlier = earlierOf(trace);
  const rivals = join(directory, 'rivals.json');
  const json = join(directory, `${trace}.json`);
  writeFileSync(rivals, JSON.stringify([earlier]));
  const { status, stdout, stderr } = bench('--case', trace, '--rivals', rivals, '--json', json);
  expect([status, stderr.split('\n').filter((each) => each.includes('Error'))]).toEqual([0, []]);
  const [kept] = JSON.parse(readFileSync(json, 'utf8')) as PlayedCase[];
  expect(kept!.contenders.slice(1).map(({ name, scores }) => ({ name, scores }))).toEqual(
    earlier.contenders.slice(1).map(({ name, scores }) => ({ name, scores })),
  );
  expect(kept!.contenders[0]!.chosen.requests).toBeGreaterThan(1_000);
  expect(kept!.verdicts.map(({ what }) => what)).toContain('misses vs static of equal cost');
  for (const { what } of kept!.verdicts) expect(stdout).toContain(`| ${what} |`);
});

test.each([
  [['--case', 'weekend'], /--case.*knows no "weekend"; there are Azure/],
  [['--rivals', '/nowhere/at-all.json'], /--rivals \/nowhere\/at-all.json.*cannot be read/],
])('refuses %j with 2 and one line', (words, message) => {
  const { status, stdout, stderr } = bench(...words);
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
});

test('every row of a table has as many cells as its heading', () => {
  const verdict = { what: 'misses vs HPA', value: 0.5, bound: 0.25, must: 0.75, excellent: 0.4, word: 'must' } as const;
  const page = markdown([{ ...earlierOf('spikes'), verdicts: [verdict] }], '## The forecast\n', 'a day').split('\n');
  const cells = (line: string) => line.split('|').length;
  const rows = page.flatMap((line, index) => (line.startsWith('|') ? [[cells(page[index - 1]!), cells(line)]] : []));
  expect(rows.length).toBeGreaterThan(6);
  for (const [before, here] of rows) if (before! > 1) expect(here).toBe(before);
});
