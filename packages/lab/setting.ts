// What is the same for everybody who plays: the traffic, the servers, the cluster they run on, and what was promised.
import type { Hardware, ServiceTimes } from '@kubeai/model-server';
import { offeredWork } from './clairvoyant.ts';
import { engineLimitsOf, stepTimesOf } from './replica.ts';
import type { Promise as Promised } from './score.ts';
import type { Workload } from './workload.ts';
import type { Incident, World } from './world.ts';

export interface Setting {
  readonly workload: Workload;
  readonly incidents: readonly Incident[];
  readonly hardware: Hardware;
  readonly times: ServiceTimes;
  readonly maxBatch: number;
  readonly startUpMs: number;
  readonly maxReplicas: number;
  readonly nodes: World['nodes'];
  readonly wire: World['wire'];
  readonly balancer: World['balancer'];
  readonly patienceMs: number;
  /** Milliseconds at the beginning that nobody is judged by: what is learned of a target is learned once in its life. */
  readonly warmUpMs: number;
  readonly seed: number;
  readonly promise: Promised;
}

/** The world of a setting, and the replicas that its traffic needs, fully filled, by bin of ten seconds. */
export function worldOf(setting: Setting): { readonly world: World; readonly work: Float64Array } {
  const { workload, startUpMs, maxReplicas, nodes, wire, balancer, patienceMs, warmUpMs, seed, incidents } = setting;
  const limits = engineLimitsOf(setting.hardware, setting.maxBatch);
  const times = stepTimesOf(setting.times, limits);
  const work = offeredWork(workload, times, limits);
  const world: World = {
    times,
    limits,
    startUpMs,
    minReplicas: 1,
    maxReplicas,
    nodes,
    wire,
    initialReplicas: Math.min(maxReplicas, Math.max(1, Math.ceil(peakOf(work.subarray(0, 30)) / 0.7))),
    balancer,
    patienceMs,
    warmUpMs,
    seed,
    incidents,
  };
  return { world, work };
}

/** The busiest minute. */
export function peakOf(work: Float64Array): number {
  let most = 0;
  for (let bin = 0; bin + 6 <= work.length; bin += 1) {
    let sum = 0;
    for (let at = bin; at < bin + 6; at += 1) sum += work[at]!;
    most = Math.max(most, sum / 6);
  }
  return most;
}
