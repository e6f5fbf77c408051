// How much of what is in flight is demand. Requests that queue up while replicas start are backlog: they are served once,
// by replicas already bought, and buying for them too is what makes autoscalers overshoot. Demand shows in arrivals and
// in the time an answer takes while nothing waits; where the latter is not learned yet, in what was in flight when growth
// began. A closed group of users is the opposite case, a queue that never drains although arrivals look modest: so what
// neither climbs nor falls, with nothing starting, is demand again. Replicas that find no node are no capacity, but while
// there are any, what piles up stays backlog: others would not find one either.
import { elapsed, type Instant } from '@kubeai/units';
import type { Growth, History } from './history.ts';
import { serviceTime } from './learn.ts';
import { isAwaited } from './ledger.ts';
import { limits } from './limits.ts';
import type { Snapshot } from './snapshot.ts';

export interface Demand {
  /** Requests in flight that ask for capacity. */
  readonly inFlight: number;
  /** Replicas above which a queue or a latency is backlog; infinite when it is not. */
  readonly replicas: number;
}

/** Arrivals must have grown by more than chance explains before growth is followed by more growth. */
const noticeable = 1.2;

export function demandOf(snapshot: Snapshot, history: History, now: Instant): Demand {
  const { traffic, ledger } = snapshot;
  const { growth } = history;
  const all = { inFlight: traffic.inFlight, replicas: Number.POSITIVE_INFINITY };
  const service = serviceTime(history, traffic);
  const asked = traffic.arrivalsPerSecond + drainPerSecond(snapshot, limits.drainStartups);
  const carried = service === undefined ? undefined : (asked * service) / 1_000;

  const starting = growth !== undefined && isAwaited(ledger);
  const settling = growth !== undefined && !isSettled(growth, snapshot, now);
  if (!starting && !settling && !traffic.rising) return all;

  const byArrivals = history.capacity === undefined ? undefined : asked / (history.capacity * limits.survivorHeadroom);
  const trusted = growth === undefined || elapsed(growth.since, now) < limits.growthTrust;
  // Users of a closed group ask more often as they are answered faster: that is no new demand, so arrivals are held
  // against completions too.
  const known = growth === undefined ? 0 : Math.max(growth.arrivals, traffic.completionsPerSecond);
  const more = known > 0 ? traffic.arrivalsNow / known : 1;
  const scale = more > noticeable ? more : 1;
  const replicas = byArrivals ?? (trusted ? Number.POSITIVE_INFINITY : growth.replicas * scale);
  const inFlight = Math.min(traffic.inFlight, carried ?? (trusted ? traffic.inFlight : growth.inFlight * scale));
  return { inFlight, replicas };
}

/** Waiting requests a second that have to be answered beside those that arrive, so that all are worked off within so many
 * start-ups. Sooner, and replicas are bought that come too late to matter; never, and whoever waits now waits for as long as
 * the load lasts. None are bought for it while others find no node. */
export const drainPerSecond = ({ traffic, ledger }: Snapshot, startups: number): number =>
  ledger.counts.unschedulable > 0
    ? 0
    : (1_000 * traffic.queue) / Math.max(limits.drainAtLeast, startups * ledger.startupP90Ms);

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

/** Everything that was bought serves, and had as long to work off what had piled up as it took to come. */
export const isSettled = (growth: Growth, { ledger, traffic }: Snapshot, now: Instant): boolean => {
  const patience = Math.min(limits.drainAtMost, Math.max(limits.drainAtLeast, ledger.startupP90Ms));
  return !traffic.draining && !isAwaited(ledger) && elapsed(growth.lastStarting, now) > patience;
};
