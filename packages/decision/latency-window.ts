// Percentiles over the last ten to fifteen seconds of all pods of a target. Sketches are added up as they arrive, into
// buckets that hold only the range of bins that latencies of this target touch: a dense sketch takes 20 kB, this a few
// hundred bytes, and twenty thousand policies must fit into one controller. That is also why the buckets of a window lie in two
// lists and are no objects: what is kept of a policy is walked through whenever old garbage is collected (npm run bench:decide).
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
const bucketCount = limits.latencyBuckets;

// What is kept of a bucket beside its bins: the number of the span of time that it counts, its highest bin that holds something, how many
// values lie below all bins, how many there are in all, and their sum.
const perBucket = 5;
const [slotAt, topAt, lowAt, countAt, sumAt] = [0, 1, 2, 3, 4];

export interface LatencyWindow {
  add(sketch: EncodedSketch, now: Instant): void;
  /** The value below which a share `q` of the window's values lies; undefined without values. */
  quantile(q: number, now: Instant): number | undefined;
  mean(now: Instant): number | undefined;
}

export const createLatencyWindow = (): LatencyWindow => new Window();

const slotOf = (now: Instant) => Math.floor(now / limits.latencyBucket);

class Window implements LatencyWindow {
  /** The bins of all buckets, one bucket behind the other; the first of each is `#offset`. */
  #counts = noCounts;
  #offset = 0;
  #width = 0;
  readonly #buckets: number[] = Array.from({ length: perBucket * bucketCount }, () => Number.NaN);

  add({ bins, low = 0, sum }: EncodedSketch, now: Instant): void {
    if (bins.length === 0 && low === 0) return;
    const slot = slotOf(now);
    const bucket = slot % bucketCount;
    const buckets = this.#buckets;
    const at = perBucket * bucket;
    if (buckets[at + slotAt] !== slot) this.#begin(bucket, slot);
    let count = low;
    let bin = 0;
    for (let pair = 0; pair < bins.length; pair += 2) {
      bin += bins[pair]!;
      const times = bins[pair + 1]!;
      if (bin < this.#offset || bin >= this.#offset + this.#width) this.#widen(bin);
      this.#counts[bucket * this.#width + bin - this.#offset]! += times;
      count += times;
      bin += 1;
    }
    if (bin - 1 > buckets[at + topAt]!) buckets[at + topAt] = bin - 1;
    buckets[at + lowAt]! += low;
    buckets[at + countAt]! += count;
    buckets[at + sumAt]! += sum;
  }

  quantile(q: number, now: Instant): number | undefined {
    const slot = slotOf(now);
    const buckets = this.#buckets;
    let count = 0;
    let low = 0;
    let bin = -1;
    for (let at = 0; at < buckets.length; at += perBucket) {
      if (!this.#isLive(at, slot)) continue;
      count += buckets[at + countAt]!;
      low += buckets[at + lowAt]!;
      bin = Math.max(bin, buckets[at + topAt]!);
    }
    if (count === 0) return undefined;
    const rank = Math.floor(q * (count - 1));
    if (rank < low) return 0;
    // From above: high percentiles are what is asked for, and few bins lie beyond them.
    let missing = count - rank;
    for (; bin > this.#offset; bin -= 1) {
      for (let bucket = 0; bucket < bucketCount; bucket += 1) {
        if (this.#isLive(perBucket * bucket, slot)) missing -= this.#counts[bucket * this.#width + bin - this.#offset]!;
      }
      if (missing <= 0) break;
    }
    return representatives[bin];
  }

  mean(now: Instant): number | undefined {
    const slot = slotOf(now);
    const buckets = this.#buckets;
    let count = 0;
    let sum = 0;
    for (let at = 0; at < buckets.length; at += perBucket) {
      if (!this.#isLive(at, slot)) continue;
      count += buckets[at + countAt]!;
      sum += buckets[at + sumAt]!;
    }
    return count === 0 ? undefined : sum / count;
  }

  #isLive(at: number, slot: number): boolean {
    const own = this.#buckets[at + slotAt]!;
    return own <= slot && own > slot - bucketCount && this.#buckets[at + countAt]! > 0;
  }

  /** Buckets are used again. */
  #begin(bucket: number, slot: number): void {
    const at = perBucket * bucket;
    this.#buckets.fill(0, at, at + perBucket);
    this.#buckets[at + slotAt] = slot;
    this.#buckets[at + topAt] = -1;
    this.#counts.fill(0, bucket * this.#width, (bucket + 1) * this.#width);
  }

  /** Makes room for a bin, in steps that keep the copying rare. */
  #widen(bin: number): void {
    const before = this.#counts;
    const width = this.#width;
    const empty = width === 0;
    const from = Math.floor(Math.min(empty ? bin : this.#offset, bin) / grain) * grain;
    const to = Math.min(
      binCount,
      (Math.floor(Math.max(empty ? bin : this.#offset + width - 1, bin) / grain) + 1) * grain,
    );
    this.#width = to - from;
    this.#counts = new Float32Array(bucketCount * this.#width);
    for (let bucket = 0; bucket < bucketCount && !empty; bucket += 1) {
      const own = before.subarray(bucket * width, (bucket + 1) * width);
      this.#counts.set(own, bucket * this.#width + this.#offset - from);
    }
    this.#offset = from;
  }
}

const noCounts = new Float32Array(0);
