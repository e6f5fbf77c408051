// Recorded arrivals: when each request came, how long its prompt was and how long its answer. Two published forms are
// read. CSV as Azure publishes it (`TIMESTAMP,ContextTokens,GeneratedTokens`, columns in any order); its timestamp is a
// date and time with up to 100 ns, or a plain number of SECONDS. JSON lines as Mooncake publishes them (`timestamp`,
// `input_length`, `output_length`); their timestamp is a number of MILLISECONDS, as it is there. The unit follows from
// the form and is never guessed from the numbers: a guess that is wrong is wrong by a factor of a thousand.
import { type FieldProblem, type Milliseconds, milliseconds, type Result } from '@kubeai/units';
import { cellsOf, clipped, linesOf } from './csv.ts';
import { longestTrace } from './limits.ts';

export interface TraceRequest {
  /** Since the first request of the trace. */
  readonly at: Milliseconds;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

export type Trace = readonly TraceRequest[];

interface Row {
  readonly time: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

type RowReader = (line: string) => Result<Row, FieldProblem>;

/**
 * Reads a trace, CSV or JSON lines (told by a first `{`). Stops at the first problem and names its line and column: in
 * a file that is wrong once, a thousand further lines are wrong in the same way.
 */
export function parseTrace(text: string): Result<Trace, FieldProblem> {
  const lines = linesOf(text);
  const start = lines.findIndex((line) => line.trim() !== '');
  if (start === -1) return problem('the file', 'is empty');
  if (lines[start]!.trimStart().startsWith('{')) return readRows(lines, start, 'timestamp', readJsonRow);
  if (lines[start]!.trimStart().startsWith('[')) {
    return located(start, problem('the file', 'is a JSON array: a trace has an object on each line, without brackets'));
  }
  const reader = csvReader(lines[start]!);
  return reader.ok ? readRows(lines, start + 1, csvColumns.time, reader.value) : located(start, reader);
}

function readRows(
  lines: readonly string[],
  start: number,
  timeColumn: string,
  read: RowReader,
): Result<Trace, FieldProblem> {
  const trace: TraceRequest[] = [];
  let first: number | undefined;
  let previous = Number.NEGATIVE_INFINITY;
  for (let index = start; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line.trim() === '') continue;
    const row = read(line);
    if (!row.ok) return located(index, row);
    const { time, promptTokens, outputTokens } = row.value;
    if (time < previous) {
      return located(index, problem(timeColumn, 'is before the line above: requests must be sorted by time'));
    }
    first ??= time;
    if (time - first > longestTrace) return located(index, problem(timeColumn, tooLate));
    previous = time;
    trace.push({ at: milliseconds(time - first), promptTokens, outputTokens });
  }
  return trace.length === 0 ? problem('the file', 'holds no request') : { ok: true, value: trace };
}

const tooLate = `is more than ${longestTrace / 86_400_000} days after the first request`;

const csvColumns = { time: 'TIMESTAMP', promptTokens: 'ContextTokens', outputTokens: 'GeneratedTokens' } as const;

/** From the header line, a reader for the lines below it. */
function csvReader(header: string): Result<RowReader, FieldProblem> {
  const names = cellsOf(header);
  const wanted: readonly string[] = Object.values(csvColumns);
  const unknown = names.find((name) => !wanted.includes(name));
  if (unknown !== undefined)
    return problem(`column "${clipped(unknown)}"`, `is unknown; there must be ${wanted.join(', ')}`);
  const missing = wanted.find((name) => !names.includes(name));
  if (missing !== undefined) return problem(`column ${missing}`, 'is missing');
  if (names.length > wanted.length) return problem('the header', 'names a column twice');
  const at = (name: string) => names.indexOf(name);
  const [timeAt, promptAt, outputAt] = [at(csvColumns.time), at(csvColumns.promptTokens), at(csvColumns.outputTokens)];
  const value: RowReader = (line) => {
    const cells = cellsOf(line);
    if (cells.length !== names.length) return problem('the line', `has ${cells.length} cells, not ${names.length}`);
    const time = timeOf(cells[timeAt]!);
    if (time !== undefined && time >= noTime) {
      return problem(
        csvColumns.time,
        `must be in seconds, and ${clipped(cells[timeAt]!)} is a time of day in smaller ones`,
      );
    }
    if (time === undefined) {
      const found = clipped(cells[timeAt]!);
      return problem(csvColumns.time, `must be a date and time or a number of seconds, not "${found}"`);
    }
    const promptTokens = wholeNumber(cells[promptAt]!);
    if (promptTokens === undefined) return notTokens(csvColumns.promptTokens, cells[promptAt]);
    const outputTokens = wholeNumber(cells[outputAt]!);
    if (outputTokens === undefined) return notTokens(csvColumns.outputTokens, cells[outputAt]);
    return { ok: true, value: { time, promptTokens, outputTokens } };
  };
  return { ok: true, value };
}

const jsonFields = ['timestamp', 'input_length', 'output_length', 'hash_ids'];

function readJsonRow(line: string): Result<Row, FieldProblem> {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch {
    return problem('the line', 'must be a JSON object');
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row))
    return problem('the line', 'must be a JSON object');
  const unknown = Object.keys(row).find((name) => !jsonFields.includes(name));
  if (unknown !== undefined)
    return problem(`field "${clipped(unknown)}"`, `is unknown; known are ${jsonFields.join(', ')}`);
  const { timestamp, input_length, output_length } = row as Record<string, unknown>;
  if (typeof timestamp !== 'number' || !Number.isFinite(timestamp)) {
    return problem('timestamp', `must be a number of milliseconds, not ${clipped(String(JSON.stringify(timestamp)))}`);
  }
  if (!isWhole(input_length)) return notTokens('input_length', input_length);
  if (!isWhole(output_length)) return notTokens('output_length', output_length);
  return { ok: true, value: { time: timestamp, promptTokens: input_length, outputTokens: output_length } };
}

/** Milliseconds since 1970 of a time that no clock has shown: these are milliseconds that are said to be seconds. */
const noTime = 1e14;

const dateAndTime = /^(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(\.\d{1,9})?(?:Z|\+00:?00)?$/;
const plainNumber = /^\d+(\.\d+)?(e[+-]?\d+)?$/i;

/** Milliseconds, from a UTC date and time or from seconds. Only differences matter, so the epoch is whatever it is. */
function timeOf(text: string): number | undefined {
  if (plainNumber.test(text)) return Number.isFinite(Number(text)) ? Number(text) * 1_000 : undefined;
  const parts = dateAndTime.exec(text);
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (hour > 23 || minute > 59 || second > 60) return undefined;
  // What the calendar does not have comes back as a day of the next month.
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second) + Number(parts[7] ?? 0) * 1_000;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const wholeNumber = (text: string): number | undefined => (/^\d{1,15}$/.test(text) ? Number(text) : undefined);

type Wrong = { readonly ok: false; readonly problems: readonly FieldProblem[] };

const problem = (field: string, message: string): Wrong => ({ ok: false, problems: [{ field, message }] });

const notTokens = (field: string, value: unknown): Wrong =>
  problem(field, `must be a whole number of tokens, 0 or more, not ${clipped(String(JSON.stringify(value)))}`);

/** The same problem, with the line of the file (from 1) before the field. */
const located = (index: number, { problems }: Wrong): Wrong => ({
  ok: false,
  problems: problems.map(({ field, message }) => ({ field: `line ${index + 1}: ${field}`, message })),
});
