// What one report says about its pod, as numbers by name. Absent stays absent: a pod without a GPU is not at 0 %.
import type { Report } from '@kubeai/protocol';

/** The measures a policy may name as `agentMetric` of a custom metric: a total over pods each. */
export const agentMetrics = {
  inFlight: (report: Report) => (isBypassed(report) ? engineLoad(report) : report.traffic.inFlight),
  concurrency: (report: Report) => (isBypassed(report) ? engineLoad(report) : report.traffic.concurrency),
  waitingFirstByte: (report: Report) => report.traffic.waitingFirstByte,
  requestQueueDepth: (report: Report) => report.queue.length,
  requestsPerSecond: (report: Report) => perSecond(report, report.traffic.started),
  failedPerSecond: (report: Report) => perSecond(report, report.traffic.failed),
  abortedPerSecond: (report: Report) => perSecond(report, report.traffic.aborted),
  tokensPerSecond: (report: Report) =>
    isBypassed(report)
      ? (report.engine?.generatedTokensPerSecond ?? 0)
      : perSecond(report, report.traffic.generatedTokens),
  promptTokensPerSecond: (report: Report) =>
    isBypassed(report)
      ? (report.engine?.promptTokensPerSecond ?? 0)
      : perSecond(report, report.traffic.promptTokens ?? 0),
} as const satisfies Record<string, (report: Report) => number>;
export type AgentMetric = keyof typeof agentMetrics;

/** How many there are at the end of a window; the others are means over it. */
export const levels: ReadonlySet<string> = new Set<AgentMetric>(['inFlight', 'waitingFirstByte', 'requestQueueDepth']);

/** Shares of single pods, in percent; undefined where a pod has no such thing or it was not measured. */
export const gauges = {
  gpuUtilization: (report: Report) => report.gpu?.utilizationPercent,
  gpuMemory: (report: Report) => share(report.gpu?.memoryUsedBytes, report.gpu?.memoryTotalBytes),
  kvCacheUtilization: (report: Report) =>
    report.engine?.kvCacheRatio === undefined ? undefined : 100 * report.engine.kvCacheRatio,
  cpuUtilization: (report: Report) => share(report.container?.cpuCores, report.container?.cpuLimitCores),
  memoryUtilization: (report: Report) => share(report.container?.memoryBytes, report.container?.memoryLimitBytes),
} as const satisfies Record<string, (report: Report) => number | undefined>;
export type Gauge = keyof typeof gauges;

/** The part of the report that a gauge stands in. */
const partOf = {
  gpuUtilization: 'gpu',
  gpuMemory: 'gpu',
  kvCacheUtilization: 'engine',
  cpuUtilization: 'container',
  memoryUtilization: 'container',
} as const satisfies Record<Gauge, string>;

const gpuSources = { dcgm: 'agent/dcgm', engine: 'agent/engine', 'nvidia-smi': 'agent/nvidia-smi' } as const;

/** Where gauges of a GPU come from. */
export const gpuSource = ({ gpu }: Report): string => (gpu === undefined ? 'agent' : gpuSources[gpu.source]);

/** Where a gauge comes from, for the source of its signal; `ofGpu`: where it does if it is one of a GPU. */
export function gaugeSource(gauge: Gauge, ofGpu: string): string {
  const part = partOf[gauge];
  return part === 'gpu' ? ofGpu : part === 'engine' ? 'agent/engine' : 'agent/container';
}

/** Age that a gauge had when its report was written. */
export const gaugeAge = (gauge: Gauge, report: Report): number => report[partOf[gauge]]?.ageMs ?? 0;

/** Answers of all status classes, and those that broke off: all of them free a place. */
export function completionsPerSecond(report: Report): number {
  const { finished, failed } = report.traffic;
  let total = failed;
  for (const status in finished) total += finished[status as keyof typeof finished] ?? 0;
  return perSecond(report, total);
}

/** Answers that began to come, where they are streamed. */
export function firstTokensPerSecond(report: Report): number {
  const { bins, low = 0 } = report.traffic.timeToFirstTokenMs;
  let total = low;
  for (let at = 1; at < bins.length; at += 2) total += bins[at]!;
  return perSecond(report, total);
}

export const isBusy = (report: Report): boolean =>
  hasTraffic(report) || report.queue.length > 0 || engineLoad(report) > 0 || isBlind(report);

const hasTraffic = ({ traffic }: Report): boolean =>
  traffic.inFlight > 0 || traffic.concurrency > 0 || traffic.started > 0 || traffic.unobservedConnections > 0;

/** Requests reach the engine without passing the agent: by reach `none`, or because a Service leads past it. */
const isBypassed = (report: Report): boolean =>
  report.unobserved === true || (!hasTraffic(report) && engineLoad(report) > 0);

/** Nothing that the agent can see tells whether the pod has work. */
export const isBlind = ({ unobserved, engine }: Report): boolean =>
  unobserved === true && engine?.running === undefined && engine?.waiting === undefined;

const engineLoad = ({ engine }: Report): number => (engine?.running ?? 0) + (engine?.waiting ?? 0);

const perSecond = (report: Report, count: number): number =>
  report.windowMs > 0 ? (1_000 * count) / report.windowMs : 0;

const share = (used: number | undefined, total: number | undefined): number | undefined =>
  used === undefined || total === undefined || !(total > 0) ? undefined : (100 * used) / total;
