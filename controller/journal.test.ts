import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { createLog } from '@kubeai/daemon';
import { createJournal } from './journal.ts';
import { limits } from './limits.ts';

const log = createLog({ level: 'silent', name: 'tested' });
const folder = mkdtempSync(join(tmpdir(), 'journal-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('records are lines in order, after those of an earlier run', async () => {
  const path = join(folder, 'order.jsonl');
  for (const run of [1, 2]) {
    const journal = createJournal(path, log);
    for (let number = 0; number < 50; number++) journal.write({ run, number });
    await journal.flush();
  }
  const lines = readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines).toHaveLength(100);
  expect([lines[0], lines[49], lines[99]]).toEqual([
    { run: 1, number: 0 },
    { run: 1, number: 49 },
    { run: 2, number: 49 },
  ]);
});

test('a full file is kept once under another name, so that two are the most there can be', async () => {
  const path = join(folder, 'full.jsonl');
  const journal = createJournal(path, log, 1_000);
  for (let number = 0; number < 200; number++) {
    journal.write({ number, text: 'x'.repeat(50) });
    await journal.flush();
  }
  expect(statSync(path).size).toBeLessThanOrEqual(1_000);
  expect(statSync(`${path}.1`).size).toBeLessThanOrEqual(1_000);
  expect(readFileSync(path, 'utf8')).toContain('"number":199');
});

test('what cannot be written is counted and holds nobody up', async () => {
  const journal = createJournal(join(folder, 'nowhere/file.jsonl'), log);
  for (let number = 0; number < limits.journalPending + 10; number++) journal.write({ number });
  await journal.flush();
  expect(journal.dropped()).toBe(limits.journalPending + 10);
});
