// What a proposal looks at, and two questions that several of them ask of it.
import { elapsed, type Instant } from '@kubeai/units';
import type { Demand } from './demand.ts';
import type { History } from './history.ts';
import { limits } from './limits.ts';
import { replicaLoad, type Signal } from './signal.ts';
import type { Snapshot } from './snapshot.ts';

export interface Scene {
  readonly snapshot: Snapshot;
  readonly history: History;
  readonly demand: Demand;
  readonly tolerance: { readonly up: number; readonly down: number };
  readonly now: Instant;
}

/** Replicas that serve and are the target's own: a rollout's surge is not capacity to multiply. */
export const servingOf = ({ ledger, replicas, traffic }: Snapshot): number =>
  Math.max(1, Math.min(replicas, Math.max(ledger.counts.serving, traffic.measured + traffic.silent)));

/** What survivors would have to carry must be near to what was seen to work; one request at a time always does.
 * @param holds whether the signal is within its target at the load of now */
export function carriedKeeps({ name }: Signal, scene: Scene, holds: boolean, step = stepOf(scene)): number {
  const { snapshot, history } = scene;
  const { traffic } = snapshot;
  const load = replicaLoad(traffic);
  const carries = Math.max(1, history.loads[name]?.good ?? 0, holds ? step * load : load);
  return (traffic.inFlight + traffic.inFlightAssumed) / carries;
}

const stepOf = ({ history, now }: Scene): number => {
  const since = Math.max(history.replicasSince, history.coveredFrom) as Instant;
  return elapsed(since, now) >= limits.boldAfter ? limits.boldStep : limits.safeStep;
};
