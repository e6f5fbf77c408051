import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { checkVector } from './check-vector.ts';
import { readVectors } from './vector-file.ts';
import { adapters } from './vector-kinds.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../..');
const files = readVectors(join(here, 'vectors'));
if (!files.ok) throw new Error(JSON.stringify(files.problems));
const cases = files.value.flatMap(({ name, cases }) =>
  cases.map((each) => [`${name}: ${each.kind}: ${each.id}`, each] as const),
);

test.each(cases)('%s', (_name, each) => {
  expect(checkVector(each)).toEqual({ passed: true });
});

test('every kind of vector is asserted by at least one case', () => {
  const used = new Set(cases.map(([, { kind }]) => kind));
  expect([...adapters.keys()].filter((kind) => !used.has(kind))).toEqual([]);
});

test.each([
  ['a wrong number', { desiredReplicas: 1, scaled: false }],
  ['an expected error that does not come', { error: 'FailedGetScale' }],
  ['a wrong flag', { desiredReplicas: 4, error: null, scaled: false }],
])('%s fails a case', (_name, expected) => {
  const [, some] = cases.find(([, { kind, expected }]) => kind === 'reconcile' && expected['desiredReplicas'] === 4)!;
  expect(checkVector({ ...some, expected }).passed).toBe(false);
});

// ---- The command ----

const scratch = mkdtempSync(join(tmpdir(), 'vectors-'));
afterAll(() => rmSync(scratch, { recursive: true }));

function run(...args: string[]) {
  const command = ['--import', join(repository, 'scripts/typescript.mjs'), join(here, 'vectors.ts'), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { encoding: 'utf8', timeout: 60_000 });
  return { status, lines: stdout.trimEnd().split('\n'), stderr: stderr.trimEnd() };
}

test('a failure is listed with what was expected and what came out, and the exit code is 1', () => {
  const good = {
    id: 'good',
    kind: 'idle_or_min',
    input: { idleReplicas: null, minReplicas: 2 },
    expected: { replicas: 2 },
  };
  const wrong = { ...good, id: 'wrong', expected: { replicas: 3 } };
  const strange = { ...good, id: 'strange', kind: 'horoscope' };
  writeFileSync(join(scratch, 'some.json'), JSON.stringify({ cases: [good, wrong, strange] }));
  const { status, lines } = run(scratch);
  expect(lines).toEqual([
    'ok   some.json idle_or_min good',
    'FAIL some.json idle_or_min wrong: replicas differs',
    '       expected {"replicas":3}',
    '       got      {"isIdle":false,"replicas":2}',
    'FAIL some.json horoscope strange: the kind horoscope is not known',
    '       expected {"replicas":2}',
    '       got      nothing',
    '1 passed, 2 failed',
  ]);
  expect(status).toBe(1);
});

test('asked for help it says what it takes', () => {
  const { status, lines } = run('--help');
  expect(lines[0]).toBe('Usage: npm run vectors -- DIR');
  expect(status).toBe(0);
});

test.each([
  ['no directory given', [], /^DIR: name one directory/],
  [
    'a directory that is not there',
    [join(scratch, 'nowhere')],
    /is no directory: name one that holds files of vectors$/,
  ],
  ['a directory without vectors', [join(repository, 'scripts')], /holds no \.json file: name a directory of vectors$/],
  [
    'a file that is no file of vectors',
    [repository],
    /package\.json: has no list "cases": it is no file of vectors, remove it/,
  ],
])('with %s it says so and ends with 2', (_name, args, message) => {
  const { status, stderr } = run(...(args as string[]));
  expect(stderr).toMatch(message);
  expect(status).toBe(2);
});
