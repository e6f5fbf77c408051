// From what stands behind --trace to a workload: a file of requests, of ServeGen rates, of requests an interval, the journal
// of a controller, or the name of a shape. Files are told apart by their first line, plain or gzip.
import { parseTrace, readTraceText, type ScheduleOptions, scheduleOf } from '@kubeai/load';
import type { FieldProblem, Result } from '@kubeai/units';
import type { DrawOptions } from './draw-options.ts';
import { countOf, drawIntervals, type Interval, parseCounts } from './intervals.ts';
import { isJournal, parseJournal } from './journal.ts';
import {
  columnNames,
  expectedOf,
  generate,
  parseRates,
  parseTokens,
  type RateWindow,
  stretchOf,
  type TokenWindow,
} from './servegen.ts';
import { isShape, shapeNames, shapeOf } from './shapes.ts';
import { limited, multiplied, type Workload, workloadOfSchedule } from './workload.ts';
import type { Incident } from './world.ts';

export interface WorkloadOptions extends ScheduleOptions {
  readonly seed: number;
  readonly thin: number;
  readonly speed: number;
  /** Token lengths beside a rate trace; by default the file whose name says tokens instead of rates. */
  readonly tokens?: string | undefined;
  /** Whose decisions of a journal, NAMESPACE/NAME. */
  readonly of?: string | undefined;
  /** Seconds of the trace that are left out at its beginning. */
  readonly fromSecond: number;
  /** Copies of each request, the further ones moved by up to half a minute. */
  readonly copies: number;
}

export interface ReadWorkload {
  readonly workload: Workload;
  readonly incidents: readonly Incident[];
}

const jitterMs = 30_000;
/** What a run holds in memory: some five gigabytes. Three weeks of the busiest recorded traffic thinned to a fleet of forty. */
const mostRequests = 100_000_000;
const day = 86_400;

/** Reads a workload. Every problem names file, line and column. */
export async function readWorkload(
  trace: string,
  options: WorkloadOptions,
): Promise<Result<ReadWorkload, FieldProblem>> {
  if (isShape(trace)) {
    const wrong = misfit(trace, 'a shape', options);
    if (wrong !== undefined) return wrong;
    const { workload, incidents } = shapeOf(trace, options.seed, options.thin * options.copies);
    return limitedTo(trace, workload, options, incidents);
  }
  const text = await readTraceText(trace);
  if (!text.ok) {
    const isName = text.problems[0]?.message === 'does not exist' && !/[./]/.test(trace);
    if (!isName) return text;
    return {
      ok: false,
      problems: [{ field: trace, message: `is neither a file nor a shape (${shapeNames.join(', ')})` }],
    };
  }
  const drawn = await drawnFrom(trace, text.value, options);
  return drawn.ok ? limitedTo(trace, drawn.value, options, []) : drawn;
}

function limitedTo(
  trace: string,
  whole: Workload,
  options: WorkloadOptions,
  incidents: readonly Incident[],
): Result<ReadWorkload, FieldProblem> {
  const workload = limited(whole, options);
  if (workload.at.length > 0) return { ok: true, value: { workload, incidents } };
  return { ok: false, problems: [{ field: trace, message: 'has no request in the stretch that is asked for' }] };
}

type Form = 'a shape' | 'rates' | 'counts' | 'a journal' | 'requests';

/** Flags that say nothing of such a trace: whoever gives them takes it for another one. */
function misfit(trace: string, form: Form, options: WorkloadOptions): Result<never, FieldProblem> | undefined {
  const goesWith = (field: string, kind: string) =>
    ({ ok: false, problems: [{ field, message: `goes with ${kind}, and ${trace} is ${form}` }] }) as const;
  if (options.tokens !== undefined && form !== 'rates') return goesWith('--tokens', 'a file of rates');
  if (options.of !== undefined && form !== 'a journal') return goesWith('--of', 'the journal of a controller');
  if (options.fromSecond > 0 && form === 'a shape') return goesWith('--from', 'a recorded trace');
  return undefined;
}

