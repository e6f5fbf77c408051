// What a user asked for, after every default and preset: the one type that the decision, the controller and the lab share.
// It is plain JSON data, so that a recorded decision can carry its policy and be replayed. Fields that a user may leave
// out and that have no default are absent here too.
import type { Milliseconds } from '@kubeai/units';
import type { MetricName, MetricShape, MetricSource } from './metric.ts';

export interface MetricTarget {
  readonly name: MetricName;
  readonly shape: MetricShape;
  /** In the metric's own unit: milliseconds (latency), percent (utilization), a count or rate per replica (perReplica). Above 0. */
  readonly target: number;
  readonly source: MetricSource;
  readonly prometheusQuery?: string;
  /** Of a custom metric: the name of a metric that the agents report. */
  readonly agentMetric?: string;
}

export interface ScalingPolicy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly period: Milliseconds;
}

export interface ScalingRules {
  readonly stabilizationWindow: Milliseconds;
  /** Share of the target by which a metric may differ without any effect, 0..1. */
  readonly tolerance: number;
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly ScalingPolicy[];
}

export type AlgorithmPlugin =
  | { readonly kind: 'module'; readonly path: string; readonly timeout: Milliseconds }
  | { readonly kind: 'http'; readonly url: string; readonly timeout: Milliseconds };

export interface Algorithm {
  /** `MaxRatio`, `AverageRatio`, `WeightedRatio` or the name of a plugin. Unknown names are the decision's to report. */
  readonly name: string;
  /** By metric name; a metric without a weight counts 1. */
  readonly weights: Readonly<Partial<Record<MetricName, number>>>;
  readonly plugin?: AlgorithmPlugin;
}

export interface ScheduleEntry {
  readonly name: string;
  /** Five cron fields: when the entry starts to hold. */
  readonly cron: string;
  /** An IANA time zone. */
  readonly timeZone: string;
  readonly duration: Milliseconds;
  readonly minReplicas?: number;
  readonly maxReplicas?: number;
}

export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

export interface PrometheusSource {
  /** Absent: the controller's own. */
  readonly url?: string;
  readonly interval: Milliseconds;
  readonly timeout: Milliseconds;
  readonly bearerToken?: SecretKey;
  readonly basicAuth?: { readonly username: SecretKey; readonly password: SecretKey };
  readonly certificateAuthority?: SecretKey;
}

export type PresetName = 'interactive' | 'throughput' | 'batch';

export interface Policy {
  readonly namespace: string;
  readonly name: string;
  /** Empty when the object has not been stored yet. */
  readonly uid: string;
  readonly generation: number;
  readonly target: { readonly apiVersion: string; readonly kind: string; readonly name: string };
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly preset?: PresetName;
  /** Only what is enabled, in the order of `knownMetrics`, then the custom ones. Never empty. */
  readonly metrics: readonly MetricTarget[];
  readonly prometheus: PrometheusSource;
  readonly algorithm: Algorithm;
  /** After a change of size, no shrinking for this long. Growth is never held back by it. */
  readonly cooldown: Milliseconds;
  readonly scaleUp: ScalingRules;
  readonly scaleDown: ScalingRules;
  readonly fallback: {
    /** Decision rounds without a usable signal before the behaviour takes hold. */
    readonly failureThreshold: number;
    readonly behavior: 'hold' | 'static' | 'staticIfHigher';
    /** Present unless the behaviour is `hold`. */
    readonly replicas?: number;
  };
  readonly mode: 'Observe' | 'Recommend' | 'Active';
  readonly paused: 'none' | 'up' | 'down' | 'both';
  readonly schedule: readonly ScheduleEntry[];
  readonly prediction: {
    readonly mode: 'Off' | 'Observe' | 'On';
    /** Absent: the learned start-up time. */
    readonly horizon?: Milliseconds;
  };
  readonly drain: { readonly maximum: Milliseconds };
  readonly gpu: { readonly perReplica?: number; readonly priority: number; readonly budget?: string };
  /** `auto` or the name of an engine. */
  readonly engine: string;
}
