// Pages and streams that other people published. They are not part of the repository; where they are absent the test
// says so.
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { type EngineAnswer, readDcgm, readDcgmiDmon, readEngine } from './index.ts';
import { printedDcgm, printedDcgmi, printedEngine, printedTokens } from './printed-names.ts';
import { readPage } from './prometheus-answer.ts';
import { createTokenReader } from './token-reader.ts';

interface Fixture {
  readonly file: string;
  readonly expected?: Record<string, unknown>;
}

const shared = fileURLToPath(new URL('../../../shared/fixtures/', import.meta.url));
const fixturesOf = (folder: string): readonly Fixture[] =>
  existsSync(`${shared}${folder}`) ? JSON.parse(readFileSync(`${shared}${folder}/index.json`, 'utf8')).files : [];
const bytesOf = (folder: string, file: string) => readFileSync(`${shared}${folder}/${file}`);

/** Numbers were copied by hand into the lists: a slip in the eighth digit is theirs. */
function close(expected: unknown): unknown {
  if (typeof expected === 'number' && !Number.isInteger(expected)) {
    return { asymmetricMatch: (found: number) => Math.abs(found - expected) <= 1e-8 * Math.abs(expected) };
  }
  if (Array.isArray(expected)) return expected.map(close);
  if (typeof expected !== 'object' || expected === null) return expected;
  return Object.fromEntries(Object.entries(expected).map(([name, value]) => [name, close(value)]));
}

const folders = ['engines', 'dcgm', 'sse'].filter((folder) => fixturesOf(folder).length > 0);
if (folders.length === 0) test.skip('published pages and streams are not here', () => undefined);

if (folders.includes('engines')) {
  test.each(fixturesOf('engines').map(({ file, expected }) => [file, expected] as const))(
    '%s is read as its list says',
    (file, expected) => {
      expect(printedEngine(readPage(bytesOf('engines', file).toString()))).toMatchObject(
        close(expected ?? {}) as object,
      );
    },
  );

  test.each(fixturesOf('engines').map(({ file }) => file))('%s read in brief has the same numbers', (file) => {
    const text = bytesOf('engines', file).toString();
    if (text.startsWith('{')) return;
    const numbers = (answer: EngineAnswer) =>
      answer.ok
        ? Object.entries(answer.value).filter(([, value]) => typeof value !== 'object')
        : [['reason', answer.reason]];
    expect(numbers(readEngine(text, { brief: true }))).toEqual(numbers(readEngine(text)));
  });

  test('one queue on the page belongs to another model, and the reading adds both', () => {
    const answer = readEngine(bytesOf('engines', 'vllm-v0-llama31-8b-2024-08.prom').toString());
    expect(answer).toMatchObject({ ok: true, value: { waiting: 5, running: 3 } });
  });
}

if (folders.includes('dcgm'))
  test.each(fixturesOf('dcgm').map(({ file, expected }) => [file, expected] as const))(
    '%s is read as its list says',
    (file, expected) => {
      const text = bytesOf('dcgm', file).toString();
      const printed = text.startsWith('#Entity') ? printedDcgmi(readDcgmiDmon(text)) : printedDcgm(readDcgm(text));
      expect(printed).toMatchObject(close(expected ?? {}) as object);
    },
  );

if (folders.includes('sse'))
  test.each(fixturesOf('sse').map(({ file, expected }) => [file, expected] as const))(
    '%s is read as its list says, whole and byte by byte',
    (file, expected) => {
      const bytes = bytesOf('sse', file);
      const readings = [bytes.length, 1, 7].map((size) => {
        const reader = createTokenReader(file.endsWith('.sse') ? 'text/event-stream' : 'application/json');
        for (let at = 0; at < bytes.length; at += size) reader.feed(bytes, at, Math.min(bytes.length, at + size));
        return printedTokens(reader.end());
      });
      expect(readings[0]).toMatchObject(expected ?? {});
      expect(readings[1]).toEqual(readings[0]);
      expect(readings[2]).toEqual(readings[0]);
    },
  );