function drawnFrom(
  file: string,
  text: string,
  options: WorkloadOptions,
): Result<Workload, FieldProblem> | Promise<Result<Workload, FieldProblem>> {
  const columns = columnNames(text);
  const intervals = (read: Result<Interval[], FieldProblem>): Result<Workload, FieldProblem> => {
    if (!read.ok) return located(file, read.problems);
    const draw = drawOptions(options);
    return (
      tooMany(file, countOf(read.value) * draw.thin) ?? {
        ok: true,
        value: drawIntervals(baseName(file), read.value, draw),
      }
    );
  };
  const form = formOf(text, columns);
  const wrong = misfit(file, form, options);
  if (wrong !== undefined) return wrong;
  if (form === 'rates') return readRates(file, text, options);
  if (form === 'counts') return intervals(parseCounts(text));
  if (form === 'a journal') return intervals(parseJournal(text, options.of));
  return readRequests(file, text, options);
}

function formOf(text: string, columns: readonly string[]): Exclude<Form, 'a shape'> {
  if (columns.includes('client')) return 'rates';
  if (columns.includes('t_s') || columns.includes('requests')) return 'counts';
  return isJournal(text) ? 'a journal' : 'requests';
}

/** A stretch is so long in replayed time, and longer in the trace by the speed. */
const drawOptions = ({ fromSecond, duration, speed, thin, copies, seed }: WorkloadOptions): DrawOptions => ({
  fromSecond,
  seconds: duration === undefined ? undefined : (duration / 1_000) * speed,
  thin: thin * copies,
  speed,
  seed,
});

function tooMany(file: string, requests: number): Result<never, FieldProblem> | undefined {
  if (requests <= mostRequests) return undefined;
  const message = `would give ${requests.toPrecision(3)} requests, and a run holds ${mostRequests}: keep a share with --thin`;
  return { ok: false, problems: [{ field: file, message }] };
}

function readRequests(file: string, text: string, options: WorkloadOptions): Result<Workload, FieldProblem> {
  const read = parseTrace(text);
  if (!read.ok) return located(file, read.problems);
  const from = options.fromSecond * 1_000;
  const rest = read.value
    .filter(({ at }) => at >= from)
    .map((request) => ({ ...request, at: (request.at - from) as typeof request.at }));
  const workload = workloadOfSchedule(baseName(file), scheduleOf(rest, options));
  const wrong = tooMany(file, workload.at.length * options.copies);
  if (wrong !== undefined) return wrong;
  return { ok: true, value: multiplied(workload, options.copies, jitterMs, options.seed) };
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
): Promise<Result<Workload, FieldProblem>> {
  let known = parsed.get(file);
  if (known === undefined) {
    const rates = parseRates(text);
    if (!rates.ok) return located(file, rates.problems);
    const beside = file.replace(/rates(?=[^/]*$)/, 'tokens');
    const tokensFile = options.tokens ?? (beside === file ? undefined : beside);
    const tokensText = tokensFile === undefined ? undefined : await readTraceText(tokensFile);
    if (
      tokensFile === undefined ||
      tokensText === undefined ||
      (!tokensText.ok && options.tokens === undefined && tokensText.problems[0]?.message === 'does not exist')
    ) {
      const message = 'needs the token lengths of the clients: name their file with --tokens';
      return { ok: false, problems: [{ field: file, message }] };
    }
    if (!tokensText.ok) return tokensText;
    const tokens = parseTokens(tokensText.value);
    if (!tokens.ok) return located(tokensFile, tokens.problems);
    known = { rates: rates.value, tokens: tokens.value };
    parsed.set(file, known);
  }
  const { seconds = day, fromSecond, ...draw } = drawOptions(options);
  const stretch = stretchOf(known.rates, fromSecond, seconds);
  const last = known.rates.reduce((most, { second }) => Math.max(most, second), 0);
  if (stretch.windows.length === 0) {
    const first = known.rates.reduce((least, { second }) => Math.min(least, second), Number.POSITIVE_INFINITY);
    const message = `has no row between ${stretch.from} and ${stretch.from + seconds} s, but from ${first} to ${last} s: see --from and --duration`;
    return { ok: false, problems: [{ field: `${file}: t_s`, message }] };
  }
  return (
    tooMany(file, expectedOf(stretch) * draw.thin) ?? {
      ok: true,
      value: generate(baseName(file), stretch, known.tokens, draw),
    }
  );
}
