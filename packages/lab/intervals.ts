// Traffic that is known by the interval only: so many requests from a moment on, of about such lengths. They come at random
// moments of their interval (Poisson), and their lengths are spread log-normally around the mean.
import type { FieldProblem, Result } from '@kubeai/units';
import type { DrawOptions } from './draw-options.ts';
import { createRandom, logNormal } from './random.ts';
import { columnNames, parseTable, spanProblem } from './servegen.ts';
import { createDraft, type Workload } from './workload.ts';

export interface Interval {
  /** Seconds since the first interval began. */
  readonly second: number;
  readonly seconds: number;
  readonly requests: number;
  /** Mean tokens of a request. */
  readonly prompt: number;
  readonly output: number;
}

/** What a request is taken for where a trace does not tell. */
export const usualLengths = { prompt: 1_000, output: 200 } as const;

const optional = ['prompt_tokens', 'output_tokens'];

/** `t_s,requests[,prompt_tokens,output_tokens]`: so many requests from this second until the next row's. */
export function parseCounts(text: string): Result<Interval[], FieldProblem> {
  const header = columnNames(text);
  const columns = ['t_s', 'requests', ...optional.filter((name) => header.includes(name))];
  let previous = -1;
  let start: number | undefined;
  const table = parseTable<Omit<Interval, 'seconds'>>(text, columns, (cells) => {
    const second = cells['t_s']!;
    if (second <= previous)
      return { field: 't_s', message: 'is not after the line above: intervals must be sorted by time' };
    previous = second;
    start ??= second;
    const tooLate = spanProblem(start, second);
    if (tooLate !== undefined) return tooLate;
    const { prompt_tokens = usualLengths.prompt, output_tokens = usualLengths.output } = cells;
    return { second, requests: cells['requests']!, prompt: prompt_tokens, output: output_tokens };
  });
  if (!table.ok) return table;
  const rows = table.value;
  const first = rows[0]!.second;
  // The last row says when its interval begins and not how long it is: as long as the one before.
  const last = rows.length < 2 ? 60 : rows.at(-1)!.second - rows.at(-2)!.second;
  return {
    ok: true,
    value: rows.map((row, index) => ({
      ...row,
      second: row.second - first,
      seconds: (rows[index + 1]?.second ?? row.second + last) - row.second,
    })),
  };
}

/** Requests that intervals have. */
export const countOf = (intervals: readonly Interval[]): number =>
  intervals.reduce((sum, { requests }) => sum + requests, 0);

/** Draws the requests of a stretch. */
export function drawIntervals(
  name: string,
  intervals: readonly Interval[],
  { fromSecond, seconds, thin, speed, seed }: DrawOptions,
): Workload {
  const random = createRandom(seed);
  const draft = createDraft();
  const last = intervals.at(-1)!;
  const until = Math.min(last.second + last.seconds, fromSecond + (seconds ?? Number.POSITIVE_INFINITY));
  const length = (mean: number) => Math.round(mean * logNormal(random.normal(), 0.8));
  for (const interval of intervals) {
    const expected = interval.requests * thin;
    const count = Math.floor(expected) + (random.uniform() < expected % 1 ? 1 : 0);
    for (let each = 0; each < count; each += 1) {
      const second = interval.second + random.uniform() * interval.seconds;
      const [prompt, output] = [length(interval.prompt), length(interval.output)];
      if (second >= fromSecond && second < until) draft.add(((second - fromSecond) * 1_000) / speed, prompt, output);
    }
  }
  return draft.workload(name, (Math.max(0, until - fromSecond) * 1_000) / speed);
}
