// From what stands behind --trace to a workload: a file of requests, of ServeGen rates, of requests an interval, or the
// name of a shape. Files are told apart by their header, plain or gzip.
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { readTrace, type ScheduleOptions, scheduleOf } from '@kubeai/load';
import type { FieldProblem, Result } from '@kubeai/units';
import { createRandom } from './random.ts';
import {
  generate,
  parseRates,
  parseTable,
  parseTokens,
  type RateWindow,
  rateColumns,
  type TokenWindow,
} from './servegen.ts';
import { isShape, shapeNames, shapeOf } from './shapes.ts';
import type { Incident } from './simulation.ts';
import { multiplied, type Workload, workloadOf, workloadOfSchedule } from './workload.ts';

export interface WorkloadOptions extends ScheduleOptions {
  readonly seed: number;
  readonly thin: number;
  readonly speed: number;
  /** Token lengths beside a rate trace; by default the file whose name says tokens instead of rates. */
  readonly tokens?: string | undefined;
  /** Seconds of the trace that are left out at its beginning. */
  readonly fromSecond: number;
  /** Copies of each request, the further ones moved by up to half a minute. */
  readonly copies: number;
}

export interface ReadWorkload {
  readonly workload: Workload;
  readonly incidents: readonly Incident[];
}

const unpack = promisify(gunzip);
const jitterMs = 30_000;
const day = 86_400;

/** Reads a workload. Every problem names file, line and column. */
export async function readWorkload(
  trace: string,
  options: WorkloadOptions,
): Promise<Result<ReadWorkload, FieldProblem>> {
  if (isShape(trace)) {
    const { workload, incidents } = shapeOf(trace, options.seed, options.thin * options.copies);
    return { ok: true, value: { workload, incidents } };
  }
  const text = await textOf(trace);
  const header =
    text
      ?.slice(0, text.indexOf('\n'))
      .replace(/^\uFEFF/, '')
      .trim() ?? '';
  if (text !== undefined && rateColumns.filter((name) => header.split(',').includes(name)).length >= 4) {
    return readRates(trace, text, options);
  }
  if (text !== undefined && /(^|,)\s*requests\s*(,|$)/.test(header)) return readCounts(trace, text, options);
  const read = await readTrace(trace);
  if (!read.ok) {
    const [first] = read.problems;
    const isName = first?.message === 'does not exist' && !/[./]/.test(trace);
    return isName
      ? { ok: false, problems: [{ field: trace, message: `is neither a file nor a shape (${shapeNames.join(', ')})` }] }
      : read;
  }
  const from = options.fromSecond * 1_000;
  const rest = read.value
    .filter(({ at }) => at >= from)
    .map((request) => ({ ...request, at: (request.at - from) as typeof request.at }));
  if (rest.length === 0)
    return { ok: false, problems: [{ field: '--from', message: 'leaves no request of the trace' }] };
  const workload = workloadOfSchedule(baseName(trace), scheduleOf(rest, options));
  return { ok: true, value: { workload: multiplied(workload, options.copies, jitterMs, options.seed), incidents: [] } };
}

/** The text of a file, unpacked; undefined where that fails, which the reader of traces then explains. */
async function textOf(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? await unpack(bytes) : bytes;
    return plain.toString('utf8');
  } catch {
    // The reader of traces says what is wrong with a file, for every kind of file alike.
    return undefined;
  }
}

