// What a grid of results says: the tuned value, the Pareto front of misses against GPU-hours, and what a rival would pay
// for our misses, or miss for our hours.
import type { Score } from './score.ts';

/**
 * The value an operator would choose with the whole grid before him: the cheapest that reaches the goal, or the one that
 * keeps the most promises where none does.
 */
export function tuned(scores: readonly Score[], goal = 0.99): Score {
  const able = scores.filter(({ attainment }) => attainment >= goal);
  if (able.length > 0) return able.reduce((low, each) => (each.gpuHours < low.gpuHours ? each : low));
  return scores.reduce((best, each) => (each.attainment > best.attainment ? each : best));
}

/** Points that no other beats in both, cheapest first. */
export function frontOf(scores: readonly Score[]): readonly Score[] {
  const sorted = [...scores].sort((left, right) => left.gpuHours - right.gpuHours || left.misses - right.misses);
  let fewest = Number.POSITIVE_INFINITY;
  return sorted.filter(({ misses }) => {
    if (misses >= fewest) return false;
    fewest = misses;
    return true;
  });
}

/** Misses move over magnitudes, so that between two points of a front their logarithm is what changes evenly. */
const logOf = (misses: number): number => Math.log(Math.max(0.5, misses));

/** Misses of a front at so many GPU-hours: as good as its best beyond its end, infinitely many before its beginning. */
export function missesAt(front: readonly Score[], gpuHours: number): number {
  const above = front.findIndex((point) => point.gpuHours > gpuHours);
  if (above === 0) return Number.POSITIVE_INFINITY;
  if (above === -1) return front.at(-1)?.misses ?? Number.POSITIVE_INFINITY;
  const [low, high] = [front[above - 1]!, front[above]!];
  const share = (gpuHours - low.gpuHours) / (high.gpuHours - low.gpuHours);
  return Math.exp(logOf(low.misses) + share * (logOf(high.misses) - logOf(low.misses)));
}

/** GPU-hours a front needs for no more misses; infinitely many where it never gets there. */
export function hoursFor(front: readonly Score[], misses: number): number {
  const below = front.findIndex((point) => point.misses <= misses);
  if (below === -1) return Number.POSITIVE_INFINITY;
  if (below === 0) return front[0]!.gpuHours;
  const [high, low] = [front[below - 1]!, front[below]!];
  const share = (logOf(misses) - logOf(high.misses)) / (logOf(low.misses) - logOf(high.misses));
  return high.gpuHours + share * (low.gpuHours - high.gpuHours);
}
