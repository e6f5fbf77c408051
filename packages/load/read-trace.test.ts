import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { readTrace } from './read-trace.ts';

const text = 'TIMESTAMP,ContextTokens,GeneratedTokens\n1,2,3\n2,2,3\n';
const packed = gzipSync(text);

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'load-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

test.each<[string, string | Buffer, string]>([
  ['plain', text, '2 requests'],
  ['gzip, whatever it is called', packed, '2 requests'],
  ['gzip cut off', packed.subarray(0, packed.length - 12), 'is cut off: the gzip stream has no end'],
  ['gzip damaged', Buffer.concat([packed.subarray(0, 14), Buffer.alloc(20, 7)]), 'is damaged'],
  ['a wrong row', `${text}3,x,3\n`, ': line 4: ContextTokens must be a whole number'],
  ['nothing', '', ': the file is empty'],
  ['a picture', Buffer.from('\u0089PNG\r\n\u001a\n\0\0\0\rIHDR', 'latin1'), 'is no text, or none in UTF-8'],
  ['an archive without a NUL', Buffer.from('PK\u0003\u0004\u009c\u00ff', 'latin1'), 'is no text, or none in UTF-8'],
  ['Latin-1', Buffer.from(text.replace('TIME', 'ZE\u00cfT'), 'latin1'), 'is no text, or none in UTF-8'],
  ['UTF-16', Buffer.from(text, 'utf16le'), 'is no text, or none in UTF-8'],
])('a file that is %s', async (_name, bytes, outcome) => {
  const path = join(folder, 'trace');
  await writeFile(path, bytes);
  const trace = await readTrace(path);
  const said = trace.ok
    ? `${trace.value.length} requests`
    : trace.problems.map(({ field, message }) => `${field} ${message}`).join('\n');
  expect(said).toContain(outcome);
  expect(said.split('\n')).toHaveLength(1);
  if (!trace.ok) expect(said.startsWith(path)).toBe(true);
});

test('a file that is not there, or no file', async () => {
  const missing = join(folder, 'missing.csv');
  expect(await readTrace(missing)).toEqual({ ok: false, problems: [{ field: missing, message: 'does not exist' }] });
  expect(await readTrace(folder)).toMatchObject({ problems: [{ message: 'is a directory, not a trace' }] });
});

const azure = fileURLToPath(new URL('../../../shared/traces/azure_2023_conv.csv.gz', import.meta.url));

(existsSync(azure) ? test : test.skip)('the published Azure trace is read whole', async () => {
  const trace = await readTrace(azure);
  if (!trace.ok) throw new Error(trace.problems[0]!.message);
  expect(trace.value).toHaveLength(19_366);
  expect(trace.value.at(-1)!.at / 60_000).toBeCloseTo(58.4, 1);
  const prompts = trace.value.map(({ promptTokens }) => promptTokens).sort((a, b) => a - b);
  expect(prompts[prompts.length >> 1]).toBe(1_020);
});
