// The last quarter hour of a policy for the dashboard: a point a second, and the changes of size. Kept for the first few
// hundred policies only; it is a picture, not a record.
import { type Decision, type ReplicaState, replicaStates, type Snapshot } from '@kubeai/decision';
import type { Instant } from '@kubeai/units';
import { limits } from './limits.ts';
import { forecastText, isMeasured } from './status.ts';

export interface TrailPoint {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly desired: number;
  /** Absent without one. */
  readonly forecast?: number;
  /** Replicas by state, in the order of `replicaStates`. */
  readonly replicas: readonly number[];
  /** By metric name; null while it is not known. */
  readonly signals: Readonly<Record<string, number | null>>;
  readonly inFlight: number;
  readonly queue: number;
  readonly arrivals: number;
}

export interface TrailEvent {
  readonly at: number;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly message: string;
}

export interface Trail {
  /** At most one point a second is kept. */
  add(snapshot: Snapshot, decision: Decision, now: Instant): void;
  addEvent(event: TrailEvent): void;
  points(): readonly TrailPoint[];
  events(): readonly TrailEvent[];
}

export function createTrail(): Trail {
  const points: TrailPoint[] = [];
  const events: TrailEvent[] = [];
  return {
    add(snapshot, decision, now) {
      const last = points.at(-1);
      if (last !== undefined && now - last.at < 900) return;
      points.push({
        at: now,
        desired: decision.replicas,
        ...(snapshot.forecast === undefined ? {} : { forecast: forecastText(snapshot.forecast).replicas }),
        replicas: replicaStates.map((state: ReplicaState) => snapshot.ledger.counts[state]),
        signals: Object.fromEntries(
          snapshot.signals.map((signal) => [signal.name, isMeasured(signal) ? signal.value! : null]),
        ),
        inFlight: snapshot.traffic.inFlight,
        queue: snapshot.traffic.queue,
        arrivals: snapshot.traffic.arrivalsPerSecond,
      });
      if (points.length > limits.trailPoints) points.splice(0, points.length - limits.trailPoints);
    },
    addEvent(event) {
      events.push(event);
      if (events.length > limits.trailEvents) events.shift();
    },
    points: () => points,
    events: () => events,
  };
}
