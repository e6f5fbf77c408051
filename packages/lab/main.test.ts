import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from '@jest/globals';
import type { LabReport } from './report.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const directory = mkdtempSync(join(tmpdir(), 'lab-'));
afterAll(() => rmSync(directory, { recursive: true }));

function lab(...words: readonly string[]) {
  const loader = join(repository, 'scripts/typescript.mjs');
  const args = ['--no-warnings', '--import', loader, join(repository, 'packages/lab/main.ts'), ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  return { status, stdout, stderr };
}

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const cut = gzipSync(Buffer.from('TIMESTAMP,ContextTokens,GeneratedTokens\n0,10,10\n'.repeat(50))).subarray(0, 40);

// What may be wrong with a trace stands in read-workload.test.ts; here is how it is said.
test.each<[string, string | Buffer, RegExp]>([
  [
    'a.csv',
    'TIMESTAMP,ContextTokens,GeneratedTokens\n5,-1,1\n',
    /^kubeai lab: \S*a.csv: line 2: ContextTokens must be/,
  ],
  ['b.csv.gz', cut, /^kubeai lab: \S*b.csv.gz is (cut off|damaged)/],
])('ends with 2 and one line over %s', (name, content, message) => {
  const { status, stderr } = lab('--trace', file(name, content));
  expect(stderr.trim().split('\n')).toHaveLength(1);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test.each([
  [['--trace', 'stp'], /stp is neither a file nor a shape/],
  [['--trace', 'step', '--rivals', 'hpb'], /--rivals knows no "hpb"/],
  [['--trace', 'step', '--gpu', 'tpu'], /--gpu tpu was not measured/],
  [['--trace', 'step', '--warm-up', '3600'], /--warm-up leaves nothing to judge/],
  [['--trace', 'step', '--html', '/nowhere/lab.html'], /--html cannot be written: ENOENT/],
  [['--trace', 'step', '--json', tmpdir()], /--json cannot be written: EISDIR/],
  [['--trace', 'step', '--policy', '/nowhere.yaml'], /\/nowhere.yaml cannot be read/],
])('refuses %j', (words, message) => {
  const { status, stderr } = lab(...words);
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});

test('the same input and seed give the same bytes; another seed gives others', () => {
  const counts = file('counts.csv', 't_s,requests\n0,60\n60,400\n120,60\n180,60\n');
  const run = (name: string, seed: string) => {
    const [json, html] = [join(directory, `${name}.json`), join(directory, `${name}.html`)];
    const words = ['--trace', counts, '--rivals', 'kpa,clairvoyant', '--start-up', '20', '--seed', seed];
    const { status, stderr } = lab(...words, '--json', json, '--html', html);
    expect({ status, isQuiet: !/Error/.test(stderr) }).toEqual({ status: 0, isQuiet: true });
    return { json: readFileSync(json, 'utf8'), html: readFileSync(html, 'utf8') };
  };
  const first = run('first', '3');
  expect(run('second', '3')).toEqual(first);
  expect(run('third', '4').json).not.toBe(first.json);
  expect(first.html).not.toMatch(/(?:src|href)="https?:/);
  const { contenders } = JSON.parse(first.json) as LabReport;
  expect(contenders.map(({ name }) => name)).toEqual(['interactive', 'kpa', 'clairvoyant']);
  for (const { name, asked, why, moments, pareto, scores } of contenders) {
    // Whoever reads can tell at every moment why there were so many, and sees the curve over the knob.
    expect({ name, silent: why.filter((reason) => reason === '') }).toEqual({ name, silent: [] });
    expect(why).toHaveLength(asked.length);
    for (const moment of moments) expect(first.html).toContain(JSON.stringify(moment).replaceAll('<', '\\u003c'));
    expect(scores.length).toBeGreaterThan(2);
    expect(pareto.length).toBeGreaterThan(0);
  }
});
