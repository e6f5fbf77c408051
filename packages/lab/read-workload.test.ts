import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, expect, test } from '@jest/globals';
import { milliseconds } from '@kubeai/units';
import { readWorkload, type WorkloadOptions } from './read-workload.ts';

const directory = mkdtempSync(join(tmpdir(), 'lab-traces-'));
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

const plain: WorkloadOptions = { seed: 1, thin: 1, speed: 1, fromSecond: 0, copies: 1 };

async function requestsOf(name: string, content: string | Buffer, options: Partial<WorkloadOptions> = {}) {
  const read = await readWorkload(file(name, content), { ...plain, ...options });
  if (!read.ok) throw new Error(read.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
  return read.value.workload;
}

const requests = 'TIMESTAMP,ContextTokens,GeneratedTokens\n';
const rates = 'client,t_s,rate_rps,iat_cv,dist,p1,p2\n';
const tokens = 'client,t_s,in_mean,in_p50,in_p90,in_p99,out_mean,out_p50,out_p90,out_p99\n';
const goodRates = `${rates}0,0,1,1,Gamma,1,1\n0,600,1,1,Gamma,1,1\n`;
const goodTokens = `${tokens}0,0,9,9,9,9,9,9,9,9\n`;
const decision = (now: number, traffic: object, key = 'ns/chat') =>
  `${JSON.stringify({ key, now, policy: {}, snapshot: { replicas: 1, traffic }, history: {}, decision: {} })}\n`;
const quiet = { arrivalsPerSecond: 1, inFlight: 2 };
const cut = (text: string) => gzipSync(Buffer.from(text.repeat(50))).subarray(0, 40);

// Every form that a trace may have, and what may be wrong with it: name, file, what it holds, what is beside it, what is said.
test.each<[string, string, string | Buffer, RegExp, (string | Buffer)?]>([
  [
    'requests: an unknown column',
    'a.csv',
    'TIMESTAMP,ContextTokens,Words\n0,1,1\n',
    /a.csv: line 1: column "Words" is unk/,
  ],
  ['requests: unsorted times', 'b.csv', `${requests}5,1,1\n4,1,1\n`, /b.csv: line 3: TIMESTAMP .*sorted/],
  ['requests: negative tokens', 'c.csv', `${requests}5,-1,1\n`, /c.csv: line 2: ContextTokens/],
  ['requests: an empty file', 'd.csv', '', /d.csv: the file is empty/],
  ['requests: a header alone', 'd2.csv', requests, /d2.csv: the file holds no request/],
  ['requests: a gzip that is cut off', 'e.csv.gz', cut(requests), /e.csv.gz (is cut off|is damaged)/],
  ['requests: an empty gzip', 'e2.csv.gz', gzipSync(''), /e2.csv.gz: the file is empty/],
  [
    'JSON lines: an unknown field',
    'j.jsonl',
    '{"timestamp":0,"words":1}\n',
    /j.jsonl: line 1: field "words" is unknown/,
  ],
  [
    'JSON lines: a line cut off',
    'j2.jsonl',
    '{"timestamp":0,"input',
    /j2.jsonl: line 1: the line must be a JSON object/,
  ],
  [
    'rates: an unknown column',
    'f0_rates.csv',
    'client,t_s,rate_rps,iat_cv,dist,p1,p3\n',
    /f0_rates.csv: line 1: column "p3"/,
  ],
  [
    'rates: a column too few',
    'f1_rates.csv',
    'client,t_s,rate_rps,iat_cv,dist,p1\n',
    /f1_rates.csv: line 1: column p2 is mis/,
  ],
  [
    'rates: a column twice',
    'f2_rates.csv',
    `${rates.trim()},p2\n`,
    /f2_rates.csv: line 1: the header names a column twice/,
  ],
  [
    'rates: below nought',
    'f3_rates.csv',
    `${rates}0,0,-1,1,Gamma,1,1\n`,
    /line 2: rate_rps must be a number of at least 0/,
  ],
  ['rates: unsorted times', 'f4_rates.csv', `${rates}0,600,1,1,Gamma,1,1\n0,0,1,1,Gamma,1,1\n`, /line 3: t_s .*sorted/],
  ['rates: a distribution nobody fitted', 'g_rates.csv', `${rates}0,0,1,1,Pareto,1,1\n`, /line 2: dist must be Gamma/],
  [
    'rates: milliseconds for seconds',
    'g5_rates.csv',
    `${goodRates}0,1e9,1,1,Gamma,1,1\n`,
    /line 4: t_s is more than 366/,
  ],
  [
    'rates: more than a run holds',
    'g6_rates.csv',
    `${rates}0,0,1e12,1,Gamma,1,1\n`,
    /g6_rates.csv would give 6.00e\+14 requests/,
    goodTokens,
  ],
  [
    'rates: another day',
    'g7_rates.csv',
    `${rates}0,864000,1,1,Gamma,1,1\n`,
    /g7_rates.csv: t_s has no row between 0 and 86400 s, but from 864000 to 864000 s: see --from/,
    goodTokens,
  ],
  ['rates: no row', 'g2_rates.csv', rates, /g2_rates.csv: .*holds no row/],
  ['rates: a gzip that is cut off', 'g3_rates.csv.gz', cut(goodRates), /g3_rates.csv.gz (is cut off|is damaged)/],
  ['rates without token lengths', 'h_rates.csv', goodRates, /h_rates.csv needs .*--tokens/],
  [
    'token lengths below nought',
    'k_rates.csv',
    goodRates,
    /k_tokens.csv: line 2: in_p50/,
    `${tokens}0,0,9,-9,9,9,9,9,9,9\n`,
  ],
  [
    'token lengths: an unknown column',
    'k2_rates.csv',
    goodRates,
    /k2_tokens.csv: line 1: column "b"/,
    'client,t_s,b\n',
  ],
  [
    'token lengths: unsorted',
    'k3_rates.csv',
    goodRates,
    /k3_tokens.csv: line 3: t_s/,
    goodTokens + goodTokens.split('\n')[1],
  ],
  ['token lengths: empty', 'k4_rates.csv', goodRates, /k4_tokens.csv: line 1/, ''],
  [
    'token lengths: a gzip that is cut off',
    'k5_rates.csv',
    goodRates,
    /k5_tokens.csv (is cut off|is damaged)/,
    cut(tokens),
  ],
  ['counts: an unknown column', 'i0.csv', 't_s,requests,words\n0,5,5\n', /i0.csv: line 1: column "words" is unknown/],
  [
    'counts: no requests',
    'i1.csv',
    't_s,count\n0,5\n',
    /i1.csv: line 1: column "count" is unknown; there must be t_s, req/,
  ],
  [
    'counts: more than a run holds',
    'i6.csv',
    't_s,requests\n0,1e15\n',
    /i6.csv would give 1.00e\+15 requests, .*--thin/,
  ],
  [
    'counts: milliseconds for seconds',
    'i7.csv',
    't_s,requests\n0,1\n1e9,1\n',
    /i7.csv: line 3: t_s is more than 366 days/,
  ],
  ['counts: hexadecimal', 'i8.csv', 't_s,requests\n0,0x10\n', /i8.csv: line 2: requests must be a number/],
  ['counts: unsorted times', 'i.csv', 't_s,requests\n60,5\n0,5\n', /i.csv: line 3: t_s .*sorted/],
  [
    'counts: negative tokens',
    'i2.csv',
    't_s,requests,prompt_tokens\n0,5,-5\n',
    /i2.csv: line 2: prompt_tokens must be/,
  ],
  ['counts: a cell too few', 'i3.csv', 't_s,requests\n0,5\n60\n', /i3.csv: line 3: the line has 1 cells, not 2/],
  ['counts: no row', 'i4.csv', 't_s,requests', /i4.csv: line 1: the file holds no row/],
  ['counts: nothing came', 'i5.csv', 't_s,requests\n0,0\n60,0\n', /i5.csv has no request/],
  [
    'a journal: a line cut off',
    'l.jsonl',
    decision(1, quiet) + decision(2, quiet).slice(0, 80),
    /l.jsonl: line 2: the line is no JSON/,
  ],
  ['a journal: unsorted times', 'm.jsonl', decision(5, quiet) + decision(4, quiet), /m.jsonl: line 2: now .*sorted/],
  [
    'a journal: seconds and milliseconds',
    'm2.jsonl',
    decision(1e9, quiet) + decision(1e12, quiet),
    /m2.jsonl: line 2: now is more than 366 days after the first line/,
  ],
  [
    'a journal: a rate below nought',
    'n.jsonl',
    decision(5, { arrivalsPerSecond: -1 }),
    /n.jsonl: line 1: snapshot.traffic.arrivalsPerSecond must be a number of at least 0/,
  ],
  [
    'a journal: no traffic',
    'o.jsonl',
    `{"key":"a/b","now":1,"snapshot":{}}`,
    /o.jsonl: line 1: snapshot.traffic is missing/,
  ],
  [
    'a journal of two policies',
    'p.jsonl',
    decision(1, quiet) + decision(1, quiet, 'ns/other'),
    /p.jsonl: the journal tells of 2 policies: name one with --of, such as ns\/chat/,
  ],
])('refuses %s', async (...row) => {
  const [, name, content, message, beside] = row;
  if (beside !== undefined) file(name.replace('rates', 'tokens'), beside);
  const read = await readWorkload(file(name, content), plain);
  expect(read.ok ? [] : read.problems.map((problem) => `${problem.field} ${problem.message}`)).toEqual([
    expect.stringMatching(message),
  ]);
});

test.each<[string, string, Partial<WorkloadOptions>, RegExp]>([
  ['step', '', { fromSecond: 60 }, /^--from goes with a recorded trace, and step is a shape/],
  ['step', '', { tokens: 'x.csv' }, /^--tokens goes with a file of rates/],
  ['step', '', { duration: milliseconds(0) }, /^step has no request in the stretch/],
  [
    'y.csv',
    `${requests}0,1,1\n`,
    { of: 'a/b' },
    /^--of goes with the journal of a controller, and .*y.csv is requests/,
  ],
  ['y2.csv', 't_s,requests\n0,5\n', { tokens: 'x.csv' }, /^--tokens goes with a file of rates, and .* is counts/],
  ['y3.csv', `${requests}0,1,1\n`, { fromSecond: 9 }, /y3.csv has no request in the stretch/],
])('refuses flags that say nothing of %s', async (name, content, options, message) => {
  const trace = content === '' ? name : file(name, content);
  const read = await readWorkload(trace, { ...plain, ...options });
  expect(read.ok ? '' : read.problems.map(({ field, message }) => `${field} ${message}`).join()).toMatch(message);
});

const mean = (values: Int32Array) => values.reduce((sum, each) => sum + each, 0) / values.length;

test('a journal plays the traffic that its controller saw', async () => {
  const lines = [
    // Nothing has finished yet, so that lengths are those of later lines.
    decision(1e12, { arrivalsPerSecond: 2 }),
    decision(1e12 + 60_000, { arrivalsPerSecond: 2, promptTokensPerRequest: 400, generatedTokensPerRequest: 80 }),
    decision(1e12 + 120_000, { arrivalsPerSecond: 20, promptTokensPerRequest: 400, generatedTokensPerRequest: 80 }),
    decision(1e12 + 130_000, quiet, 'ns/other'),
    decision(1e12 + 180_000, { arrivalsPerSecond: 0 }),
    // An hour of silence, of which nothing is known.
    decision(1e12 + 3_780_000, { arrivalsPerSecond: 5 }),
  ];
  const { at, prompt, output, spanMs } = await requestsOf('day.jsonl', lines.join(''), { of: 'ns/chat' });
  const between = (from: number, until: number) => at.filter((each) => each >= from && each < until).length;
  expect([between(0, 120_000), between(120_000, 180_000), between(180_000, 3_780_000)]).toEqual([240, 1_200, 0]);
  expect(spanMs).toBe(3_781_000);
  expect(mean(prompt) / 400).toBeCloseTo(1, 0);
  expect(mean(output) / 80).toBeCloseTo(1, 0);
  await expect(requestsOf('day.jsonl', lines.join(''), { of: 'ns/nobody' })).rejects.toThrow(
    /tells nothing of ns\/nobody; it knows ns\/chat, ns\/other/,
  );
});

test.each<[string, string, string]>([
  ['requests', 'r.csv', `${requests}0,10,5\n${Array.from({ length: 99 }, (_, at) => `${at + 1},10,5\n`).join('')}`],
  ['rates', 's_rates.csv', `${rates}0,0,1,1,Gamma,1,1\n`],
  ['counts', 't.csv', 't_s,requests\n0,100\n100,0\n'],
  ['a journal', 'u.jsonl', decision(0, quiet) + decision(100_000, quiet)],
])('a stretch, a limit and a speed hold for %s', async (_, name, content) => {
  file('s_tokens.csv', goodTokens);
  const all = await requestsOf(name, content, { duration: milliseconds(90_000) });
  expect(all.at.length).toBeGreaterThan(60);
  expect(all.at.every((each) => each >= 0 && each <= 90_000)).toBe(true);
  expect((await requestsOf(name, content, { limit: 7 })).at).toHaveLength(7);
  const fast = await requestsOf(name, content, { speed: 10, fromSecond: 10, duration: milliseconds(5_000) });
  expect(fast.at.length).toBeGreaterThan(30);
  expect(fast.at.every((each) => each >= 0 && each <= 5_000)).toBe(true);
  const thinned = await requestsOf(name, content, { thin: 0.2, duration: milliseconds(90_000) });
  expect(thinned.at.length).toBeLessThan(all.at.length / 2);
});

const inQuotes = (text: string) => text.replaceAll(/[^,\n]+/g, '"$&"');
test.each<[string, string, string, boolean]>([
  ['requests', 'v.csv', `${requests}0,10,5\n1,10,5\n`, true],
  ['JSON lines', 'v1.jsonl', '{"timestamp":0,"input_length":5,"output_length":6}\n', false],
  ['rates', 'v_rates.csv', goodRates, true],
  ['counts', 'v2.csv', 't_s,requests\n0,100\n100,0\n', true],
  ['a journal', 'v3.jsonl', decision(0, quiet) + decision(100_000, quiet), false],
])('%s may be written as spreadsheets and other systems do', async (_, name, content, isTable) => {
  const written: (string | Buffer)[] = [
    `\uFEFF${content}`,
    content.replaceAll('\n', '\r\n'),
    `\n\n${content.replaceAll('\n', '\n\n')} \n`,
    content.trimEnd(),
    gzipSync(content),
    ...(isTable ? [inQuotes(content), content.replaceAll(',', ', ')] : []),
  ];
  file('v_tokens.csv', goodTokens);
  const expected = await requestsOf(name, content);
  for (const [index, each] of written.entries()) {
    file(`${index}v_tokens.csv`, `\uFEFF${inQuotes(goodTokens).replaceAll('\n', '\r\n')}`);
    const workload = await requestsOf(`${index}${name}`, each);
    expect({ index, ...workload, name: '' }).toEqual({ index, ...expected, name: '' });
  }
});

test('rates and lengths may be told in windows of another length, and end before the day does', async () => {
  // A minute a window, one of them left out for want of traffic; lengths by the hour.
  const windows = Array.from({ length: 120 }, (_, minute) => `0,${60 * minute},${minute < 60 ? 2 : 4},1,Gamma,1,1\n`);
  file('w_tokens.csv', `${tokens}0,0,9,9,9,9,9,9,9,9\n0,3600,900,900,900,900,90,90,90,90\n`);
  const { at, prompt, spanMs } = await requestsOf('w_rates.csv', rates + windows.toSpliced(30, 1).join(''));
  expect(spanMs).toBe(7_200_000);
  expect(at.filter((each) => each < 3_600_000)).toHaveLength(59 * 120);
  expect(at).toHaveLength(59 * 120 + 60 * 240);
  expect(new Set(prompt)).toEqual(new Set([9, 900]));
});

test('windows whose gaps no number holds are as even as can be', async () => {
  file('x_tokens.csv', goodTokens);
  const { at } = await requestsOf('x_rates.csv', `${rates}0,0,1,1,Weibull,1e-9,1\n0,600,1,1,Gamma,1e-9,1\n`);
  expect(at).toHaveLength(1_200);
  expect(at.every(Number.isFinite)).toBe(true);
});
