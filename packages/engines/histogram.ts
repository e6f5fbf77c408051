// Histograms as engines publish them: cumulative counts by upper bound. An idle server has empty ones, broken ones lack
// the last bucket, and what lies in the last bucket has a lower bound and nothing more.
import type { Sample } from './exposition.ts';

export interface Histogram {
  readonly count: number;
  /** In the unit that the field holding the histogram names; undefined where the page has none. */
  readonly sum: number | undefined;
  /** Cumulative, ascending by upper bound; the bucket without bound is left out, since it equals `count`. */
  readonly buckets: readonly { readonly atMost: number; readonly count: number }[];
}

interface Parts {
  readonly counts: readonly Sample[];
  readonly sums: readonly Sample[];
  readonly buckets: readonly Sample[];
}

const isCount = (value: number): boolean => value >= 0 && value < Number.POSITIVE_INFINITY;

/** All series of one histogram added up; undefined when it has neither count nor buckets. */
export function histogramOf({ counts, sums, buckets }: Parts, scale = 1): Histogram | undefined {
  const byBound = new Map<number, { count: number; series: number }>();
  for (const { labels, value } of buckets) {
    const bound = Number(labels['le'] === '+Inf' ? Number.POSITIVE_INFINITY : labels['le']);
    if (Number.isNaN(bound) || !isCount(value)) continue;
    const entry = byBound.get(bound) ?? { count: 0, series: 0 };
    byBound.set(bound, { count: entry.count + value, series: entry.series + 1 });
  }
  const endless = byBound.get(Number.POSITIVE_INFINITY)?.count;
  const known = counts.filter(({ value }) => isCount(value));
  const count = known.length > 0 ? total(known) : endless;
  if (count === undefined) return undefined;
  // Series of different layouts share only some bounds; a bound that one of them lacks says nothing about the whole.
  let series = 0;
  for (const entry of byBound.values()) series = Math.max(series, entry.series);
  const shared = [...byBound]
    .filter(([bound, entry]) => Number.isFinite(bound) && entry.series === series)
    .sort(([left], [right]) => left - right)
    .map(([bound, entry]) => ({ atMost: bound * scale, count: entry.count }));
  const told = sums.filter(({ value }) => Number.isFinite(value));
  return { count, sum: told.length > 0 ? total(told) * scale : undefined, buckets: shared };
}

const total = (samples: readonly Sample[]): number => samples.reduce((sum, { value }) => sum + value, 0);

/** What was observed after `earlier` was read; undefined when the server restarted or the layout changed. */
export function histogramSince(earlier: Histogram, later: Histogram): Histogram | undefined {
  if (later.count < earlier.count || later.buckets.length !== earlier.buckets.length) return undefined;
  const buckets: { atMost: number; count: number }[] = [];
  for (const [index, bucket] of later.buckets.entries()) {
    const before = earlier.buckets[index]!;
    if (before.atMost !== bucket.atMost || before.count > bucket.count) return undefined;
    buckets.push({ atMost: bucket.atMost, count: bucket.count - before.count });
  }
  const sum = later.sum === undefined || earlier.sum === undefined ? undefined : later.sum - earlier.sum;
  return { count: later.count - earlier.count, sum, buckets };
}

/** A quantile; `atLeast` marks one in the last bucket, of which only the lower bound is known. */
export interface Quantile {
  readonly value: number;
  readonly atLeast: boolean;
}

/**
 * The quantile `q` (0..1), interpolated within its bucket as Prometheus does. Undefined when nothing was observed: a
 * percentile over no observation does not exist, and is not 0.
 */
export function quantileOf(histogram: Histogram, q: number): Quantile | undefined {
  if (histogram.count === 0 || histogram.buckets.length === 0) return undefined;
  const rank = q * histogram.count;
  let below = 0;
  let lower = 0;
  for (const { atMost, count } of histogram.buckets) {
    if (count >= rank && count > below) {
      const share = (rank - below) / (count - below);
      return { value: atMost <= 0 ? atMost : lower + (atMost - lower) * Math.max(0, share), atLeast: false };
    }
    below = count;
    lower = atMost;
  }
  return { value: lower, atLeast: true };
}
