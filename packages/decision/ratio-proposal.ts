// From one metric to a size, by the rules of HPA v2. Pods that say nothing argue against whatever the others ask for:
// they count as full when that would shrink the target, and as empty when it would grow it. Quantities are whole
// milli-units in BigInt, because HPA truncates before it divides and its sums reach 2^63.

export interface Tolerance {
  /** Shares of the target: 0.1 leaves a ratio of up to 1.1 alone. */
  readonly up: number;
  readonly down: number;
}

/** Both edges are in the band; written so that 1.1 is within 0.1. */
export const inBand = (ratio: number, tolerance: Tolerance): boolean =>
  1 - tolerance.down <= ratio && ratio <= 1 + tolerance.up;

/** What some pods use together. `count` of them have a request, `entries` are in the set at all. */
export interface PodUsage {
  readonly usage: bigint;
  readonly request: bigint;
  readonly count: number;
  readonly entries: number;
}

export const noUsage: PodUsage = { usage: 0n, request: 0n, count: 0, entries: 0 };

const together = (...parts: readonly PodUsage[]): PodUsage =>
  parts.reduce((sum, part) => ({
    usage: sum.usage + part.usage,
    request: sum.request + part.request,
    count: sum.count + part.count,
    entries: sum.entries + part.entries,
  }));

/** The ratio of a usage to its target. */
export type RatioOf = (pods: PodUsage) => number;

/** Whole percent of what was requested; undefined when nothing was. */
export const utilizationPercent = ({ usage, request }: PodUsage): bigint | undefined =>
  request === 0n ? undefined : (100n * usage) / request;

export const utilizationRatio =
  (targetPercent: bigint): RatioOf =>
  (pods) =>
    Number(utilizationPercent(pods) ?? 0n) / Number(targetPercent);

export const averageUsage = ({ usage, count }: PodUsage): bigint => (count === 0 ? 0n : usage / BigInt(count));

export const averageRatio =
  (target: bigint): RatioOf =>
  (pods) =>
    Number(averageUsage(pods)) / Number(target);

export interface PodsOfMetric {
  /** Pods whose metric counts. */
  readonly measured: PodUsage;
  /** Pods that ought to have a metric, filled in as fully used; counted as empty when growing. */
  readonly missing: PodUsage;
  /** Pods that do not serve yet; only their request and number matter. */
  readonly unready: PodUsage;
  /** Of the target's pods, those that are ready: what a ratio multiplies. */
  readonly readyCount: number;
}

const maxInt32 = 2_147_483_647;
const bounded = (size: number): number => Math.min(size, maxInt32);

const emptied = (pods: PodUsage): PodUsage => ({ ...pods, usage: 0n });

/** The size by which the ratio would come to 1; `current` while it is in the band or the silent pods could turn it. */
export function proposeByRatio(current: number, pods: PodsOfMetric, ratioOf: RatioOf, tolerance: Tolerance): number {
  const { measured, missing, unready, readyCount } = pods;
  const ratio = ratioOf(measured);
  const addUnready = unready.entries > 0 && ratio > 1;
  if (missing.entries === 0 && !addUnready)
    return inBand(ratio, tolerance) ? current : bounded(Math.ceil(ratio * readyCount));

  const filled = together(
    measured,
    ratio < 1 ? missing : ratio > 1 ? emptied(missing) : noUsage,
    addUnready ? emptied(unready) : noUsage,
  );
  const filledRatio = ratioOf(filled);
  if (inBand(filledRatio, tolerance)) return current;
  if ((ratio < 1 && filledRatio > 1) || (ratio > 1 && filledRatio < 1)) return current;
  const size = bounded(Math.ceil(filledRatio * filled.entries));
  if ((filledRatio < 1 && size > current) || (filledRatio > 1 && size < current)) return current;
  return size;
}

const maxInt64 = 9_223_372_036_854_775_807n;

/** A sum that stops at 2^63 - 1. */
export function saturatingSum(values: readonly bigint[]): bigint {
  const sum = values.reduce((total, value) => total + value, 0n);
  return sum > maxInt64 ? maxInt64 : sum;
}

const ceilQuotient = (dividend: bigint, divisor: bigint): bigint => {
  const quotient = dividend / divisor;
  return dividend % divisor > 0n ? quotient + 1n : quotient;
};

/** A total that the whole target should hold. From zero any use at all asks for a replica, tolerance or not. */
export function proposeByTotal(
  current: number,
  total: bigint,
  target: bigint,
  readyCount: number,
  tolerance: Tolerance,
): number {
  const ratio = Number(total) / Number(target);
  if (current === 0) return bounded(Math.ceil(ratio));
  return inBand(ratio, tolerance) ? current : bounded(Math.ceil(ratio * readyCount));
}

/** A total of which each replica may carry `target`; readiness plays no part. */
export function proposeByTotalPerReplica(
  replicas: number,
  total: bigint,
  target: bigint,
  tolerance: Tolerance,
): number {
  const ratio = Number(total) / (Number(target) * replicas);
  if (inBand(ratio, tolerance)) return replicas;
  const size = ceilQuotient(total, target);
  return size > BigInt(maxInt32) ? maxInt32 : Number(size);
}

/** What is reported as the average of a total: rounded up, 0 without replicas. */
export const usagePerReplica = (total: bigint, replicas: number): bigint =>
  replicas === 0 ? 0n : ceilQuotient(total, BigInt(replicas));