const baseName = (path: string): string => path.replace(/^.*\//, '').replace(/(\.(csv|jsonl|gz))+$/, '');

const located = (file: string, problems: readonly FieldProblem[]): Result<never, FieldProblem> => ({
  ok: false,
  problems: problems.map(({ field, message }) => ({ field: `${file}: ${field}`, message })),
});

/** Parsed once a process: a bench draws many stretches of the same files. */
const parsed = new Map<string, { readonly rates: readonly RateWindow[]; readonly tokens: readonly TokenWindow[] }>();

async function readRates(
  file: string,
  text: string,
  options: WorkloadOptions,
): Promise<Result<ReadWorkload, FieldProblem>> {
  let known = parsed.get(file);
  if (known === undefined) {
    const rates = parseRates(text);
    if (!rates.ok) return located(file, rates.problems);
    const tokensFile = options.tokens ?? file.replace('rates', 'tokens');
    const tokensText = tokensFile === file ? undefined : await textOf(tokensFile);
    if (tokensText === undefined) {
      const message = 'needs the token lengths of the clients: name their file with --tokens';
      return { ok: false, problems: [{ field: file, message }] };
    }
    const tokens = parseTokens(tokensText);
    if (!tokens.ok) return located(tokensFile, tokens.problems);
    known = { rates: rates.value, tokens: tokens.value };
    parsed.set(file, known);
  }
  const seconds = options.duration === undefined ? day : (options.duration / 1_000) * options.speed;
  const thin = options.thin * options.copies;
  const { fromSecond, speed, seed } = options;
  const workload = generate(baseName(file), known.rates, known.tokens, { fromSecond, seconds, thin, speed, seed });
  if (workload.at.length === 0)
    return { ok: false, problems: [{ field: '--from', message: 'leaves no request of the trace' }] };
  return { ok: true, value: { workload, incidents: [] } };
}

interface Interval {
  readonly second: number;
  readonly requests: number;
  readonly prompt: number;
  readonly output: number;
}

/** `t_s,requests[,prompt_tokens,output_tokens]`: so many requests from this second until the next row's, at random moments. */
function readCounts(file: string, text: string, options: WorkloadOptions): Result<ReadWorkload, FieldProblem> {
  const header = text
    .slice(0, text.indexOf('\n'))
    .split(',')
    .map((name) => name.trim());
  const wanted = ['t_s', 'requests', ...['prompt_tokens', 'output_tokens'].filter((name) => header.includes(name))];
  let previous = -1;
  const table = parseTable<Interval>(text, wanted, (cells) => {
    const second = cells['t_s']!;
    if (second <= previous)
      return { field: 't_s', message: 'is not after the line above: intervals must be sorted by time' };
    previous = second;
    return {
      second,
      requests: cells['requests']!,
      prompt: cells['prompt_tokens'] ?? 1_000,
      output: cells['output_tokens'] ?? 200,
    };
  });
  if (!table.ok) return located(file, table.problems);
  const random = createRandom(options.seed);
  const rows: { at: number; promptTokens: number; outputTokens: number }[] = [];
  const windows = table.value;
  const last = windows.length < 2 ? 60 : windows.at(-1)!.second - windows.at(-2)!.second;
  const start = windows[0]!.second + options.fromSecond;
  for (const [index, { second, requests, prompt, output }] of windows.entries()) {
    const length = (windows[index + 1]?.second ?? second + last) - second;
    const expected = requests * options.thin * options.copies;
    const count = Math.floor(expected) + (random.uniform() < expected % 1 ? 1 : 0);
    for (let each = 0; each < count; each += 1) {
      const at = ((second + random.uniform() * length - start) * 1_000) / options.speed;
      const spread = () => Math.exp(0.8 * random.normal() - 0.32);
      if (at < 0 || at > (options.duration ?? Number.POSITIVE_INFINITY)) continue;
      rows.push({ at, promptTokens: Math.round(prompt * spread()), outputTokens: Math.round(output * spread()) });
    }
  }
  if (rows.length === 0) return { ok: false, problems: [{ field: file, message: 'holds no request' }] };
  const span = Math.min(
    ((windows.at(-1)!.second + last - start) * 1_000) / options.speed,
    options.duration ?? Number.POSITIVE_INFINITY,
  );
  return { ok: true, value: { workload: workloadOf(baseName(file), rows, span), incidents: [] } };
}
