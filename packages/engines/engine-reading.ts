// Reads an engine's `/metrics` page into one schema, whatever the engine calls its series. It finds out by itself which
// engine wrote the page; a page of an engine that we do not know is not an error, the agent falls back to what it sees.
//
// How series fold into one number: one page can hold several models, data-parallel engines and ranks. Requests and
// tokens are summed over models and engines. Tensor- and pipeline-parallel ranks repeat the same requests, so of those
// only rank 0 counts. KV use is the highest of all series: the fullest engine is the one that starts to preempt.
// Negative gauges, NaN and infinity mean "not known" and are left out; what no series knows is absent, never 0.
import {
  bareEngines,
  bareNames,
  type EngineEntry,
  type EngineName,
  type EngineRows,
  engineTable,
  hosts,
  type Row,
} from './engine-table.ts';
import { type Exposition, type PageOptions, parseExposition, type Sample } from './exposition.ts';
import { type Histogram, histogramOf } from './histogram.ts';
import { limits } from './limits.ts';

export interface EngineReading {
  readonly engine: EngineName;
  /** Models that the page names, in order of appearance. */
  readonly models: readonly string[];
  /** Requests that wait inside the engine, without the swapped ones; see `queueLengthOf`. */
  readonly waiting?: number;
  readonly running?: number;
  /** Requests that were preempted out of GPU memory and wait to come back (vLLM v0). */
  readonly swapped?: number;
  /** How many requests the engine runs at once at most. */
  readonly maxRunning?: number;
  /** Share of KV cache in use, 0..1; of several engines or ranks the fullest. */
  readonly kvCacheRatio?: number;
  /** Cumulative since the engine started, like the next three. */
  readonly promptTokens?: number;
  readonly generatedTokens?: number;
  readonly requestsSucceeded?: number;
  readonly requestsFailed?: number;
  /** All in seconds, cumulative since the engine started. */
  readonly timeToFirstToken?: Histogram;
  readonly interTokenLatency?: Histogram;
  readonly timePerOutputToken?: Histogram;
  readonly requestLatency?: Histogram;
  readonly queueTime?: Histogram;
  /** What only this engine says; the unit is in the name. */
  readonly more: Readonly<Record<string, number>>;
  readonly moreHistograms: Readonly<Record<string, Histogram>>;
  readonly problems: readonly string[];
}

/** Why a page gave no reading. */
export const engineMisses = {
  NotMetrics: 'the answer is no metrics page',
  UnknownEngine: 'no series of a known engine stands on the page',
} as const;
export type EngineMiss = keyof typeof engineMisses;

export type EngineAnswer =
  | { readonly ok: true; readonly value: EngineReading }
  | { readonly ok: false; readonly reason: EngineMiss; readonly problems: readonly string[] };

/** Reads a page, or one that was parsed already. Never throws. A brief reading of a page has no buckets. */
export function readEngine(page: string | Exposition, options: PageOptions = {}): EngineAnswer {
  const { samples, families, problems } = typeof page === 'string' ? parseExposition(page, options) : page;
  const series = new Map<string, readonly Sample[]>();
  for (const [name, found] of samples) series.set(nameOf(name, found), withoutRepeats(found));
  if (series.size === 0 && families.size === 0) return { ok: false, reason: 'NotMetrics', problems };
  const engine = engineOf([...series.keys(), ...[...families.keys()].map(canonical)]);
  if (engine === undefined) return { ok: false, reason: 'UnknownEngine', problems };

  const rows: EngineEntry = engineTable[engine];
  const { kvCacheRatio, ...others } = known(rows, series);
  const isRatio = kvCacheRatio !== undefined && kvCacheRatio <= limits.fullShare;
  const value = {
    engine,
    models: modelsOf(series),
    ...others,
    ...(isRatio ? { kvCacheRatio } : {}),
    more: each(rows.more, (row) => numberOf(row, series)),
    moreHistograms: each(rows.moreHistograms, (row) => histogram(row, series)),
    problems:
      isRatio || kvCacheRatio === undefined ? problems : [...problems, `${kvCacheRatio} is no share of a cache`],
  };
  return { ok: true, value };
}

/** Requests that wait for the engine: those in its queue and those it had to put back. */
export const queueLengthOf = (reading: EngineReading): number | undefined =>
  reading.waiting === undefined ? undefined : reading.waiting + (reading.swapped ?? 0);

type Series = ReadonlyMap<string, readonly Sample[]>;

/** TensorRT-LLM's PyTorch server wrote `py` before its names for a while. */
const canonical = (name: string): string => name.replaceAll(':', '_').replace(/^ray_|^py(?=trtllm_)/, '');

/** Until version 1.2 trtllm-serve wrote vLLM's names without any prefix, beside a label of its own. */
function nameOf(name: string, samples: readonly Sample[]): string {
  const isBare = /^(?:e2e_request|num_requests|request|time)_/.test(name);
  return isBare && samples[0]?.labels['engine_type'] !== undefined ? `trtllm_${name}` : canonical(name);
}

const rankLabels = ['tp_rank', 'pp_rank', 'moe_ep_rank'];

