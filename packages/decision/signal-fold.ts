// Folds what the pods of a target report into its signals. State is one closure per policy: the last report of each pod,
// means of the fleet's totals, and windows of latencies that are added up as reports arrive, so that deciding costs the
// same however much was measured. Totals are averaged over the fleet and not pod by pod: when a replica joins, load moves
// between pods within a second, and means of single pods would count it twice.
import type { MetricName, MetricTarget, Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { before, elapsed, type Instant, milliseconds } from '@kubeai/units';
import { createLatencyWindow, type LatencyWindow } from './latency-window.ts';
import { isReady, type PodFacts, readySince } from './ledger.ts';
import { limits } from './limits.ts';
import { createMovingMean, type MovingMean } from './moving-mean.ts';
import {
  type AgentMetric,
  agentMetrics,
  finishedCount,
  type Gauge,
  gaugeAge,
  gaugeSource,
  gauges,
  isBusy,
} from './pod-measures.ts';
import type { ExternalSample, Folded, MissingCause, Signal, Traffic } from './signal.ts';

export interface ReceivedReport {
  readonly report: Report;
  readonly receivedAt: Instant;
}

export interface SignalFold {
  /** Takes one report in. Replays of seconds that are no news any more only tell that the pod is alive again. */
  accept(report: Report, receivedAt: Instant): void;
  /** Takes an answer of a source outside the pods; the last one of a metric counts. */
  acceptExternal(sample: ExternalSample, receivedAt: Instant): void;
  /** The signals of the policy and the traffic of the target as known at `now`. Pods that are gone are forgotten. */
  fold(pods: readonly PodFacts[], now: Instant): Folded;
}

interface PodState {
  /** When the newest window ended, on our clock. */
  measuredAt: Instant;
  report: Report;
  lastBusyAt: Instant | undefined;
}

type LatencyFamily = 'latencyMs' | 'timeToFirstTokenMs' | 'timeToFirstByteMs' | 'interTokenMs';

const families: Readonly<Partial<Record<MetricName, { readonly family: LatencyFamily; readonly q: number }>>> = {
  latencyP99: { family: 'latencyMs', q: 0.99 },
  latencyP95: { family: 'latencyMs', q: 0.95 },
  timeToFirstTokenP99: { family: 'timeToFirstTokenMs', q: 0.99 },
  timeToFirstTokenP95: { family: 'timeToFirstTokenMs', q: 0.95 },
  interTokenLatencyP99: { family: 'interTokenMs', q: 0.99 },
  interTokenLatencyP95: { family: 'interTokenMs', q: 0.95 },
};

/** Totals over pods, each with its own mean. `custom:` metrics of agents come on top. */
const totals = {
  concurrency: agentMetrics.concurrency,
  requestQueueDepth: agentMetrics.requestQueueDepth,
  tokensPerSecond: agentMetrics.tokensPerSecond,
  promptTokensPerSecond: agentMetrics.promptTokensPerSecond,
  arrivals: agentMetrics.requestsPerSecond,
  completions: (report: Report) => (report.windowMs > 0 ? (1_000 * finishedCount(report)) / report.windowMs : 0),
} as const satisfies Record<string, (report: Report) => number>;

/** The fast mean of events a second covers twice its span. */
const rateSpread = 1 / Math.sqrt((2 * limits.fastMean) / 1_000);

/** Six digits are more than any measurement holds, and keep records short. */
const rounded = (value: number): number => (Number.isFinite(value) ? Number(value.toPrecision(6)) : value);

export function createSignalFold(policy: Policy): SignalFold {
  const pods = new Map<string, PodState>();
  const external = new Map<MetricName, { readonly sample: ExternalSample; readonly receivedAt: Instant }>();
  const means = new Map<string, MovingMean>();
  const windows = new Map<LatencyFamily, LatencyWindow>();
  /** Gauges and latencies that were known once: their absence is a loss and not a lack. */
  const everSeen = new Set<MetricName>();
  /** Pods that served at the last look. */
  let served = 0;

  const wantsFamily = (family: LatencyFamily) =>
    family === 'latencyMs' || policy.metrics.some(({ name }) => families[name]?.family === family || name === 'work');
  for (const family of ['latencyMs', 'timeToFirstTokenMs', 'interTokenMs'] as const) {
    if (wantsFamily(family)) windows.set(family, createLatencyWindow());
  }
  if (windows.has('timeToFirstTokenMs')) windows.set('timeToFirstByteMs', createLatencyWindow());

  const meanOf = (name: string): MovingMean => {
    const known = means.get(name);
    if (known !== undefined) return known;
    const made = createMovingMean(name === 'arrivals' || name === 'completions' ? rateSpread : 1);
    means.set(name, made);
    return made;
  };

  return {
    accept(report, receivedAt) {
      const measuredAt = before(receivedAt, milliseconds(Math.max(0, report.ageMs)));
      const known = pods.get(report.pod.uid);
      if (elapsed(measuredAt, receivedAt) > limits.staleAfter) return;
      for (const [family, window] of windows) window.add(report.traffic[family], receivedAt);
      if (known !== undefined && measuredAt < known.measuredAt) return;
      const lastBusyAt = isBusy(report) ? measuredAt : known?.lastBusyAt;
      pods.set(report.pod.uid, { measuredAt, report, lastBusyAt });
    },

    acceptExternal(sample, receivedAt) {
      external.set(sample.name, { sample, receivedAt });
    },

    fold(podFacts, now) {
      const present = new Set(podFacts.map(({ uid }) => uid));
      for (const uid of pods.keys()) if (!present.has(uid)) pods.delete(uid);
      const fleet = fleetOf(podFacts, pods, now);
      // A mean per pod is no total: when replicas join, it would tell of the old crowd for a minute and buy twice.
      if (served > 0 && fleet.serving > 0 && fleet.serving !== served) {
        for (const { name } of policy.metrics) if (name in gauges) means.get(name)?.scale(served / fleet.serving);
      }
      served = fleet.serving;
      const traffic = trafficOf(fleet);
      const signals = policy.metrics.map((metric) => signalOf(metric, fleet, traffic, now));
      return { signals, traffic };
    },
  };

  function trafficOf(fleet: Fleet): Traffic {
    const { now } = fleet;
    const sums = Object.fromEntries(Object.keys(totals).map((name) => [name, 0])) as Record<
      keyof typeof totals,
      number
    >;
    for (const { report } of fleet.fresh) {
      for (const name of Object.keys(totals) as (keyof typeof totals)[]) sums[name] += totals[name](report);
    }
    for (const name of Object.keys(totals) as (keyof typeof totals)[]) {
      if (fleet.idle) meanOf(name).reset(0, now);
      else if (fleet.fresh.length > 0) meanOf(name).add(sums[name], now);
    }
    const inFlight = meanOf('concurrency');
    // Of the same span, or their quotient would be wrong whenever one of them hurries.
    const completions = meanOf('completions').fast();
    const perRequest = (rate: number) => (completions > 0 && rate > 0 ? rounded(rate / completions) : undefined);
    const known = <Value>(name: string, value: Value | undefined) => (value === undefined ? {} : { [name]: value });
    const mean = (family: LatencyFamily) => {
      const value = windows.get(family)?.mean(now);
      return value === undefined ? undefined : rounded(value);
    };
    return {
      inFlight: rounded(inFlight.steady()),
      inFlightAssumed: rounded(fleet.silent.reduce((sum, { state }) => sum + (state?.report.traffic.inFlight ?? 0), 0)),
      queue: rounded(meanOf('requestQueueDepth').steady()),
      arrivalsPerSecond: rounded(meanOf('arrivals').slow()),
      arrivalsNow: rounded(meanOf('arrivals').fast()),
      completionsPerSecond: rounded(meanOf('completions').fast()),
      rising: sums.concurrency - inFlight.fast() > Math.max(0.1 * inFlight.fast(), Math.sqrt(inFlight.fast())),
      draining: inFlight.slow() - inFlight.fast() > Math.max(0.01 * inFlight.slow(), 0.5 * Math.sqrt(inFlight.slow())),
      steady:
        Math.abs(inFlight.fast() - inFlight.slow()) <= Math.max(0.15 * inFlight.slow(), Math.sqrt(inFlight.slow())),
      promptTokensPerSecond: rounded(meanOf('promptTokensPerSecond').steady()),
      generatedTokensPerSecond: rounded(meanOf('tokensPerSecond').steady()),
      ...known('meanLatencyMs', mean('latencyMs')),
      ...known('meanTimeToFirstTokenMs', mean('timeToFirstTokenMs')),
      ...known('meanInterTokenMs', mean('interTokenMs')),
      ...known('promptTokensPerRequest', perRequest(meanOf('promptTokensPerSecond').fast())),
      ...known('generatedTokensPerRequest', perRequest(meanOf('tokensPerSecond').fast())),
      idle: fleet.idle,
      measured: fleet.fresh.length,
      silent: fleet.silent.length,
      ...(fleet.fresh.length === 0
        ? {}
        : { ageMs: Math.max(...fleet.fresh.map(({ measuredAt }) => elapsed(measuredAt, now))) }),
    };
  }

  function signalOf(metric: MetricTarget, fleet: Fleet, traffic: Traffic, now: Instant): Signal {
    const fromOutside = externalSignal(metric, fleet, now);
    if (metric.source === 'prometheus') return fromOutside ?? missing(metric, fleet, 'NotAsked', 'prometheus');
    const fromAgents = agentSignal(metric, fleet, traffic, now);
    if (fromAgents.state === 'value' || fromAgents.state === 'idle' || metric.source === 'agents') return fromAgents;
    return fromOutside?.state === 'value' ? fromOutside : fromAgents;
  }

  function externalSignal(metric: MetricTarget, fleet: Fleet, now: Instant): Signal | undefined {
    if (metric.prometheusQuery === undefined && metric.source !== 'prometheus') return undefined;
    const last = external.get(metric.name);
    if (last === undefined) return missing(metric, fleet, 'NotAsked', 'prometheus');
    const { sample, receivedAt } = last;
    if (sample.kind === 'missing') return missing(metric, fleet, sample.cause, 'prometheus');
    const wrong = externalProblem(sample);
    if (wrong !== undefined) return missing(metric, fleet, wrong, 'prometheus');
    const ageMs = Math.max(0, sample.ageMs) + elapsed(receivedAt, now);
    const state =
      ageMs <= limits.externalStaleAfter ? 'value' : ageMs <= limits.externalLostAfter ? 'stale' : 'missing';
    if (state === 'missing') return missing(metric, fleet, 'Lost', 'prometheus', ageMs);
    const base = {
      ...head(metric, 'prometheus'),
      state,
      value: rounded(sample.value),
      ageMs: Math.round(ageMs),
    } as const;
    return { ...base, assumed: 0, measured: fleet.serving, silent: 0 };
  }

  function agentSignal(metric: MetricTarget, fleet: Fleet, traffic: Traffic, now: Instant): Signal {
    const latency = families[metric.name];
    if (latency !== undefined) return latencySignal(metric, latency, fleet, traffic, now);
    if (metric.name in gauges) return gaugeSignal(metric, metric.name as Gauge, fleet, now);
    if (metric.name === 'work')
      return trafficSignal(metric, fleet, traffic.generatedTokensPerSecond + traffic.promptTokensPerSecond, () => 0);
    if (metric.name.startsWith('custom:')) {
      const measure = agentMetrics[metric.agentMetric as AgentMetric];
      if (measure === undefined) {
        return missing(
          metric,
          fleet,
          metric.agentMetric === undefined ? 'NotConfigured' : 'UnknownAgentMetric',
          'agent',
        );
      }
      const mean = meanOf(metric.name);
      if (fleet.idle) mean.reset(0, now);
      else if (fleet.fresh.length > 0)
        mean.add(
          fleet.fresh.reduce((sum, { report }) => sum + measure(report), 0),
          now,
        );
      return trafficSignal(metric, fleet, mean.steady(), measure);
    }
    const name = metric.name as 'concurrency' | 'requestQueueDepth' | 'tokensPerSecond';
    return trafficSignal(metric, fleet, meanOf(name).steady(), totals[name]);
  }

  function trafficSignal(
    metric: MetricTarget,
    fleet: Fleet,
    value: number,
    measure: (report: Report) => number,
  ): Signal {
    const source = metric.name === 'requestQueueDepth' ? queueSource(fleet) : 'agent';
    if (fleet.fresh.length === 0) return unheard(metric, fleet, source, rounded(value));
    const assumed = fleet.silent.reduce(
      (sum, { state }) => sum + Math.max(metric.target, state === undefined ? 0 : measure(state.report)),
      0,
    );
    return {
      ...head(metric, source),
      state: fleet.idle ? 'idle' : 'value',
      value: rounded(fleet.idle ? 0 : value),
      assumed: rounded(assumed),
      measured: fleet.fresh.length,
      silent: fleet.silent.length,
      ageMs: oldest(fleet),
    };
  }

  function latencySignal(
    metric: MetricTarget,
    { family, q }: { readonly family: LatencyFamily; readonly q: number },
    fleet: Fleet,
    traffic: Traffic,
    now: Instant,
  ): Signal {
    let source = 'agent';
    let value = windows.get(family)!.quantile(q, now);
    if (value === undefined && family === 'timeToFirstTokenMs') {
      // Answers that are not streamed have no first token that could be seen; their first byte is what a user waits for.
      value = windows.get('timeToFirstByteMs')!.quantile(q, now);
      source = 'agent/firstByte';
    }
    if (fleet.fresh.length === 0)
      return unheard(metric, fleet, source, value === undefined ? undefined : rounded(value));
    const counts = { measured: fleet.fresh.length, silent: fleet.silent.length, ageMs: oldest(fleet), assumed: 0 };
    if (value !== undefined && !fleet.idle) {
      everSeen.add(metric.name);
      return { ...head(metric, source), state: 'value', value: rounded(value), ...counts };
    }
    if (fleet.idle || traffic.inFlight < 0.01) return { ...head(metric, source), state: 'idle', value: 0, ...counts };
    const answered = windows.get('latencyMs')!.mean(now) !== undefined;
    const cause = answered && !everSeen.has(metric.name) ? 'NotMeasured' : 'NoSamples';
    return { ...head(metric, source), state: 'missing', cause, ...counts };
  }

  function gaugeSignal(metric: MetricTarget, gauge: Gauge, fleet: Fleet, now: Instant): Signal {
    const read = gauges[gauge];
    let sum = 0;
    let measured = 0;
    let ageMs = 0;
    let source = 'agent';
    for (const { report, measuredAt } of fleet.fresh) {
      const value = read(report);
      if (value === undefined || !Number.isFinite(value) || value < 0) continue;
      sum += value;
      measured += 1;
      ageMs = Math.max(ageMs, elapsed(measuredAt, now) + gaugeAge(gauge, report));
      source = gaugeSource(gauge, report);
    }
    const without = fleet.fresh.length - measured;
    if (measured === 0) {
      if (fleet.fresh.length === 0) return unheard(metric, fleet, source, undefined);
      return missing(metric, fleet, everSeen.has(metric.name) ? 'Lost' : 'NotMeasured', 'agent');
    }
    everSeen.add(metric.name);
    const mean = meanOf(metric.name);
    if (fleet.idle) mean.reset(sum / measured, now);
    else mean.add(sum / measured, now);
    return {
      ...head(metric, source),
      state: ageMs > limits.lostAfter ? 'stale' : 'value',
      value: rounded(mean.steady()),
      assumed: 0,
      measured,
      silent: fleet.silent.length + without,
      ageMs: Math.round(ageMs),
    };
  }
}

/**
 * The same from a list of reports, for callers that keep them: each pod's reports with the instants they arrived at.
 * @param pods the target's pods now
 */
export function foldSignals(
  policy: Policy,
  reports: Iterable<ReceivedReport>,
  pods: readonly PodFacts[],
  now: Instant,
  external: Iterable<{ readonly sample: ExternalSample; readonly receivedAt: Instant }> = [],
): Folded {
  const fold = createSignalFold(policy);
  const ordered = [...reports].sort(
    (left, right) =>
      left.receivedAt - right.receivedAt ||
      (left.report.pod.uid < right.report.pod.uid ? -1 : left.report.pod.uid > right.report.pod.uid ? 1 : 0) ||
      left.report.sequence - right.report.sequence,
  );
  for (let at = 0; at < ordered.length; at += 1) {
    const { report, receivedAt } = ordered[at]!;
    fold.accept(report, receivedAt);
    // Means follow the fleet's total from moment to moment: look whenever a moment's reports are complete.
    if (ordered[at + 1]?.receivedAt !== receivedAt) fold.fold(pods, receivedAt);
  }
  for (const { sample, receivedAt } of external) fold.acceptExternal(sample, receivedAt);
  return fold.fold(pods, now);
}

interface Fleet {
  readonly now: Instant;
  readonly serving: number;
  readonly fresh: readonly PodState[];
  readonly silent: readonly { readonly state: PodState | undefined }[];
  /** Every serving pod is fresh and none was busy lately. */
  readonly idle: boolean;
  readonly lostReport: boolean;
}

function fleetOf(podFacts: readonly PodFacts[], states: ReadonlyMap<string, PodState>, now: Instant): Fleet {
  const fresh: PodState[] = [];
  const silent: { state: PodState | undefined }[] = [];
  let serving = 0;
  let busy = false;
  let lostReport = false;
  for (const pod of podFacts) {
    if (pod.deletedAt !== undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed' || !isReady(pod)) continue;
    const state = states.get(pod.uid);
    // A pod that says it leaves is no survivor; its requests finish where they are.
    if (state?.report.leaving === true) continue;
    serving += 1;
    if (state !== undefined && elapsed(state.measuredAt, now) <= limits.staleAfter) {
      fresh.push(state);
      if (state.lastBusyAt !== undefined && elapsed(state.lastBusyAt, now) < limits.idleAfter) busy = true;
      continue;
    }
    if (state !== undefined) lostReport = true;
    const since = readySince(pod);
    // A pod that has just become ready has not had the time to report.
    if (state === undefined && since !== undefined && elapsed(since, now) < limits.lostAfter) continue;
    silent.push({ state });
  }
  return { now, serving, fresh, silent, idle: fresh.length > 0 && silent.length === 0 && !busy, lostReport };
}

const head = (metric: MetricTarget, source: string) => ({
  name: metric.name,
  shape: metric.shape,
  target: metric.target,
  source,
});

function missing(metric: MetricTarget, fleet: Fleet, cause: MissingCause, source: string, ageMs?: number): Signal {
  return {
    ...head(metric, source),
    state: 'missing',
    cause,
    assumed: 0,
    measured: 0,
    silent: fleet.serving,
    ...(ageMs === undefined ? {} : { ageMs: Math.round(ageMs) }),
  };
}

/** No serving pod is fresh: stale for a while, then missing. */
function unheard(metric: MetricTarget, fleet: Fleet, source: string, last: number | undefined): Signal {
  const ages = fleet.silent.flatMap(({ state }) => (state === undefined ? [] : [elapsed(state.measuredAt, fleet.now)]));
  const youngest = Math.min(...ages);
  if (youngest <= limits.lostAfter && last !== undefined) {
    return {
      ...head(metric, source),
      state: 'stale',
      value: last,
      assumed: 0,
      measured: 0,
      silent: fleet.silent.length,
      ageMs: youngest,
    };
  }
  const cause = fleet.serving === 0 ? 'NoPods' : fleet.lostReport ? 'Lost' : 'NoReports';
  return missing(metric, fleet, cause, source, ages.length === 0 ? undefined : youngest);
}

const oldest = (fleet: Fleet): number => {
  let age = 0;
  for (const { measuredAt } of fleet.fresh) age = Math.max(age, elapsed(measuredAt, fleet.now));
  return age;
};

const queueSource = (fleet: Fleet): string => {
  const first = fleet.fresh[0]?.report.queue.source;
  return first === undefined ? 'agent' : `agent/${first}`;
};

/** What makes a number from outside no measurement. */
export function externalProblem(sample: { readonly value: number; readonly ageMs: number }): MissingCause | undefined {
  if (Number.isNaN(sample.value) || Number.isNaN(sample.ageMs)) return 'NotANumber';
  if (!Number.isFinite(sample.value) || sample.value < 0 || sample.value > 1e15) return 'OutOfRange';
  if (sample.ageMs < -limits.futureTolerance) return 'FutureTimestamp';
  return undefined;
}
