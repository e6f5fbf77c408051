// What a replay showed, in numbers: exact percentiles over requests, and over gaps by a sketch (1 %), because there are
// as many gaps as tokens.
import type { Sketch } from '@kubeai/sketch';
import type { Milliseconds } from '@kubeai/units';
import { type Failure, failures, type RequestRecord } from './play-request.ts';

export interface Spread {
  readonly p50: number;
  readonly p90: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Times in milliseconds; a spread is absent when there was nothing to measure. */
export interface LoadReport {
  /** Requests that were due; all others add up to it. */
  readonly requests: number;
  readonly succeeded: number;
  readonly stopped: number;
  readonly failed: Readonly<Record<Failure, number>>;
  /** From the start to the last answer. */
  readonly durationMs: Milliseconds;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  /** Over every request that got that far, failed ones included. */
  readonly timeToFirstTokenMs: Spread | undefined;
  /** Over the requests that succeeded. */
  readonly latencyMs: Spread | undefined;
  readonly interTokenMs: Spread | undefined;
  /** How much later than due the client sent; large values say the client was too slow, not the server. */
  readonly lateMs: Spread | undefined;
  /** Every request, in the order in which it was due. */
  readonly records: readonly RequestRecord[];
}

export function reportOf(records: readonly RequestRecord[], gaps: Sketch, durationMs: Milliseconds): LoadReport {
  const ordered = records.toSorted((a, b) => a.row - b.row);
  const succeeded = ordered.filter(({ outcome }) => outcome === 'ok');
  const count = (outcome: RequestRecord['outcome']) => ordered.filter((record) => record.outcome === outcome).length;
  const sum = (of: (record: RequestRecord) => number) => ordered.reduce((total, record) => total + of(record), 0);
  const kinds = Object.keys(failures) as Failure[];
  return {
    requests: ordered.length,
    succeeded: succeeded.length,
    stopped: count('stopped'),
    failed: Object.fromEntries(kinds.map((kind) => [kind, count(kind)])) as Record<Failure, number>,
    durationMs,
    promptTokens: sum(({ promptTokens }) => promptTokens),
    generatedTokens: sum(({ generatedTokens }) => generatedTokens),
    timeToFirstTokenMs: spreadOf(
      ordered.flatMap(({ timeToFirstTokenMs }) => (timeToFirstTokenMs === undefined ? [] : [timeToFirstTokenMs])),
    ),
    latencyMs: spreadOf(succeeded.map(({ latencyMs }) => latencyMs)),
    interTokenMs: gaps.count === 0 ? undefined : spreadBy((q) => gaps.quantile(q)!),
    lateMs: spreadOf(ordered.map(({ lateMs }) => lateMs)),
    records: ordered,
  };
}

/** What users were promised. What is left out does not matter. */
export interface Promised {
  readonly timeToFirstTokenMs?: number;
  readonly longestGapMs?: number;
  readonly latencyMs?: number;
}

/**
 * The share (0 to 1) of requests that succeeded and kept the promise. Failed requests count as misses, stopped ones do
 * not count; undefined when there is nothing to judge.
 */
export function shareWithin(records: readonly RequestRecord[], promised: Promised): number | undefined {
  const judged = records.filter(({ outcome }) => outcome !== 'stopped');
  if (judged.length === 0) return undefined;
  const within = (value: number | undefined, target: number | undefined) =>
    target === undefined || value === undefined || value <= target;
  const kept = judged.filter(
    (record) =>
      record.outcome === 'ok' &&
      within(record.timeToFirstTokenMs, promised.timeToFirstTokenMs) &&
      within(record.longestGapMs, promised.longestGapMs) &&
      within(record.latencyMs, promised.latencyMs),
  );
  return kept.length / judged.length;
}

function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  const sorted = Float64Array.from(values).sort();
  return spreadBy((q) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!);
}

const spreadBy = (quantile: (q: number) => number): Spread => ({
  p50: quantile(0.5),
  p90: quantile(0.9),
  p95: quantile(0.95),
  p99: quantile(0.99),
  max: quantile(1),
});
