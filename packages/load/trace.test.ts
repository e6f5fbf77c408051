import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseTrace } from './trace.ts';

const header = 'TIMESTAMP,ContextTokens,GeneratedTokens';
const csv = (...rows: string[]) => [header, ...rows].join('\n');

function read(text: string): number[][] {
  const trace = parseTrace(text);
  if (!trace.ok) throw new Error(trace.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
  return trace.value.map(({ at, promptTokens, outputTokens }) => [Number(at.toFixed(3)), promptTokens, outputTokens]);
}

test.each<[string, string, number[][]]>([
  [
    'Azure, 100 ns digits',
    csv('2023-11-16 18:15:46.6805900,374,44', '2023-11-16 18:15:50.9951690,396,109'),
    [
      [0, 374, 44],
      [4_314.579, 396, 109],
    ],
  ],
  [
    'Azure of 2024, with a zone, over midnight',
    csv('2024-05-09 23:59:59.500000+00:00,1,2', '2024-05-10 00:00:00.009930+00:00,3,4'),
    [
      [0, 1, 2],
      [509.93, 3, 4],
    ],
  ],
  [
    'ISO form, no fraction, the same time twice',
    csv('2024-02-28T23:59:59Z,1,2', '2024-02-29T00:00:00Z,1,2', '2024-02-29T00:00:00Z,1,2'),
    [
      [0, 1, 2],
      [1_000, 1, 2],
      [1_000, 1, 2],
    ],
  ],
  [
    'seconds, other column order, CRLF, a blank last line, a byte order mark',
    '\uFEFFContextTokens,TIMESTAMP,GeneratedTokens\r\n5,10.5,6\r\n7,12,0\r\n\r\n',
    [
      [0, 5, 6],
      [1_500, 7, 0],
    ],
  ],
  ['cells in quotes', '"TIMESTAMP","ContextTokens","GeneratedTokens"\n"2024-02-28 23:59:59","1","2"\n', [[0, 1, 2]]],
  [
    'JSON lines in milliseconds',
    '{"timestamp": 1000, "input_length": 6, "output_length": 7, "hash_ids": [1, 2]}\n{"timestamp": 4000, "input_length": 8, "output_length": 9}\n',
    [
      [0, 6, 7],
      [3_000, 8, 9],
    ],
  ],
])('reads %s', (_name, text, rows) => {
  expect(read(text)).toEqual(rows);
});

const json = (row: object) => `{"timestamp": 0, "input_length": 1, "output_length": 1}\n${JSON.stringify(row)}`;

test.each<[string, string]>([
  ['', 'the file is empty'],
  ['\n \n', 'the file is empty'],
  [header, 'the file holds no request'],
  ['{', 'line 1: the line must be a JSON object'],
  ['time,ContextTokens,GeneratedTokens\n1,2,3', 'line 1: column "time" is unknown; there must be TIMESTAMP, Co'],
  ['TIMESTAMP,ContextTokens,GeneratedTokens,Model\n1,2,3,x', 'line 1: column "Model" is unknown'],
  ['TIMESTAMP,ContextTokens\n1,2', 'line 1: column GeneratedTokens is missing'],
  ['TIMESTAMP,TIMESTAMP,ContextTokens,GeneratedTokens', 'line 1: the header names a column twice'],
  [csv('1,2,3', '2,2'), 'line 3: the line has 2 cells, not 3'],
  [csv('1,2,3,4'), 'line 2: the line has 4 cells, not 3'],
  [csv('1,2,3', '0.5,2,3'), 'line 3: TIMESTAMP is before the line above: requests must be sorted by time'],
  [csv('yesterday,2,3'), 'line 2: TIMESTAMP must be a date and time or a number of seconds, not "yesterday"'],
  [csv('2024-13-01 00:00:00,2,3'), 'line 2: TIMESTAMP must be a date'],
  [csv('2024-02-29 00:00:00,2,3', '2024-02-30 00:00:00,2,3'), 'line 3: TIMESTAMP must be a date'],
  [csv('2023-02-29 00:00:00,2,3'), 'line 2: TIMESTAMP must be a date'],
  [csv('-1,2,3'), 'line 2: TIMESTAMP must be a date'],
  [csv('1,2,3', '1e999,2,3'), 'line 3: TIMESTAMP must be a date'],
  [csv('1,2,3', '1700000000,2,3'), 'line 3: TIMESTAMP is more than 366 days after the first request'],
  [csv('1700000000123,2,3'), 'line 2: TIMESTAMP must be in seconds, and 1700000000123 is a time of day in smaller'],
  [`${'x'.repeat(500)},1,2`, `line 1: column "${'x'.repeat(60)}…" is unknown`],
  [csv('1,-2,3'), 'line 2: ContextTokens must be a whole number of tokens, 0 or more, not "-2"'],
  [csv('1,2,3.5'), 'line 2: GeneratedTokens must be a whole number of tokens, 0 or more, not "3.5"'],
  [csv('1,2,'), 'line 2: GeneratedTokens must be a whole number of tokens, 0 or more, not ""'],
  [csv('1,NaN,3'), 'line 2: ContextTokens must be'],
  [json({ timestamp: '1', input_length: 1, output_length: 1 }), 'line 2: timestamp must be a number of milliseconds'],
  [json({ timestamp: 1, input_length: -1, output_length: 1 }), 'line 2: input_length must be a whole number of tokens'],
  [json({ timestamp: 1, input_length: 1 }), 'line 2: output_length must be a whole number of tokens'],
  [json({ timestamp: -1, input_length: 1, output_length: 1 }), 'line 2: timestamp is before the line above'],
  [json({ timestamp: 1, input_length: 1, output_length: 1, model: 'x' }), 'line 2: field "model" is unknown'],
  [json([1]), 'line 2: the line must be a JSON object'],
  ['[\n{"timestamp": 0, "input_length": 1, "output_length": 1}]', 'line 1: the file is a JSON array: a trace has an'],
])('refuses %j', (text, message) => {
  expect(() => read(text)).toThrow(message);
});

test('whatever text comes, it is a sorted trace or a problem', () => {
  const line = fc.oneof(fc.string(), fc.constant(header), fc.constant('1,2,3'), fc.constant('{"timestamp":1}'));
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      const trace = parseTrace(lines.join('\n'));
      if (trace.ok)
        expect(trace.value.map(({ at }) => at)).toEqual(trace.value.map(({ at }) => at).toSorted((a, b) => a - b));
      else expect(trace.problems).toHaveLength(1);
    }),
  );
});
