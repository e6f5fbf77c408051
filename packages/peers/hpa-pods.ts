// How HPA v2 looks at pods: which ones a metric counts for, and what they request. The arithmetic that follows is shared
// with our own decision (see @kubeai/decision).
import { noUsage, type PodsOfMetric, type PodUsage } from '@kubeai/decision';

export interface HpaPod {
  readonly name: string;
  readonly phase: string;
  /** Null without a Ready condition. */
  readonly ready: boolean | null;
  readonly startedSecondsAgo: number | null;
  readonly readyTransitionSecondsAgo: number | null;
  readonly deleting: boolean;
  /** Milli-units of the measured scope; null when not set. */
  readonly request?: bigint | null;
}

export interface HpaPodMetric {
  readonly pod: string;
  readonly value: bigint;
  readonly ageSeconds: number;
  readonly windowSeconds: number;
}

export interface ReadinessRules {
  /** Only `cpu` looks at readiness. */
  readonly resource: string;
  readonly cpuInitializationSeconds: number;
  readonly initialReadinessDelaySeconds: number;
}

export type PodClass = 'ready' | 'unready' | 'missing' | 'ignored';

export function classOf(pod: HpaPod, metric: HpaPodMetric | undefined, rules: ReadinessRules): PodClass {
  if (pod.deleting || pod.phase === 'Failed' || pod.phase === 'Succeeded') return 'ignored';
  if (pod.phase === 'Pending') return 'unready';
  if (metric === undefined) return 'missing';
  if (rules.resource !== 'cpu') return 'ready';
  const { startedSecondsAgo: started, readyTransitionSecondsAgo: transition } = pod;
  if (pod.ready === null || started === null) return 'unready';
  // Without the moment of its last change a condition is as old as the pod.
  const changed = transition ?? started;
  if (started < rules.cpuInitializationSeconds) {
    const measuredBeforeReady = metric.ageSeconds > changed - metric.windowSeconds;
    return !pod.ready || measuredBeforeReady ? 'unready' : 'ready';
  }
  const neverReady = changed > started - rules.initialReadinessDelaySeconds;
  return !pod.ready && neverReady ? 'unready' : 'ready';
}

export interface GroupedPods {
  readonly readyCount: number;
  readonly unready: readonly string[];
  readonly missing: readonly string[];
  readonly ignored: readonly string[];
}

export function groupPods(
  pods: readonly HpaPod[],
  metrics: readonly HpaPodMetric[],
  rules: ReadinessRules,
): GroupedPods {
  const byPod = new Map(metrics.map((metric) => [metric.pod, metric]));
  const of = (wanted: PodClass) =>
    pods.filter((pod) => classOf(pod, byPod.get(pod.name), rules) === wanted).map(({ name }) => name);
  return { readyCount: of('ready').length, unready: of('unready'), missing: of('missing'), ignored: of('ignored') };
}

/** What is to be measured against what: percent of the request, or an average per pod. */
export type PodTarget =
  | { readonly kind: 'utilization'; readonly percent: bigint }
  | { readonly kind: 'average'; readonly value: bigint };

export type Problem = { readonly error: string };

/** The sets that a ratio is formed over: measured pods, silent ones filled in as full, and those that do not serve yet. */
export function podsOfMetric(
  pods: readonly HpaPod[],
  metrics: readonly HpaPodMetric[],
  target: PodTarget,
  rules: ReadinessRules,
): PodsOfMetric | Problem {
  if (metrics.length === 0) return { error: 'NoMetrics' };
  if (target.kind === 'utilization' && pods.some(({ request }) => request === null || request === undefined)) {
    return { error: 'MissingRequest' };
  }
  const groups = groupPods(pods, metrics, rules);
  const left = new Set([...groups.ignored, ...groups.unready]);
  const used = metrics.filter(({ pod }) => !left.has(pod));
  if (used.length === 0) return { error: 'NoMetricsForReadyPods' };
  const requests = new Map(pods.map((pod) => [pod.name, pod.request ?? 0n]));
  const usageOf = (name: string, usage: bigint): PodUsage => {
    const request = requests.get(name);
    // A pod that is no longer in the list has no request: it counts in averages only.
    if (target.kind === 'utilization' && request === undefined) return { ...noUsage, entries: 1 };
    return { usage, request: request ?? 0n, count: 1, entries: 1 };
  };
  const sum = (parts: readonly PodUsage[]): PodUsage =>
    parts.reduce(
      (total, part) => ({
        usage: total.usage + part.usage,
        request: total.request + part.request,
        count: total.count + part.count,
        entries: total.entries + part.entries,
      }),
      noUsage,
    );
  const full = (name: string): bigint => {
    if (target.kind === 'average') return target.value;
    const percent = target.percent > 100n ? target.percent : 100n;
    return ((requests.get(name) ?? 0n) * percent) / 100n;
  };
  const measured = sum(used.map(({ pod, value }) => usageOf(pod, value)));
  if (target.kind === 'utilization' && measured.count === 0) return { error: 'NoMetricsMatchPods' };
  return {
    measured,
    missing: sum(groups.missing.map((name) => usageOf(name, full(name)))),
    unready: sum(groups.unready.map((name) => usageOf(name, 0n))),
    readyCount: groups.readyCount,
  };
}

export interface ContainerRequest {
  readonly name: string;
  readonly request: bigint | null;
  /** Of an init container: runs beside the main ones. */
  readonly restartable?: boolean;
}

export interface PodRequests {
  readonly name: string;
  readonly containers: readonly ContainerRequest[];
  readonly initContainers: readonly ContainerRequest[];
  readonly podLevelRequest: bigint | null;
}

/** The request of each pod: of all its containers and native sidecars, of the pod as a whole, or of one container. */
export function requestsOf(
  pods: readonly PodRequests[],
  container: string,
  podLevelEnabled: boolean,
): ReadonlyMap<string, bigint> | Problem {
  const requests = new Map<string, bigint>();
  for (const pod of pods) {
    if (container === '' && podLevelEnabled && pod.podLevelRequest !== null) {
      requests.set(pod.name, pod.podLevelRequest);
      continue;
    }
    const running = [...pod.containers, ...pod.initContainers.filter(({ restartable }) => restartable === true)];
    const counted = container === '' ? running : running.filter(({ name }) => name === container);
    if (container !== '' && counted.length === 0) return { error: 'ContainerNotFound' };
    let sum = 0n;
    for (const { request } of counted) {
      if (request === null) return { error: 'MissingRequest' };
      sum += request;
    }
    requests.set(pod.name, sum);
  }
  return requests;
}
