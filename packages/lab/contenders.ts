// Who competes, and over which values of its main knob each is tuned. Nobody may say that a rival was set up to lose: the
// lab tries the whole grid and takes the value that does best on the very traffic.
import type { Policy } from '@kubeai/policy';
import { clairvoyant } from './clairvoyant.ts';
import type { Contender } from './contender.ts';
import { ours, withWork } from './ours.ts';
import type { EngineLimits, StepTimes } from './replica.ts';
import { apa, fixed, hpa, keda, kpa, maxRatio } from './rivals.ts';
import type { Workload } from './workload.ts';

/** What a grid may depend on. */
export interface Arena {
  readonly workload: Workload;
  readonly times: StepTimes;
  readonly limits: EngineLimits;
  readonly startUpMs: number;
  readonly maxReplicas: number;
  /** Replicas that the whole trace needs on average, fully filled. */
  readonly meanWork: number;
  readonly peakWork: number;
}

const perReplica = [1, 2, 3, 5, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 36];

/** Every grid begins with its dearest value. */
const grids = {
  'hpa-queue': () => [0.5, 1, 2, 4, 8, 16].map((target) => hpa('queue', target)),
  'hpa-concurrency': () => perReplica.map((target) => hpa('concurrency', target)),
  'hpa-gpu': () => [30, 45, 60, 75, 90].map((target) => hpa('gpu', target)),
  'hpa-cpu': () => [30, 45, 60, 75, 90].map((target) => hpa('cpu', target)),
  keda: () => perReplica.map((target) => keda(target)),
  kpa: () => [1, 2, 4, 7, 12, 17, 23, 28, 34, 40].map((target) => kpa(target)),
  apa: () => perReplica.map((target) => apa(target)),
  'max-ratio': () => [1, 2, 4, 8, 16].map((target) => maxRatio(target)),
  static: ({ meanWork, peakWork, maxReplicas }) => {
    const lowest = Math.max(1, Math.floor(meanWork));
    const highest = Math.min(maxReplicas, Math.ceil(1.6 * peakWork) + 2);
    const sizes = Array.from({ length: 24 }, (_, step) => Math.round(highest - ((highest - lowest) * step) / 23));
    // Where long prompts hold each other up, a promise may need several times the replicas that the work alone does.
    const dearer = [3.2, 2.2, 1.5].map((times) => Math.min(maxReplicas, Math.ceil(times * highest)));
    return [...new Set([...dearer, ...sizes])].map(fixed);
  },
  clairvoyant: ({ workload, times, limits, startUpMs }) =>
    [0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.2].map((filling) =>
      clairvoyant(workload, times, limits, startUpMs, filling),
    ),
} as const satisfies Record<string, (arena: Arena) => readonly Contender[]>;

export type RivalName = keyof typeof grids;
export const rivalNames = Object.keys(grids) as readonly RivalName[];
export const isRival = (name: string): name is RivalName => name in grids;

/** A rival at every value of its grid. */
export const gridOf = (name: RivalName, arena: Arena): readonly Contender[] => grids[name](arena);

/** A policy as it is, and at other targets of `work` where it has one. */
export function policyGrid(name: string, policy: Policy): readonly Contender[] {
  const own = ours(name, policy);
  if (Number.isNaN(own.value)) return [own];
  const others = [40, 55, 70, 85, 100].filter((target) => target !== own.value);
  return [own, ...others.map((target) => ours(name, withWork(policy, target)))];
}
