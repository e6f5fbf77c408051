// Arrivals from rates: ServeGen publishes, per client and ten minutes, how many requests a second came and how their gaps
// were spread. Its generator draws that many gaps and scales them to the window, so that the rate holds and the
// burstiness is the client's own; so do we. Token lengths are drawn by their published quantiles.
import { cellsOf, clipped, linesOf, longestTrace } from '@kubeai/load';
import type { FieldProblem, Result } from '@kubeai/units';
import type { DrawOptions } from './draw-options.ts';
import { createRandom, type Random } from './random.ts';
import { createDraft, type Workload } from './workload.ts';

export const rateColumns = ['client', 't_s', 'rate_rps', 'iat_cv', 'dist', 'p1', 'p2'] as const;
export const tokenColumns = [
  'client',
  't_s',
  'in_mean',
  'in_p50',
  'in_p90',
  'in_p99',
  'out_mean',
  'out_p50',
  'out_p90',
  'out_p99',
] as const;

export interface RateWindow {
  readonly client: number;
  readonly second: number;
  readonly rate: number;
  readonly weibull: boolean;
  readonly shape: number;
  readonly scale: number;
}

/** Median, 90th and 99th percentile. */
type Quantiles = readonly [p50: number, p90: number, p99: number];

interface Lengths {
  readonly input: Quantiles;
  readonly output: Quantiles;
}

export interface TokenWindow extends Lengths {
  readonly client: number;
  readonly second: number;
}

/** As published; files of another grain tell it by the distance of their rows. */
const usualWindow = 600;
const usualTokenWindow = 21_600;

const plainNumber = /^[\d.]+(e[+-]?\d+)?$/i;

const wrong = (line: number, field: string, message: string) =>
  ({ ok: false, problems: [{ field: `line ${line}: ${field}`, message }] }) as const;

/** What the first line of a CSV that is not blank calls its columns. */
export const columnNames = (text: string): readonly string[] => cellsOf(/^\uFEFF?\s*([^\r\n]*)/.exec(text)![1]!);

/** Rows further apart than a year are a unit that was mistaken. */
export const spanProblem = (first: number, second: number): FieldProblem | undefined =>
  1_000 * (second - first) <= longestTrace
    ? undefined
    : { field: 't_s', message: `is more than ${longestTrace / 86_400_000} days after the first line` };

/** Rows of a CSV with these very columns; each cell is judged by its column. Stops at the first problem. */
export function parseTable<Row>(
  text: string,
  columns: readonly string[],
  rowOf: (cells: Readonly<Record<string, number>>, words: Readonly<Record<string, string>>) => Row | FieldProblem,
  textColumns: readonly string[] = [],
): Result<Row[], FieldProblem> {
  const lines = linesOf(text);
  const header = lines.findIndex((line) => line.trim() !== '');
  if (header === -1) return wrong(1, 'the file', 'is empty');
  const names = columnNames(text);
  const unknown = names.find((name) => !columns.includes(name));
  if (unknown !== undefined) {
    return wrong(header + 1, `column "${clipped(unknown)}"`, `is unknown; there must be ${columns.join(', ')}`);
  }
  const missing = columns.find((name) => !names.includes(name));
  if (missing !== undefined) return wrong(header + 1, `column ${missing}`, 'is missing');
  if (names.length > columns.length) return wrong(header + 1, 'the header', 'names a column twice');
  const rows: Row[] = [];
  for (let index = header + 1; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line.trim() === '') continue;
    const cells = cellsOf(line);
    if (cells.length !== names.length) {
      return wrong(index + 1, 'the line', `has ${cells.length} cells, not ${names.length}`);
    }
    const numbers: Record<string, number> = {};
    const words: Record<string, string> = {};
    for (const [at, name] of names.entries()) {
      const cell = cells[at]!;
      if (textColumns.includes(name)) {
        words[name] = cell;
        continue;
      }
      const value = plainNumber.test(cell) ? Number(cell) : Number.NaN;
      if (!(value >= 0 && Number.isFinite(value))) {
        return wrong(index + 1, name, `must be a number of at least 0, not "${clipped(cell)}"`);
      }
      numbers[name] = value;
    }
    const row = rowOf(numbers, words);
    if (isProblem(row)) return wrong(index + 1, row.field, row.message);
    rows.push(row);
  }
  return rows.length === 0 ? wrong(lines.length, 'the file', 'holds no row') : { ok: true, value: rows };
}

const isProblem = (row: unknown): row is FieldProblem =>
  typeof row === 'object' && row !== null && 'field' in row && 'message' in row;

/** Says what is wrong with the time of a row where its client's rows are not in order. */
function createOrder(): (cells: Readonly<Record<string, number>>) => FieldProblem | undefined {
  const last = new Map<number, number>();
  let first: number | undefined;
  return (cells) => {
    const [client, second] = [cells['client']!, cells['t_s']!];
    first ??= second;
    const isLate = second > (last.get(client) ?? -1);
    last.set(client, second);
    return isLate
      ? spanProblem(first, second)
      : { field: 't_s', message: `is not after the line above of client ${client}: windows must be sorted by time` };
  };
}

export function parseRates(text: string): Result<RateWindow[], FieldProblem> {
  const orderOf = createOrder();
  return parseTable<RateWindow>(
    text,
    rateColumns,
    (cells, { dist }) => {
      const disorder = orderOf(cells);
      if (disorder !== undefined) return disorder;
      if (dist !== 'Gamma' && dist !== 'Weibull')
        return { field: 'dist', message: `must be Gamma or Weibull, not "${clipped(dist!)}"` };
      const [shape, scale] = [cells['p1']!, cells['p2']!];
      if (shape === 0 || scale === 0) return { field: shape === 0 ? 'p1' : 'p2', message: 'must be above 0' };
      return {
        client: cells['client']!,
        second: cells['t_s']!,
        rate: cells['rate_rps']!,
        weibull: dist === 'Weibull',
        shape,
        scale,
      };
    },
    ['dist'],
  );
}

