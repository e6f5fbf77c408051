// The metrics a policy can name: one table from the field its author writes to what the decision needs to know about it.

/** How replicas follow from a value. `latency`: milliseconds, through what is learned about the target. `perReplica`: a total
 * over the fleet divided by what one replica may carry. `utilization`: percent, by ratio over ready replicas. `value`: by
 * ratio of the value to its target, not divided by replicas. */
export type MetricShape = 'latency' | 'perReplica' | 'utilization' | 'value';

/** Where a value may come from. `auto` prefers the agents and takes Prometheus where they are silent. */
export type MetricSource = 'auto' | 'agents' | 'prometheus';

export const knownMetrics = {
  latencyP99: { field: 'latency.targetP99Ms', shape: 'latency' },
  latencyP95: { field: 'latency.targetP95Ms', shape: 'latency' },
  timeToFirstTokenP99: { field: 'timeToFirstToken.targetP99Ms', shape: 'latency' },
  timeToFirstTokenP95: { field: 'timeToFirstToken.targetP95Ms', shape: 'latency' },
  interTokenLatencyP99: { field: 'interTokenLatency.targetP99Ms', shape: 'latency' },
  interTokenLatencyP95: { field: 'interTokenLatency.targetP95Ms', shape: 'latency' },
  gpuUtilization: { field: 'gpuUtilization.targetPercentage', shape: 'utilization' },
  requestQueueDepth: { field: 'requestQueueDepth.targetDepth', shape: 'perReplica' },
  concurrency: { field: 'concurrency.targetPerReplica', shape: 'perReplica' },
  tokensPerSecond: { field: 'tokensPerSecond.targetPerReplica', shape: 'perReplica' },
  work: { field: 'work.targetUtilization', shape: 'utilization' },
  kvCacheUtilization: { field: 'kvCacheUtilization.targetPercentage', shape: 'utilization' },
  gpuMemory: { field: 'gpuMemory.targetPercentage', shape: 'utilization' },
  cpuUtilization: { field: 'cpuUtilization.targetPercentage', shape: 'utilization' },
  memoryUtilization: { field: 'memoryUtilization.targetPercentage', shape: 'utilization' },
} as const satisfies Record<string, { readonly field: string; readonly shape: MetricShape }>;

export type KnownMetricName = keyof typeof knownMetrics;
export type MetricName = KnownMetricName | `custom:${string}`;

export const knownMetricNames = Object.keys(knownMetrics) as readonly KnownMetricName[];

/** The order in which a plain list of weights names its metrics. Documented upstream, so it never changes. */
export const weightOrder = ['latencyP99', 'latencyP95', 'gpuUtilization', 'requestQueueDepth'] as const;

/** The name that the upstream documentation gives to a metric where it lists weights. */
const weightAliases: Readonly<Record<string, KnownMetricName>> = { queueDepth: 'requestQueueDepth' };

/** The metric that a key of a map of weights names; undefined when there is none. */
export function metricOfWeight(name: string): MetricName | undefined {
  const alias = Object.hasOwn(weightAliases, name) ? weightAliases[name] : undefined;
  if (alias !== undefined) return alias;
  if (name.startsWith('custom:')) return name as `custom:${string}`;
  return Object.hasOwn(knownMetrics, name) ? (name as KnownMetricName) : undefined;
}
