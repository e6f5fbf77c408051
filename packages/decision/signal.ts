// One metric of one target, folded over its pods. A signal has four states, because "nothing to do" (idle), "not told
// lately" (stale) and "not told at all" (missing) argue for different things: only the first may ever shrink anything.
import type { MetricName, MetricShape } from '@kubeai/policy';

export const causes = {
  NoPods: 'no pod serves',
  NoReports: 'no agent has reported',
  Lost: 'the agents that used to report fell silent',
  NotMeasured: 'the agents report, but not this metric',
  Unobserved: 'no request passes the agents (reach none), and the engine does not tell either',
  NoSamples: 'requests are running, but none has finished lately',
  UnknownAgentMetric: 'the agents report no metric of this name',
  NotConfigured: 'the metric names no source that could be asked',
  NotAsked: 'the query has not run yet',
  NotANumber: 'the source answered NaN',
  OutOfRange: 'the source answered an infinite, negative or absurd number',
  NoSeries: 'the query found no series',
  SeveralSeries: 'the query found more than one series',
  FutureTimestamp: 'the sample is from the future',
  Unreachable: 'the source did not answer',
  Timeout: 'the source did not answer in time',
  Refused: 'the source answered with an error',
} as const;
/** Why a signal is missing. */
export type MissingCause = keyof typeof causes;

export interface Signal {
  readonly name: MetricName;
  readonly shape: MetricShape;
  readonly target: number;
  readonly state: 'value' | 'idle' | 'stale' | 'missing';
  /** latency: the percentile in milliseconds. perReplica: the total of the pods that measured. utilization: their mean percent.
   * value: the value. Absent when missing; the last one known when stale. */
  readonly value?: number;
  /** What silent pods add to a total when shrinking is at stake: each max(its last value, target). */
  readonly assumed: number;
  /** Serving pods with a fresh value; for a source that speaks for all of them, all. */
  readonly measured: number;
  /** Serving pods that should have reported and did not. */
  readonly silent: number;
  /** Age of the oldest value that was used; absent when nothing ever came. */
  readonly ageMs?: number;
  /** `agent`, the part of the report it came from (`agent/engine`, `agent/nvidia-smi`), or `prometheus`. */
  readonly source: string;
  readonly cause?: MissingCause;
}

/**
 * A number that a source outside the pods answered, or why there is none. `ageMs` by the sample's own timestamp; `pods`
 * is how many of those that serve it speaks for, all of them where it does not tell.
 */
export type ExternalSample =
  | {
      readonly kind: 'value';
      readonly name: MetricName;
      readonly value: number;
      readonly ageMs: number;
      readonly pods?: number;
    }
  | { readonly kind: 'missing'; readonly name: MetricName; readonly cause: MissingCause };

/** What the pods of a target carry, whatever its policy asks about. Totals over fresh pods unless said otherwise. */
export interface Traffic {
  /** Requests in flight: the slow mean, or the fast one in a burst. */
  readonly inFlight: number;
  /** In flight on pods that fell silent, by their last word. */
  readonly inFlightAssumed: number;
  readonly queue: number;
  /** Smoothed; `arrivalsNow` and `completionsPerSecond` are of the last few seconds. */
  readonly arrivalsPerSecond: number;
  readonly arrivalsNow: number;
  readonly completionsPerSecond: number;
  /** In-flight requests climb, fall (a backlog drains), or have kept their level for a minute or so. */
  readonly rising: boolean;
  readonly draining: boolean;
  readonly steady: boolean;
  /** Requests wait at every pod: completions are all that replicas can give. */
  readonly saturated: boolean;
  /** Requests that a replica serves at once when it has no place left, and tokens a second that one generates which has had none
   * for a while; absent while there is none. */
  readonly places?: number;
  readonly fullTokensPerSecond?: number;
  /** The most requests that one replica serves at once, full or not; absent while none is served. */
  readonly atOnce?: number;
  readonly meanLatencyMs?: number;
  readonly meanTimeToFirstTokenMs?: number;
  readonly meanInterTokenMs?: number;
  readonly promptTokensPerRequest?: number;
  readonly generatedTokensPerRequest?: number;
  readonly promptTokensPerSecond: number;
  readonly generatedTokensPerSecond: number;
  /** Every pod is fresh and none has had a request lately. */
  readonly idle: boolean;
  /** Serving pods that reported lately, and those that should have and did not. */
  readonly measured: number;
  readonly silent: number;
  readonly ageMs?: number;
}

/** Requests in flight on one replica, on average. */
export const replicaLoad = ({ inFlight, measured }: Traffic): number => inFlight / Math.max(1, measured);

export interface Folded {
  readonly signals: readonly Signal[];
  readonly traffic: Traffic;
}

/** A fresh number that a measurement could have given; everything else is as good as missing. */
export const isSound = (signal: Signal): boolean =>
  signal.state === 'idle' ||
  (signal.state === 'value' &&
    signal.value !== undefined &&
    signal.value >= 0 &&
    signal.value <= 1e15 &&
    signal.assumed >= 0 &&
    signal.assumed <= 1e15);
