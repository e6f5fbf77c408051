// How much of what is in flight is demand. Requests that queue up while replicas start are backlog: they are served once,
// by replicas already bought, and buying for them too is what makes autoscalers overshoot. Demand shows in arrivals and
// in the time an answer takes while nothing waits; where the latter is not learned yet, in what was in flight when growth
// began. A closed group of users is the opposite case, a queue that never drains although arrivals look modest: so what
// neither climbs nor falls, with nothing starting, is demand again.
import { elapsed, type Instant } from '@kubeai/units';
import type { Growth, History } from './history.ts';
import { serviceTime } from './learn.ts';
import { limits } from './limits.ts';
import type { Snapshot } from './snapshot.ts';

export interface Demand {
  /** Requests in flight that ask for capacity. */
  readonly inFlight: number;
  /** Replicas above which a queue or a latency is backlog; infinite when it is not. */
  readonly replicas: number;
  /** In-flight requests of now are counted in part only. */
  readonly backlog: boolean;
}

/** Arrivals must have grown by more than chance explains before growth is followed by more growth. */
const noticeable = 1.2;
/** Service times are learned below the target, demand is served at it, where batches are larger and answers slower. */
const atTarget = 1.15;

export function demandOf(snapshot: Snapshot, history: History, now: Instant): Demand {
  const { traffic, ledger } = snapshot;
  const { growth } = history;
  const all = { inFlight: traffic.inFlight, replicas: Number.POSITIVE_INFINITY, backlog: false };
  const service = serviceTime(history, traffic);
  const carried = service === undefined ? undefined : (atTarget * traffic.arrivalsPerSecond * service) / 1_000;

  const sinceStart = growth === undefined ? Number.POSITIVE_INFINITY : elapsed(growth.lastStarting, now);
  const starting = growth !== undefined && ledger.credited > 0;
  const settling =
    growth !== undefined && sinceStart < limits.drainPatience && (traffic.draining || sinceStart < limits.growthTrust);
  const piling = traffic.rising && carried !== undefined;
  if (!starting && !settling && !piling) return all;

  const trusted = growth === undefined || elapsed(growth.since, now) < limits.growthTrust;
  const more = growth === undefined || growth.arrivals <= 0 ? 1 : traffic.arrivalsPerSecond / growth.arrivals;
  const scale = more > noticeable ? more : 1;
  const serving = Math.max(1, traffic.measured);
  const throughput =
    traffic.completionsPerSecond > 0
      ? (serving * traffic.arrivalsPerSecond) / traffic.completionsPerSecond
      : Number.POSITIVE_INFINITY;
  const replicas = trusted
    ? Number.POSITIVE_INFINITY
    : Math.max(growth.replicas * scale, Math.min(throughput, growth.replicas * limits.unlearnedGrowth));
  if (carried !== undefined) {
    const inFlight = Math.min(traffic.inFlight, carried);
    return { inFlight, replicas, backlog: inFlight < traffic.inFlight };
  }
  if (trusted) return all;
  const inFlight = Math.min(traffic.inFlight, growth.inFlight * scale);
  return { inFlight, replicas, backlog: inFlight < traffic.inFlight };
}

/** The yardstick after a decision to grow: within the first moments it follows the demand, then it stands. */
export function growthAfter(growth: Growth | undefined, snapshot: Snapshot, wanted: number, now: Instant): Growth {
  const measured = {
    inFlight: snapshot.traffic.inFlight,
    arrivals: snapshot.traffic.arrivalsPerSecond,
    replicas: wanted,
  };
  if (growth === undefined || isSettled(growth, snapshot, now)) return { since: now, lastStarting: now, ...measured };
  const young = elapsed(growth.since, now) < limits.growthTrust;
  return young || wanted > growth.replicas ? { ...growth, ...measured } : growth;
}

/** Everything that was bought serves, and had time to work off what had piled up. */
export const isSettled = (growth: Growth, { ledger }: Snapshot, now: Instant): boolean =>
  ledger.credited === 0 && elapsed(growth.lastStarting, now) > limits.drainPatience;