/** Without the series that repeat what others say: higher ranks, and priorities beside the sum of all (`""`). */
function withoutRepeats(samples: readonly Sample[]): readonly Sample[] {
  if (samples.length < 2) return samples;
  const kept = samples.some(({ labels }) => rankOf(labels) > 0) ? firstRanks(samples) : samples;
  const sums = kept.filter(({ labels }) => labels['priority'] === '');
  return sums.length > 0 ? sums : kept;
}

const rankOf = (labels: Sample['labels']): number =>
  rankLabels.reduce((sum, label) => sum + Number(labels[label] ?? 0), 0);

/** Of each group of ranks the first. Under data parallel attention the ranks count on from one group to the next. */
function firstRanks(samples: readonly Sample[]): readonly Sample[] {
  const first = new Map<string, Sample>();
  for (const sample of samples) {
    const others = Object.entries(sample.labels).filter(([label]) => !rankLabels.includes(label));
    const group = JSON.stringify(others.sort());
    const before = first.get(group);
    if (before === undefined || rankOf(sample.labels) < rankOf(before.labels)) first.set(group, sample);
  }
  return [...first.values()];
}

/** The first engine of which more than one stray series stands on the page, else the first of which any does. */
function engineOf(names: readonly string[]): EngineName | undefined {
  const seen = (marks: readonly string[]) =>
    names.filter((name) => marks.some((mark) => name === mark || (mark.endsWith('_') && name.startsWith(mark)))).length;
  const isBare = () => bareNames.filter((name) => names.includes(name)).length >= 2;
  let stray: EngineName | undefined;
  for (const [engine, { seenBy }] of Object.entries(engineTable)) {
    const count = seen(seenBy);
    const hasBareNames = bareEngines.includes(engine);
    if (count === 0 || (hasBareNames && !isBare())) continue;
    if (hasBareNames || (count > 1 && !(stray !== undefined && hosts.includes(engine)))) return engine as EngineName;
    stray ??= engine as EngineName;
  }
  return stray;
}

function modelsOf(series: Series): string[] {
  const models = new Set<string>();
  for (const [name, samples] of series)
    for (const { labels } of samples) {
      // SGLang's first pages, of 2024, said `name`.
      const model =
        labels['model_name'] ?? labels['model'] ?? (name.startsWith('sglang_') ? labels['name'] : undefined);
      if (model !== undefined && model !== '') models.add(model);
    }
  return [...models];
}

/** The samples of the first name of a row that any known value stands under. */
function samplesOf({ series: names, labels }: Row, series: Series): readonly Sample[] {
  for (const name of names) {
    const found = series.get(name)?.filter((sample) => {
      if (!(sample.value >= 0) || sample.value === Number.POSITIVE_INFINITY) return false;
      return labels === undefined || Object.entries(labels).every(([label, value]) => sample.labels[label] === value);
    });
    if (found !== undefined && found.length > 0) return found;
  }
  return [];
}

function numberOf(row: Row | undefined, series: Series): number | undefined {
  if (row === undefined) return undefined;
  const values = samplesOf(row, series).map(({ value }) => value);
  if (values.length === 0) return numberOf(row.or, series);
  const folded = row.fold === 'max' ? values.reduce((a, b) => Math.max(a, b)) : values.reduce((a, b) => a + b);
  const sum = folded * (row.scale ?? 1) + (numberOf(row.plus, series) ?? 0);
  return Number.isFinite(sum) ? sum : undefined;
}

function histogram(row: Row | undefined, series: Series): Histogram | undefined {
  for (const name of row?.series ?? []) {
    const part = (suffix: string) => series.get(`${name}_${suffix}`) ?? [];
    const found = histogramOf({ counts: part('count'), sums: part('sum'), buckets: part('bucket') }, row?.scale);
    if (found !== undefined) return found;
  }
  return undefined;
}

function known(rows: EngineRows, series: Series) {
  const number = (row: Row | undefined) => numberOf(row, series);
  const used = number(rows.kvCacheParts?.used);
  const of = number(rows.kvCacheParts?.of);
  const ratio = used !== undefined && of !== undefined && of > 0 ? used / of : undefined;
  return defined({
    waiting: number(rows.waiting),
    running: number(rows.running),
    swapped: number(rows.swapped),
    maxRunning: number(rows.maxRunning),
    kvCacheRatio: number(rows.kvCacheRatio) ?? ratio,
    promptTokens: number(rows.promptTokens),
    generatedTokens: number(rows.generatedTokens),
    requestsSucceeded: number(rows.requestsSucceeded),
    requestsFailed: number(rows.requestsFailed),
    timeToFirstToken: histogram(rows.timeToFirstToken, series),
    interTokenLatency: histogram(rows.interTokenLatency, series),
    timePerOutputToken: histogram(rows.timePerOutputToken, series),
    requestLatency: histogram(rows.requestLatency, series),
    queueTime: histogram(rows.queueTime, series),
  });
}

function each<Value>(
  rows: Readonly<Record<string, Row>> | undefined,
  read: (row: Row) => Value | undefined,
): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, row] of Object.entries(rows ?? {})) {
    const value = read(row);
    if (value !== undefined) values[name] = value;
  }
  return values;
}

type Defined<Fields> = { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> };

/** Absent rather than undefined: a reading goes into reports, where the two must not differ. */
export function defined<Fields extends object>(fields: Fields): Defined<Fields> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<Fields>;
}
