// What a target is simulated in: its replicas' speed and starts, GPUs, the network, its clients' patience and mishaps.
import type { NodesOptions } from './nodes.ts';
import type { EngineLimits, StepTimes } from './replica.ts';
import type { WireOptions } from './wire.ts';

/** What happens to the world around the target, in milliseconds of simulated time. */
export interface Incident {
  readonly kind: 'metricOutage' | 'noFreeGpus' | 'rollout';
  readonly from: number;
  readonly until: number;
}

export interface World {
  readonly times: StepTimes;
  readonly limits: EngineLimits;
  /** From creation to readiness on average; single starts take 0.8 to 1.3 of it, the longer ones being rarer. */
  readonly startUpMs: number;
  /** Starts that were measured, one after another, instead; the last one holds for all that follow. */
  readonly startsMs?: readonly number[];
  /** Replicas for which there are GPUs. */
  readonly maxReplicas: number;
  readonly nodes: NodesOptions;
  readonly wire: WireOptions;
  readonly minReplicas: number;
  readonly initialReplicas: number;
  readonly balancer: 'leastRequests' | 'roundRobin';
  /** A client that has no token after so long goes away. */
  readonly patienceMs: number;
  readonly seed: number;
  readonly incidents: readonly Incident[];
  /** Milliseconds at the beginning in which everybody plays and nobody is judged. */
  readonly warmUpMs: number;
}

/** Whether such an incident is under way at `now`. */
export const isHappening = ({ incidents }: World, kind: Incident['kind'], now: number): boolean =>
  incidents.some((incident) => incident.kind === kind && now >= incident.from && now < incident.until);

/** Seconds of the virtual clock: everything but requests and reports happens at one of them. */
export const tickMs = 1_000;
