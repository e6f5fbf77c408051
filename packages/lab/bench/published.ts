// The figures of an earlier, simpler simulation (share within the promise, GPU-hours) beside the lab's, case by case: what
// is alike is confirmed, and what is not has to be explained in docs/results.md.
import { frontOf, missesAt } from '../compare.ts';
import type { Ranked } from '../report.ts';

/** Percent within the promise, and GPU-hours. */
type Point = readonly [share: number, gpuHours: number];

/** By case, then by contender; more than one where several values were published. */
export const published: Readonly<Record<string, Readonly<Record<string, readonly Point[]>>>> = {
  'Azure chat × 8, start 60 s': {
    static: [
      [99.99, 161],
      [99.2, 129],
    ],
    'hpa-concurrency': [[99.99, 221]],
    keda: [[99.97, 210]],
    kpa: [[99.8, 212]],
    interactive: [[99.96, 189]],
    clairvoyant: [[99.97, 194]],
  },
  'ServeGen tenth day 4, start 60 s': {
    static: [
      [99.6, 1_923],
      [99.8, 3_076],
    ],
    'hpa-concurrency': [[98.5, 1_408]],
    keda: [[98, 1_395]],
    kpa: [[94, 1_265]],
    interactive: [[98.9, 1_301]],
    clairvoyant: [[99.5, 1_185]],
  },
  'ServeGen tenth day 4, start 180 s': {
    static: [[99.8, 3_076]],
    'hpa-concurrency': [[97, 1_634]],
    keda: [[96.2, 1_706]],
    kpa: [[90.4, 1_659]],
    interactive: [
      [98.6, 1_688],
      [97.2, 1_302],
    ],
    clairvoyant: [[99.5, 1_344]],
  },
};

/**
 * Rows of a Markdown table: what was published, what the lab gives for the same GPU-hours, and the lab's own value in force.
 * @param judged  the share of the time that the lab counts; published hours are of the whole
 */
export function publishedRows(name: string, contenders: readonly Ranked[], judged: number): readonly string[] {
  return Object.entries(published[name] ?? {}).flatMap(([contender, points]) => {
    const ranked = contenders.find((each) => each.name === contender);
    if (ranked === undefined) return [];
    const front = frontOf(ranked.scores);
    const { chosen } = ranked;
    return points.map(([share, hours]) => {
      const misses = missesAt(front, hours * judged);
      // A single value has no curve to read from.
      const same =
        ranked.scores.length < 2 || misses === Number.POSITIVE_INFINITY
          ? '-'
          : `${(100 * (1 - misses / chosen.requests)).toFixed(2)} %`;
      const own = `${(100 * chosen.attainment).toFixed(2)} % (${(chosen.gpuHours / judged).toFixed(0)})`;
      return `| ${name} | ${contender} | ${share} % (${hours}) | ${same} | ${own} |`;
    });
  });
}
