// What is learned about a target: how much slower an answer gets as one replica carries more requests at once. Slowdown
// (latency over what an idle replica takes) and not latency is kept, so that one curve serves short and long answers:
// answers ten times longer move the floor, not the curve, and more replicas cannot lower a floor.
import { limits } from './limits.ts';
import { significant } from './significant.ts';

/** Mean slowdown of the seconds in which a replica carried about so many requests; bins are half octaves. */
export interface CurvePoint {
  readonly bin: number;
  readonly concurrency: number;
  readonly slowdown: number;
  readonly weight: number;
}

const binOf = (concurrency: number): number => Math.round(2 * Math.log2(Math.max(concurrency, 0.25)));
/** Later samples weigh at least this much, so that a curve follows a changed engine within a minute at that load. */
const least = 1 / 60;

/** A percent is as good as a curve gets; below that it stays as it is, which also spares a copy each second. */
const blend = (before: number, now: number, weight: number): number =>
  weight === 1 / least && Math.abs(now - before) < 0.01 * before
    ? before
    : significant(before + (now - before) / weight);

/** The point after a second of so much; the same one where it did not move. */
function blended(old: CurvePoint, concurrencyNow: number, slowdownNow: number): CurvePoint {
  const weight = Math.min(old.weight + 1, 1 / least);
  const concurrency = blend(old.concurrency, concurrencyNow, weight);
  const slowdown = blend(old.slowdown, slowdownNow, weight);
  const same = concurrency === old.concurrency && slowdown === old.slowdown && weight === old.weight;
  return same ? old : { bin: old.bin, concurrency, slowdown, weight };
}

function withPoint(curve: readonly CurvePoint[], at: number, point: CurvePoint): readonly CurvePoint[] {
  if (point === curve[at]) return curve;
  const next = curve.slice();
  next[at] = point;
  return next;
}

/** The curve with one more second of experience. */
export function learnCurve(curve: readonly CurvePoint[], concurrency: number, slowdown: number): readonly CurvePoint[] {
  if (!(concurrency > 0) || !Number.isFinite(slowdown)) return curve;
  const bin = binOf(concurrency);
  for (let at = 0; at < curve.length; at += 1) {
    const old = curve[at]!;
    if (old.bin === bin) return withPoint(curve, at, blended(old, concurrency, slowdown));
  }
  const point = { bin, concurrency: significant(concurrency), slowdown: significant(slowdown), weight: 1 };
  const next = [...curve, point].sort((left, right) => left.bin - right.bin);
  if (next.length <= limits.curveBins) return next;
  // Too many loads were seen: the least travelled of the others goes.
  const others = next.filter((each) => each !== point);
  const rarest = others.reduce((low, each) => (each.weight < low.weight ? each : low));
  return next.filter((each) => each !== rarest);
}

/** Whether enough was seen to believe the curve. */
export const isLearned = (curve: readonly CurvePoint[]): boolean =>
  curve.length >= 2 && curve.reduce((sum, { weight }) => sum + weight, 0) >= limits.curveSamples;

/** Noise may make a measured curve dip; neighbours that violate the order are pooled (isotonic regression). */
export function monotone(curve: readonly CurvePoint[]): readonly CurvePoint[] {
  const pools: { points: CurvePoint[]; slowdown: number; weight: number }[] = [];
  for (const point of curve) {
    let pool = { points: [point], slowdown: point.slowdown, weight: point.weight };
    while (pools.length > 0 && pools.at(-1)!.slowdown > pool.slowdown) {
      const before = pools.pop()!;
      const weight = before.weight + pool.weight;
      pool = {
        points: [...before.points, ...pool.points],
        slowdown: (before.slowdown * before.weight + pool.slowdown * pool.weight) / weight,
        weight,
      };
    }
    pools.push(pool);
  }
  return pools.flatMap(({ points, slowdown }) => points.map((point) => ({ ...point, slowdown })));
}

/**
 * The concurrency one replica carries before its slowdown passes `allowed`.
 * @returns the load, interpolated between what was seen; beyond the highest load seen, that load and `beyond: true`
 */
export function carriedWithin(
  curve: readonly CurvePoint[],
  allowed: number,
): { readonly load: number; readonly beyond: boolean } {
  const points = monotone(curve);
  const above = points.findIndex(({ slowdown }) => slowdown > allowed);
  if (above === -1) return { load: points.at(-1)!.concurrency, beyond: true };
  const high = points[above]!;
  if (above === 0) {
    // Even the lightest load seen is too slow: go on down in proportion towards an idle replica, whose slowdown is 1.
    const excess = Math.max(high.slowdown - 1, 1e-3);
    return { load: Math.max(high.concurrency * Math.max(0, Math.min(1, (allowed - 1) / excess)), 0.25), beyond: false };
  }
  const low = points[above - 1]!;
  const share = (allowed - low.slowdown) / (high.slowdown - low.slowdown);
  return { load: low.concurrency + share * (high.concurrency - low.concurrency), beyond: false };
}
