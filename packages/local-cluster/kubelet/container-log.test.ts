import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock } from '@kubeai/daemon';
import { instant, seconds } from '@kubeai/units';
import { type ContainerLog, createContainerLog, type ReadOptions } from './container-log.ts';
import { logFileBytes } from './limits.ts';

const start = Date.parse('2026-01-01T12:00:00Z');
let directory: string;
let clock = createManualClock(instant(start));
let log: ContainerLog;
let output: PassThrough;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'container-log-'));
  clock = createManualClock(instant(start));
  log = createContainerLog(join(directory, '0.log'), clock, createLog({ level: 'silent', name: 'test' }));
  output = new PassThrough();
  log.attach('stdout', output);
});
afterEach(async () => {
  await log.end();
  await rm(directory, { recursive: true });
});

async function ended(): Promise<void> {
  const closed = new Promise((resolve) => output.once('close', resolve));
  output.end();
  await closed;
  await log.end();
}

async function textOf(options: ReadOptions): Promise<string> {
  let text = '';
  for await (const part of log.read(options)) text += part;
  return text;
}

test.each<[string, ReadOptions, string]>([
  ['everything', {}, 'one\ntwo\nthrée\nlast'],
  ['the tail', { tailLines: 2 }, 'thrée\nlast'],
  ['more tail than there is', { tailLines: 9 }, 'one\ntwo\nthrée\nlast'],
  ['nothing', { tailLines: 0 }, ''],
  [
    'with times',
    { tailLines: 2, timestamps: true },
    '2026-01-01T12:00:01.000000000Z thrée\n2026-01-01T12:00:01.000000000Z last',
  ],
  ['since', { since: start + 500 }, 'thrée\nlast'],
  ['to the end when following', { follow: true }, 'one\ntwo\nthrée\nlast'],
])('reads %s', async (_case, options, expected) => {
  output.write('one\ntw');
  output.write('o\n');
  await new Promise(setImmediate);
  await clock.advance(seconds(1));
  output.write('thrée\nlast');
  await ended();
  expect(await textOf(options)).toBe(expected);
});

test('a follower sees lines as they come and leaves when it wants', async () => {
  output.write('one\n');
  const leave = new AbortController();
  const seen: string[] = [];
  for await (const text of log.read({ follow: true, signal: leave.signal })) {
    seen.push(text);
    if (seen.length === 1) output.write('two\n');
    else leave.abort();
  }
  expect(seen).toEqual(['one\n', 'two\n']);
});

test('older output is dropped when two files are full', async () => {
  const line = `${'x'.repeat(9_999)}\n`;
  const count = Math.ceil((3.5 * logFileBytes) / line.length);
  for (let written = 0; written < count; written++) {
    if (!output.write(line)) await new Promise((resolve) => output.once('drain', resolve));
  }
  await ended();
  const files = await readdir(directory);
  const kept = (await textOf({})).length;
  expect({ files: files.length, bounded: kept < 2.5 * logFileBytes, some: kept > logFileBytes }).toEqual({
    files: 2,
    bounded: true,
    some: true,
  });
});
