// The windows Knative's autoscaler looks at: averages over one-second buckets, a weighted form of them, and a sliding
// maximum.

interface Bucket {
  readonly index: number;
  readonly value: number;
}

export interface AverageWindow {
  record(seconds: number, value: number): void;
  average(seconds: number): number;
}

/** Buckets of `granularity` seconds; late values go to their own bucket while that is inside the window. */
function createBuckets(window: number, granularity: number) {
  const count = Math.max(1, Math.ceil(window / granularity));
  const values = new Map<number, number>();
  let first: number | undefined;
  let last: number | undefined;
  return {
    count,
    at: (seconds: number) => Math.floor(seconds / granularity),
    first: () => first,
    last: () => last,
    value: (index: number) => values.get(index) ?? 0,
    record(index: number, value: number) {
      if (last === undefined || first === undefined || index - last >= count) {
        values.clear();
        first = index;
        last = index;
      } else if (index <= last - count) {
        return;
      }
      first = Math.min(first, index);
      last = Math.max(last, index);
      values.set(index, (values.get(index) ?? 0) + value);
      for (const old of values.keys()) if (old <= last - count) values.delete(old);
    },
  };
}

/** Sum over the buckets from the first write on. What follows the last write does not count; gaps before it count as 0. */
export function createAverageWindow(window: number, granularity: number): AverageWindow {
  const buckets = createBuckets(window, granularity);
  return {
    record: (seconds, value) => buckets.record(buckets.at(seconds), value),
    average(seconds) {
      const [first, last] = [buckets.first(), buckets.last()];
      if (first === undefined || last === undefined) return 0;
      const silent = Math.max(0, buckets.at(seconds) - last);
      if (silent >= buckets.count) return 0;
      const valid = Math.min(last - first + 1, buckets.count - silent);
      let sum = 0;
      for (let index = last - (buckets.count - silent) + 1; index <= last; index += 1) sum += buckets.value(index);
      return Math.round((sum / valid) * 1e6) / 1e6;
    },
  };
}

/** Weight of the newest bucket, so that a window of so many buckets holds `precision` of all weight. */
export const smoothingCoefficient = (buckets: number, precision: number, minimum: number): number =>
  Math.max(minimum, 1 - (1 - precision) ** (1 / buckets));

const weightPrecision = 0.9999;
const smallestCoefficient = 0.2;

/** An exponential average: each bucket weighs less than the next newer one by a constant factor. */
export function createWeightedWindow(window: number, granularity: number): AverageWindow {
  const buckets = createBuckets(window, granularity);
  const coefficient = smoothingCoefficient(buckets.count, weightPrecision, smallestCoefficient);
  return {
    record: (seconds, value) => buckets.record(buckets.at(seconds), value),
    average(seconds) {
      const last = buckets.last();
      if (last === undefined) return 0;
      const now = Math.max(buckets.at(seconds), last);
      let sum = 0;
      for (let age = now - last; age < buckets.count; age += 1) {
        sum += buckets.value(now - age) * coefficient * (1 - coefficient) ** age;
      }
      return sum;
    },
  };
}

export interface SlidingMaximum {
  /** Enters a value and tells the highest of the last buckets. */
  record(index: number, value: number): number;
}

export function createSlidingMaximum(buckets: number): SlidingMaximum {
  // Highest first, each later than the one before: only those can still become the highest.
  let steps: Bucket[] = [];
  let latest = Number.NEGATIVE_INFINITY;
  return {
    record(index, value) {
      latest = Math.max(latest, index);
      const entries = [...steps, { index, value }].filter((entry) => entry.index > latest - buckets);
      entries.sort((left, right) => left.index - right.index);
      steps = entries.filter((entry, at) => entries.slice(at + 1).every((later) => later.value < entry.value));
      return steps[0]?.value ?? 0;
    },
  };
}

/** The same by time, in buckets of `granularity` seconds. */
export function createTimedMaximum(duration: number, granularity: number): SlidingMaximum {
  const maximum = createSlidingMaximum(Math.max(1, Math.ceil(duration / granularity)));
  return { record: (seconds, value) => maximum.record(Math.floor(seconds / granularity), value) };
}
