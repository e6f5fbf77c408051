// Remembers how values are spread in a fixed amount of memory, so that percentiles of many pods can be taken over all
// their requests: percentiles do not average, these counts add. The bins are log-linear: each power of two is cut into
// 64 equal parts, and a bin's number is simply the upper bits of the float, so recording is a shift and an addition.
//
// Accuracy: a quantile is within 1 % of the exact order statistic for values from 2^-10 to 2^30 (in milliseconds: from
// one microsecond to twelve days). Smaller values count as 0, larger ones as 2^30. NaN, infinities and negative numbers
// are no measurements (a clock that jumped) and are not recorded.
import assert from 'node:assert';

const mantissaBits = 6;
const binsPerOctave = 1 << mantissaBits;
const lowestExponent = -10;
const highestExponent = 30;

/** How many bins a sketch has; an encoded one never names a higher bin. */
export const binCount = (highestExponent - lowestExponent) * binsPerOctave;

/** Bins are looked through in groups of sixteen. */
const groupBits = 4;

const lowest = 2 ** lowestExponent;
const highest = 2 ** highestExponent;
const firstBin = (lowestExponent + 1023) << mantissaBits;

// One float seen as two words; the upper word holds exponent and mantissa's first 20 bits.
const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);
float[0] = 1;
const upper = words[1] === 0 ? 0 : 1;

function binOf(value: number): number {
  float[0] = value;
  return (words[upper]! >>> (20 - mantissaBits)) - firstBin;
}

const lowerEdge = (bin: number): number =>
  2 ** (lowestExponent + Math.floor(bin / binsPerOctave)) * (1 + (bin % binsPerOctave) / binsPerOctave);

/** The value whose relative distance to both edges of the bin is the same. */
function representative(bin: number): number {
  const low = lowerEdge(bin);
  const high = lowerEdge(bin + 1);
  return (2 * low * high) / (low + high);
}

/** What travels: counts of the bins that hold something, as small JSON. */
export interface EncodedSketch {
  /** Sum of all values, exact. */
  readonly sum: number;
  /** How many values were below 2^-10; absent when none was. */
  readonly low?: number;
  /** Pairs: how many empty bins to skip, then the count of the bin that follows. */
  readonly bins: readonly number[];
}

export interface Sketch {
  /** Adds a value, `times` times. What is no measurement (NaN, infinite, negative) is left out. */
  record(value: number, times?: number): void;
  /** Adds everything another sketch has seen. */
  merge(other: Sketch | EncodedSketch): void;
  /** The value below which a share `q` (0 to 1) of all values lies, within 1 %; undefined when nothing was recorded. */
  quantile(q: number): number | undefined;
  /** How many values were at most `value`, to the accuracy of a bin: what a Prometheus bucket asks. */
  countAtMost(value: number): number;
  readonly count: number;
  readonly sum: number;
  encode(): EncodedSketch;
  clear(): void;
}

/** An empty sketch: 20 kB that never grow. */
export function createSketch(): Sketch {
  const bins = new Float64Array(binCount);
  let low = 0;
  let count = 0;
  let sum = 0;
  // The touched range, and which of its groups hold something: encoding a second's worth of latencies, a few values that lie
  // magnitudes apart, visits some dozen bins, not all.
  let first = binCount;
  let last = -1;
  const groups = new Uint8Array(binCount >> groupBits);

  const addToBin = (bin: number, times: number): void => {
    bins[bin]! += times;
    groups[bin >> groupBits] = 1;
    if (bin < first) first = bin;
    if (bin > last) last = bin;
  };

  const mergeEncoded = (other: EncodedSketch): void => {
    let bin = 0;
    for (let at = 0; at < other.bins.length; at += 2) {
      bin += other.bins[at]!;
      const times = other.bins[at + 1]!;
      addToBin(bin, times);
      count += times;
      bin += 1;
    }
    low += other.low ?? 0;
    count += other.low ?? 0;
    sum += other.sum;
  };

  return {
    record(value, times = 1) {
      if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) return;
      count += times;
      sum += value * times;
      if (value < lowest) low += times;
      else addToBin(value < highest ? binOf(value) : binCount - 1, times);
    },

    merge: (other) => mergeEncoded('encode' in other ? other.encode() : other),

    quantile(q) {
      assert(q >= 0 && q <= 1, `a quantile lies between 0 and 1, not at ${q}`);
      if (count === 0) return undefined;
      // The same rank as DDSketch: the order statistic at floor(q × (n - 1)), counted from zero.
      const rank = Math.floor(q * (count - 1));
      if (rank < low) return 0;
      let seen = low;
      for (let bin = first; bin < last; bin += 1) {
        seen += bins[bin]!;
        if (seen > rank) return representative(bin);
      }
      return representative(last);
    },

    countAtMost(value) {
      if (!(value >= 0)) return 0;
      if (value >= highest) return count;
      if (value < lowest) return low;
      const end = Math.min(binOf(value), last + 1);
      let seen = low;
      for (let group = first >> groupBits; group << groupBits < end; group += 1) {
        if (groups[group] === 0) continue;
        const stop = Math.min(end, (group + 1) << groupBits);
        for (let bin = group << groupBits; bin < stop; bin += 1) seen += bins[bin]!;
      }
      return seen;
    },

    get count() {
      return count;
    },
    get sum() {
      return sum;
    },

    encode() {
      const encoded: number[] = [];
      let next = 0;
      for (let group = first >> groupBits; group <= last >> groupBits; group += 1) {
        if (groups[group] === 0) continue;
        const end = (group + 1) << groupBits;
        for (let bin = group << groupBits; bin < end; bin += 1) {
          if (bins[bin] === 0) continue;
          encoded.push(bin - next, bins[bin]!);
          next = bin + 1;
        }
      }
      return low === 0 ? { sum, bins: encoded } : { sum, low, bins: encoded };
    },

    clear() {
      if (last >= 0) {
        bins.fill(0, first, last + 1);
        groups.fill(0, first >> groupBits, (last >> groupBits) + 1);
      }
      low = 0;
      count = 0;
      sum = 0;
      first = binCount;
      last = -1;
    },
  };
}

/** A sketch holding what `encoded` says. The input must have passed `problemOfEncoded`. */
export function decodeSketch(encoded: EncodedSketch): Sketch {
  const sketch = createSketch();
  sketch.merge(encoded);
  return sketch;
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Says what is wrong with a sketch that came from outside, or undefined when it may be merged. */
export function problemOfEncoded(input: unknown): string | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return 'must be an encoded sketch';
  const { sum, low, bins } = input as Record<string, unknown>;
  if (typeof sum !== 'number' || !Number.isFinite(sum) || sum < 0) return 'has a sum that is no positive number';
  if (low !== undefined && !isCount(low)) return 'has a count below the range that is no whole number';
  if (!Array.isArray(bins)) return 'has no list of bins';
  if (bins.length % 2 !== 0) return 'has a bin without a count';
  if (bins.length > 2 * binCount) return `has more than ${binCount} bins`;
  let bin = 0;
  for (let at = 0; at < bins.length; at += 2) {
    const count: unknown = bins[at + 1];
    if (!isCount(bins[at]) || !isCount(count) || count === 0) return 'has a bin that is no positive whole number';
    bin += bins[at] + 1;
    if (bin > binCount) return `names a bin beyond ${binCount}`;
  }
  return undefined;
}
