// Arrivals from rates: ServeGen publishes, per client and ten minutes, how many requests a second came and how their gaps
// were spread. Its generator draws that many gaps and scales them to the window, so that the rate holds and the
// burstiness is the client's own; so do we. Token lengths are drawn by their published quantiles.
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

export interface TokenWindow {
  readonly client: number;
  readonly second: number;
  readonly input: Quantiles;
  readonly output: Quantiles;
}

const windowSeconds = 600;
const tokenWindowSeconds = 21_600;

const wrong = (line: number, field: string, message: string) =>
  ({ ok: false, problems: [{ field: `line ${line}: ${field}`, message }] }) as const;

/** What the first line of a CSV calls its columns. */
export const columnNames = (text: string): readonly string[] =>
  text
    .split(/\r?\n/, 1)[0]!
    .replace(/^\uFEFF/, '')
    .split(',')
    .map((name) => name.trim());

/** Rows of a CSV with these very columns; each cell is judged by its column. Stops at the first problem. */
export function parseTable<Row>(
  text: string,
  columns: readonly string[],
  rowOf: (cells: Readonly<Record<string, number>>, words: Readonly<Record<string, string>>) => Row | FieldProblem,
  textColumns: readonly string[] = [],
): Result<Row[], FieldProblem> {
  const lines = text.split(/\r?\n/);
  const names = columnNames(text);
  const unknown = names.find((name) => !columns.includes(name));
  if (unknown !== undefined) return wrong(1, `column "${unknown}"`, `is unknown; there must be ${columns.join(', ')}`);
  const missing = columns.find((name) => !names.includes(name));
  if (missing !== undefined) return wrong(1, `column ${missing}`, 'is missing');
  if (names.length > columns.length) return wrong(1, 'the header', 'names a column twice');
  const rows: Row[] = [];
  for (let index = 1; index < lines.length; index += 1) {
    const line = lines[index]!;
    if (line.trim() === '') continue;
    const cells = line.split(',');
    if (cells.length !== names.length) {
      return wrong(index + 1, 'the line', `has ${cells.length} cells, not ${names.length}`);
    }
    const numbers: Record<string, number> = {};
    const words: Record<string, string> = {};
    for (const [at, name] of names.entries()) {
      const cell = cells[at]!.trim();
      if (textColumns.includes(name)) {
        words[name] = cell;
        continue;
      }
      const value = cell === '' ? Number.NaN : Number(cell);
      if (!(value >= 0 && Number.isFinite(value))) {
        return wrong(index + 1, name, `must be a number of at least 0, not "${cell}"`);
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
  return (cells) => {
    const [client, second] = [cells['client']!, cells['t_s']!];
    const isLate = second > (last.get(client) ?? -1);
    last.set(client, second);
    return isLate
      ? undefined
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
        return { field: 'dist', message: `must be Gamma or Weibull, not "${dist}"` };
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

/** Draws the requests of a stretch of a rate trace. */
export function generate(
  name: string,
  rates: readonly RateWindow[],
  tokens: readonly TokenWindow[],
  { fromSecond, seconds, thin, speed, seed }: DrawOptions & { readonly seconds: number },
): Workload {
  const random = createRandom(seed);
  const lengths = new Map(tokens.map((window) => [`${window.client}/${window.second}`, window]));
  const pooled = poolOf(tokens);
  const draft = createDraft();
  const first = Math.floor(fromSecond / windowSeconds) * windowSeconds;
  for (const window of rates) {
    if (window.second < first || window.second >= first + seconds) continue;
    const expected = window.rate * thin * windowSeconds;
    // Thinned rates are often below one a window: chance decides about the rest of a request, or all would round up.
    const count = Math.floor(expected) + (random.uniform() < expected % 1 ? 1 : 0);
    if (count === 0) continue;
    const { input, output } =
      lengths.get(`${window.client}/${Math.floor(window.second / tokenWindowSeconds) * tokenWindowSeconds}`) ?? pooled;
    const gaps = Float64Array.from({ length: count }, () =>
      window.weibull ? random.weibull(window.shape, window.scale) : random.gamma(window.shape, window.scale),
    );
    const total = gaps.reduce((sum, gap) => sum + gap, 0);
    const offset = random.uniform() * windowSeconds;
    let at = offset;
    for (const gap of gaps) {
      at += (gap * windowSeconds) / total;
      const inWindow = at >= windowSeconds ? at - windowSeconds : at;
      draft.add(((window.second - first + inWindow) * 1_000) / speed, draw(input, random), draw(output, random));
    }
  }
  return draft.workload(name, (seconds * 1_000) / speed);
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
function poolOf(tokens: readonly TokenWindow[]): { readonly input: Quantiles; readonly output: Quantiles } {
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