export function parseTokens(text: string): Result<TokenWindow[], FieldProblem> {
  const orderOf = createOrder();
  return parseTable<TokenWindow>(
    text,
    tokenColumns,
    (cells) =>
      orderOf(cells) ?? {
        client: cells['client']!,
        second: cells['t_s']!,
        input: [cells['in_p50']!, cells['in_p90']!, cells['in_p99']!],
        output: [cells['out_p50']!, cells['out_p90']!, cells['out_p99']!],
      },
  );
}

/** A stretch of a rate trace: its windows, how long each is, and when it begins and ends, in seconds. */
export interface RateStretch {
  readonly windows: readonly RateWindow[];
  readonly windowSeconds: number;
  readonly from: number;
  readonly until: number;
}

/** The windows from a second on, for so long or to the file's end. */
export function stretchOf(rates: readonly RateWindow[], fromSecond: number, seconds: number): RateStretch {
  const windowSeconds = grainOf(rates, usualWindow);
  const from = Math.floor(fromSecond / windowSeconds) * windowSeconds;
  const end = rates.reduce((most, { second }) => Math.max(most, second), 0) + windowSeconds;
  const until = Math.min(from + seconds, end);
  return { windows: rates.filter(({ second }) => second >= from && second < until), windowSeconds, from, until };
}

/** Requests that a stretch has on average. */
export const expectedOf = ({ windows, windowSeconds }: RateStretch): number =>
  windows.reduce((sum, { rate }) => sum + rate * windowSeconds, 0);

/** The smallest distance between two rows of one client: windows without traffic are left out of a file. */
function grainOf(rows: readonly { readonly client: number; readonly second: number }[], usual: number): number {
  const last = new Map<number, number>();
  let least = Number.POSITIVE_INFINITY;
  for (const { client, second } of rows) {
    const before = last.get(client);
    if (before !== undefined) least = Math.min(least, second - before);
    last.set(client, second);
  }
  return least === Number.POSITIVE_INFINITY ? usual : least;
}

/** The lengths that hold for a client at a moment: those of its window, or everybody's where it has none. */
function lengthsOf(tokens: readonly TokenWindow[]): (client: number, second: number) => Lengths {
  const windowSeconds = grainOf(tokens, usualTokenWindow);
  const pooled = poolOf(tokens);
  const windowOf = (second: number) => Math.floor(second / windowSeconds);
  const known = new Map(tokens.map((window) => [`${window.client}/${windowOf(window.second)}`, window]));
  return (client, second) => known.get(`${client}/${windowOf(second)}`) ?? pooled;
}

/** Draws the requests of a stretch of a rate trace. */
export function generate(
  name: string,
  { windows, windowSeconds, from, until }: RateStretch,
  tokens: readonly TokenWindow[],
  { thin, speed, seed }: Pick<DrawOptions, 'thin' | 'speed' | 'seed'>,
): Workload {
  const random = createRandom(seed);
  const lengthsAt = lengthsOf(tokens);
  const draft = createDraft();
  for (const window of windows) {
    const expected = window.rate * thin * windowSeconds;
    // Thinned rates are often below one a window: chance decides about the rest of a request, or all would round up.
    const count = Math.floor(expected) + (random.uniform() < expected % 1 ? 1 : 0);
    if (count === 0) continue;
    const { input, output } = lengthsAt(window.client, window.second);
    const gaps = Float64Array.from({ length: count }, () =>
      window.weibull ? random.weibull(window.shape, window.scale) : random.gamma(window.shape, window.scale),
    );
    // Shapes far from any that was ever fitted draw gaps that no number holds: such a window is as even as can be.
    const sum = gaps.reduce((sum, gap) => sum + gap, 0);
    if (!(sum > 0 && sum < Number.POSITIVE_INFINITY)) gaps.fill(1);
    const total = gaps.reduce((sum, gap) => sum + gap, 0);
    const offset = random.uniform() * windowSeconds;
    let at = offset;
    for (const gap of gaps) {
      at += (gap * windowSeconds) / total;
      const inWindow = at >= windowSeconds ? at - windowSeconds : at;
      draft.add(((window.second - from + inWindow) * 1_000) / speed, draw(input, random), draw(output, random));
    }
  }
  return draft.workload(name, ((until - from) * 1_000) / speed);
}

/** A length with about these quantiles: log-normal between the median and the 90th percentile, steeper beyond it. */
function draw([p50, p90, p99]: Quantiles, random: Random): number {
  const z = random.normal();
  const middle = Math.log(Math.max(1, p50));
  const at90 = Math.max(middle, Math.log(Math.max(1, p90)));
  const at99 = Math.max(at90, Math.log(Math.max(1, p99)));
  const value =
    z <= 1.2816
      ? middle + (z * (at90 - middle)) / 1.2816
      : at90 + ((Math.min(z, 2.8) - 1.2816) * (at99 - at90)) / 1.0447;
  return Math.max(1, Math.round(Math.exp(value)));
}

/** Clients without a row of their own take the median of everybody's. */
function poolOf(tokens: readonly TokenWindow[]): Lengths {
  const middle = (of: (window: TokenWindow) => number): number => {
    const sorted = tokens.map(of).sort((left, right) => left - right);
    return sorted[Math.floor(sorted.length / 2)] ?? 200;
  };
  const all = (part: 'input' | 'output'): Quantiles => [
    middle((window) => window[part][0]),
    middle((window) => window[part][1]),
    middle((window) => window[part][2]),
  ];
  return { input: all('input'), output: all('output') };
}
