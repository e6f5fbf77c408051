// Percentiles over the last ten to fifteen seconds of all pods of a target. Sketches are added up as they arrive, into
// buckets that hold only the range of bins that latencies of this target touch: a dense sketch takes 20 kB, this a few
// hundred bytes, and twenty thousand policies must fit into one controller.
import { binCount, createSketch, type EncodedSketch } from '@kubeai/sketch';
import type { Instant } from '@kubeai/units';
import { limits } from './limits.ts';

/** The value that stands for each bin, asked once from the sketch that defines the bins. */
const representatives = ((): Float64Array => {
  const sketch = createSketch();
  const values = new Float64Array(binCount);
  for (let bin = 0; bin < binCount; bin += 1) {
    sketch.clear();
    sketch.merge({ sum: 0, bins: [bin, 1] });
    values[bin] = sketch.quantile(0.5)!;
  }
  return values;
})();

const grain = 32;

interface Bucket {
  /** Number of the span of time it counts; buckets are reused. */
  slot: number;
  offset: number;
  counts: Float32Array;
  /** The highest bin that holds something. */
  top: number;
  low: number;
  count: number;
  sum: number;
}

export interface LatencyWindow {
  add(sketch: EncodedSketch, now: Instant): void;
  /** The value below which a share `q` of the window's values lies; undefined without values. */
  quantile(q: number, now: Instant): number | undefined;
  mean(now: Instant): number | undefined;
}

export function createLatencyWindow(): LatencyWindow {
  const buckets: Bucket[] = Array.from({ length: limits.latencyBuckets }, () => ({
    slot: -1,
    offset: 0,
    counts: new Float32Array(0),
    top: -1,
    low: 0,
    count: 0,
    sum: 0,
  }));
  const slotOf = (now: Instant) => Math.floor(now / limits.latencyBucket);

  const bucketAt = (slot: number): Bucket => {
    const bucket = buckets[slot % buckets.length]!;
    if (bucket.slot === slot) return bucket;
    bucket.slot = slot;
    bucket.counts.fill(0);
    bucket.top = -1;
    bucket.low = 0;
    bucket.count = 0;
    bucket.sum = 0;
    return bucket;
  };

  const isLive = (bucket: Bucket, slot: number): boolean =>
    bucket.count > 0 && bucket.slot <= slot && bucket.slot > slot - buckets.length;

  return {
    add(sketch, now) {
      if (sketch.bins.length === 0 && sketch.low === undefined) return;
      const bucket = bucketAt(slotOf(now));
      const { bins, low = 0 } = sketch;
      let count = low;
      let bin = 0;
      for (let at = 0; at < bins.length; at += 2) {
        bin += bins[at]!;
        const times = bins[at + 1]!;
        if (bin < bucket.offset || bin >= bucket.offset + bucket.counts.length) widen(bucket, bin);
        bucket.counts[bin - bucket.offset]! += times;
        count += times;
        bin += 1;
      }
      bucket.top = Math.max(bucket.top, bin - 1);
      bucket.low += low;
      bucket.count += count;
      bucket.sum += sketch.sum;
    },
    quantile(q, now) {
      const slot = slotOf(now);
      let count = 0;
      let low = 0;
      let first = binCount;
      let bin = -1;
      for (const bucket of buckets) {
        if (!isLive(bucket, slot)) continue;
        count += bucket.count;
        low += bucket.low;
        first = Math.min(first, bucket.offset);
        bin = Math.max(bin, bucket.top);
      }
      if (count === 0) return undefined;
      const rank = Math.floor(q * (count - 1));
      if (rank < low) return 0;
      // From above: high percentiles are what is asked for, and few bins lie beyond them.
      let missing = count - rank;
      for (; bin > first; bin -= 1) {
        for (const bucket of buckets) {
          const at = bin - bucket.offset;
          if (isLive(bucket, slot) && at >= 0 && at < bucket.counts.length) missing -= bucket.counts[at]!;
        }
        if (missing <= 0) break;
      }
      return representatives[bin];
    },
    mean(now) {
      const slot = slotOf(now);
      let count = 0;
      let sum = 0;
      for (const bucket of buckets) {
        if (!isLive(bucket, slot)) continue;
        count += bucket.count;
        sum += bucket.sum;
      }
      return count === 0 ? undefined : sum / count;
    },
  };
}

/** Makes room for a bin, in steps that keep the copying rare. */
function widen(bucket: Bucket, bin: number): void {
  const { offset, counts } = bucket;
  const empty = counts.length === 0;
  const from = Math.floor(Math.min(empty ? bin : offset, bin) / grain) * grain;
  const to = Math.min(
    binCount,
    (Math.floor(Math.max(empty ? bin : offset + counts.length - 1, bin) / grain) + 1) * grain,
  );
  const wider = new Float32Array(to - from);
  if (!empty) wider.set(counts, offset - from);
  bucket.offset = from;
  bucket.counts = wider;
}
