// Folds what the pods of a target report into its signals. State is one closure per policy: a few numbers of each pod,
// means of the fleet's totals, and windows of latencies that are added up as reports arrive, so that deciding costs the
// same however much was measured, and no report is kept. Totals are averaged over the fleet and not pod by pod: when a
// replica joins, load moves between pods within a second, and means of single pods would count it twice.
import type { MetricName, MetricTarget, Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { before, elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { createLatencyWindow, type LatencyWindow } from './latency-window.ts';
import { isReady, type PodFacts, readySince } from './ledger.ts';
import { limits } from './limits.ts';
import { createMovingMean, follows, type MovingMean, never } from './moving-mean.ts';
import { createMovingQuotient } from './moving-quotient.ts';
import {
  type AgentMetric,
  agentMetrics,
  completionsPerSecond,
  firstTokensPerSecond,
  type Gauge,
  gaugeAge,
  gaugeSource,
  gauges,
  isBlind,
  isBusy,
  levels,
} from './pod-measures.ts';
import type { ExternalSample, Folded, MissingCause, Signal, Traffic } from './signal.ts';
import { significant } from './significant.ts';

export interface ReceivedReport {
  readonly report: Report;
  readonly receivedAt: Instant;
}

export interface SignalFold {
  /** Takes one report in. Replays of seconds that are no news any more are left out. */
  accept(report: Report, receivedAt: Instant): void;
  /** Takes an answer of a source outside the pods; the last one of a metric counts. */
  acceptExternal(sample: ExternalSample, receivedAt: Instant): void;
  /** The signals of the policy and the traffic of the target as known at `now`. Pods that are gone are forgotten. */
  fold(pods: readonly PodFacts[], now: Instant): Folded;
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

/** The fast mean of events a second covers twice its span, and so wanders less than a count. */
const rateSpread = 1 / Math.sqrt((2 * limits.fastMean) / 1_000);

/** A total over pods. */
interface Slot {
  readonly name: string;
  readonly of: (report: Report) => number;
  /** See createMovingMean. */
  readonly spread: number;
  /** How many there are at the end of a window, a mean over it, or events a second of it. */
  readonly kind: 'level' | 'mean' | 'events';
}

/** Totals over pods that every target has; custom metrics of agents follow behind. */
const totals = [
  { name: 'concurrency', of: agentMetrics.concurrency, spread: 1, kind: 'mean' },
  { name: 'requestQueueDepth', of: agentMetrics.requestQueueDepth, spread: 1, kind: 'level' },
  { name: 'tokensPerSecond', of: agentMetrics.tokensPerSecond, spread: 1, kind: 'events' },
  { name: 'promptTokensPerSecond', of: agentMetrics.promptTokensPerSecond, spread: 1, kind: 'events' },
  { name: 'arrivals', of: agentMetrics.requestsPerSecond, spread: rateSpread, kind: 'events' },
  { name: 'completions', of: completionsPerSecond, spread: rateSpread, kind: 'events' },
  { name: 'firstTokens', of: firstTokensPerSecond, spread: rateSpread, kind: 'events' },
] as const satisfies readonly Slot[];
const slotOf = (name: (typeof totals)[number]['name']): number => totals.findIndex((total) => total.name === name);
const [inFlightSlot, queueSlot, tokensSlot, promptSlot, arrivalsSlot, completionsSlot, firstTokensSlot] = totals.map(
  ({ name }) => slotOf(name),
) as [number, number, number, number, number, number, number];

/** What is kept of a pod: overwritten by each report, so that a second of a large fleet leaves no garbage. */
interface PodState {
  /** When the newest window ended, on our clock. */
  measuredAt: Instant;
  busyAt: Instant;
  leaving: boolean;
  /** No request passes its agent, so it has no latencies to tell. */
  unobserved: boolean;
  /** Nor does its engine say how many it has. */
  blind: boolean;
  inFlight: number;
  /** Requests being served. */
  running: number;
  /** Milliseconds in a row in which requests waited and as many as before were served: the pod has no place left. */
  fullFor: number;
  queueSource: string;
  /** The window of the last report, where that told of a jump that no look has taken account of yet; else 0. */
  jumpWindow: number;
  /** By slot, as of the last look. */
  readonly totals: number[];
  /** What was reported since, each times its window: windows are of any length, and several may fall between two looks. */
  readonly sums: number[];
  windows: number;
  /** Events that came to be known since the last look, a second times milliseconds, and for how long a late report is assumed to tell what
   * the one before did. */
  readonly came: number[];
  assumed: number;
  /** By gauge of the policy; NaN where the pod does not tell. */
  readonly gauges: number[];
  readonly gaugeAges: number[];
  readonly gaugeSources: string[];
}

interface Fleet {
  readonly now: Instant;
  serving: number;
  readonly fresh: PodState[];
  /** Pods that should have reported lately; undefined for one that never did. */
  readonly silent: (PodState | undefined)[];
  /** Of the fresh ones: without latencies, and without any count of requests. */
  unobserved: number;
  blind: number;
  /** Every serving pod is fresh and none was busy lately. */
  idle: boolean;
  lostReport: boolean;
  /** Age of the oldest fresh report. */
  ageMs: number;
}

export function createSignalFold(policy: Policy): SignalFold {
  const pods = new Map<string, PodState>();
  const external = new Map<MetricName, { readonly sample: ExternalSample; readonly receivedAt: Instant }>();
  /** Gauges and latencies that were known once: their absence is a loss and not a lack. */
  const everSeen = new Set<MetricName>();
  /** Pods that served at the last look. */
  let served = 0;
  let lookedAt: Instant = never;
  /** How long an answer took when one was last seen. */
  let answerTakes = 0;

  const customs = policy.metrics.flatMap(({ name, agentMetric }) => {
    const of = name.startsWith('custom:') ? agentMetrics[agentMetric as AgentMetric] : undefined;
    return of === undefined
      ? []
      : [{ name, of, spread: 1, kind: levels.has(agentMetric ?? '') ? 'level' : 'mean' } as const];
  });
  const slots: readonly Slot[] = [...totals, ...customs];
  const means: readonly MovingMean[] = slots.map(({ spread }) => createMovingMean(spread));
  const promptTokens = createMovingQuotient(limits.requestsOfMean);
  const generatedTokens = createMovingQuotient(limits.requestsOfMean);
  const gaugeNames = policy.metrics.flatMap(({ name }) => (name in gauges ? [name as Gauge] : []));
  const gaugeMeans: readonly MovingMean[] = gaugeNames.map(() => createMovingMean());
  const windows = windowsOf(policy);
  const latencies = windows.get('latencyMs')!;
  const firstTokens = windows.get('timeToFirstTokenMs');
  const firstBytes = windows.get('timeToFirstByteMs');
  const interTokens = windows.get('interTokenMs');

  return {
    accept(report, receivedAt) {
      const measuredAt = before(receivedAt, milliseconds(Math.max(0, report.ageMs)));
      if (elapsed(measuredAt, receivedAt) > limits.staleAfter) return;
      const { traffic } = report;
      latencies.add(traffic.latencyMs, receivedAt);
      firstTokens?.add(traffic.timeToFirstTokenMs, receivedAt);
      if (traffic.timeToFirstTokenMs.bins.length === 0) firstBytes?.add(traffic.timeToFirstByteMs, receivedAt);
      interTokens?.add(traffic.interTokenMs, receivedAt);
      let state = pods.get(report.pod.uid);
      if (state === undefined) {
        state = newPodState();
        pods.set(report.pod.uid, state);
      } else {
        notAfter(state, receivedAt);
        // A replay that comes late.
        if (measuredAt < state.measuredAt) return;
      }
      state.measuredAt = measuredAt;
      if (isBusy(report)) state.busyAt = measuredAt;
      state.leaving = report.leaving === true;
      state.unobserved = report.unobserved === true;
      state.blind = isBlind(report);
      state.inFlight = agentMetrics.inFlight(report);
      followPlaces(state, report, state.totals[queueSlot]!);
      state.queueSource = queueSources[report.queue.source];
      if (report.jumped === true) state.jumpWindow = report.windowMs;
      for (let slot = 0; slot < slots.length; slot += 1) {
        const { of, kind } = slots[slot]!;
        if (kind === 'level') state.totals[slot] = of(report);
        else state.sums[slot]! += of(report) * report.windowMs;
      }
      state.windows += report.windowMs;
      for (let at = 0; at < gaugeNames.length; at += 1) {
        const value = gauges[gaugeNames[at]!](report);
        state.gauges[at] = value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY ? value : Number.NaN;
        state.gaugeAges[at] = gaugeAge(gaugeNames[at]!, report);
        state.gaugeSources[at] = gaugeSource(gaugeNames[at]!, report);
      }
    },

    acceptExternal(sample, receivedAt) {
      external.set(sample.name, { sample, receivedAt });
    },

    fold(podFacts, now) {
      if (pods.size > podFacts.length) forgetGone(pods, podFacts);
      const span = follows(lookedAt, now) ? elapsed(lookedAt, now) : 0;
      lookedAt = now;
      for (const state of pods.values()) {
        notAfter(state, now);
        settleTotals(state, span, now);
      }
      const fleet = fleetOf(podFacts, pods, now);
      // A mean per pod is no total: when replicas join, it would tell of the old crowd for a minute and buy twice.
      if (served > 0 && fleet.serving > 0 && fleet.serving !== served) {
        for (const mean of gaugeMeans) mean.scale(served / fleet.serving);
      }
      served = fleet.serving;
      const rising = followTotals(fleet, span);
      const traffic = trafficOf(fleet, rising);
      const signals = policy.metrics.map((metric) => signalOf(metric, fleet, traffic));
      return { signals, traffic };
    },
  };

  function newPodState(): PodState {
    return {
      measuredAt: 0 as Instant,
      busyAt: never,
      leaving: false,
      unobserved: false,
      blind: false,
      inFlight: 0,
      running: 0,
      fullFor: 0,
      queueSource: 'agent',
      jumpWindow: 0,
      totals: slots.map(() => 0),
      sums: slots.map(() => 0),
      windows: 0,
      came: slots.map(() => 0),
      assumed: 0,
      gauges: gaugeNames.map(() => Number.NaN),
      gaugeAges: gaugeNames.map(() => 0),
      gaugeSources: gaugeNames.map(() => 'agent'),
    };
  }

  /** Brings the means up to now; tells whether requests in flight climb. */
  function followTotals({ fresh, idle, now }: Fleet, span: number): boolean {
    let inFlight = 0;
    let arrivals = 0;
    let jumped = 0;
    let window = Number.POSITIVE_INFINITY;
    for (const state of fresh) {
      if (state.jumpWindow === 0) continue;
      jumped += state.inFlight - state.totals[inFlightSlot]!;
      window = Math.min(window, state.jumpWindow);
      state.jumpWindow = 0;
    }
    for (let slot = 0; slot < slots.length; slot += 1) {
      const mean = means[slot]!;
      if (idle) mean.reset(0, now);
      else if (fresh.length > 0) {
        let sum = 0;
        for (const state of fresh) sum += state.totals[slot]!;
        if (slot === inFlightSlot) inFlight = sum;
        else if (slot === arrivalsSlot) arrivals = sum;
        mean.add(span > 0 && slots[slot]!.kind === 'events' ? cameTo(fresh, slot) / span : sum, now);
      }
    }
    if (!idle && fresh.length > 0) {
      // Means of one span, or the quotients would be wrong whenever one of them hurries.
      promptTokens.add(means[promptSlot]!.fast(), means[completionsSlot]!.fast(), now);
      generatedTokens.add(means[tokensSlot]!.fast(), answersWritten(), now);
    }
    if (window < Number.POSITIVE_INFINITY) {
      answerTakes = latencies.mean(now) ?? answerTakes;
      // What a jump's window averages is mostly the time before. What is in flight now will be so for as long as an answer
      // takes, whatever comes next; waiting until it has been would only bring the same decision later.
      means[inFlightSlot]!.foresee(inFlight + jumped, answerTakes, false);
      if (answerTakes > 0 && window >= Math.max(answerTakes, limits.jumpHolds)) {
        // Answers were given since, and others asked in their stead: that will go on for as long again at least.
        const held = Math.min(inFlight, (arrivals * answerTakes) / 1_000);
        means[inFlightSlot]!.foresee(held, window, true);
        means[arrivalsSlot]!.foresee(arrivals, window, false);
      }
      inFlight += Math.max(0, jumped);
    }
    const fast = means[inFlightSlot]!.fast();
    return inFlight - fast > Math.max(0.1 * fast, Math.sqrt(fast));
  }

  /** Events are counted once, when they are told: a replica that joins takes requests from others, whose last reports still tell of them,
   * and rates added up would see load rise by half. */
  function settleTotals(state: PodState, span: number, now: Instant): void {
    const isNew = state.windows > 0;
    const late = isNew ? 0 : Math.min(span, Math.max(0, elapsed(state.measuredAt, now) - limits.reportIsLate));
    // What waited behind a broken connection is no burst.
    const share = Math.min(1, (state.assumed + limits.toldAtOnce) / state.windows);
    for (let slot = 0; slot < slots.length; slot += 1) {
      const { kind } = slots[slot]!;
      if (kind === 'level') continue;
      const before = state.totals[slot]!;
      if (!isNew) {
        state.came[slot] = before * late;
        continue;
      }
      const sum = state.sums[slot]!;
      state.came[slot] = share * sum - before * Math.min(state.assumed, state.windows);
      state.totals[slot] = sum / state.windows;
      state.sums[slot] = 0;
    }
    state.assumed = isNew ? 0 : state.assumed + late;
    state.windows = 0;
  }

  function trafficOf(fleet: Fleet, rising: boolean): Traffic {
    const { now } = fleet;
    const fast = means[inFlightSlot]!.fast();
    const slow = means[inFlightSlot]!.slow();
    let inFlightAssumed = 0;
    for (const state of fleet.silent) inFlightAssumed += state?.inFlight ?? 0;
    const traffic: { -readonly [Key in keyof Traffic]: Traffic[Key] } = {
      inFlight: significant(means[inFlightSlot]!.steady()),
      inFlightAssumed: significant(inFlightAssumed),
      queue: significant(means[queueSlot]!.steady()),
      arrivalsPerSecond: significant(means[arrivalsSlot]!.steady()),
      arrivalsNow: significant(means[arrivalsSlot]!.fast()),
      completionsPerSecond: significant(means[completionsSlot]!.fast()),
      rising,
      draining: slow - fast > Math.max(0.01 * slow, 0.5 * Math.sqrt(slow)),
      steady: Math.abs(fast - slow) <= Math.max(0.15 * slow, Math.sqrt(slow)),
      saturated: fleet.fresh.length > 0 && fleet.fresh.every((state) => state.totals[queueSlot]! >= 1),
      promptTokensPerSecond: significant(means[promptSlot]!.steady()),
      generatedTokensPerSecond: significant(means[tokensSlot]!.steady()),
      idle: fleet.idle,
      measured: fleet.fresh.length,
      silent: fleet.silent.length,
    };
    const latency = latencies.mean(now);
    const firstToken = firstTokens?.mean(now);
    const interToken = interTokens?.mean(now);
    if (latency !== undefined) traffic.meanLatencyMs = significant(latency);
    if (firstToken !== undefined) traffic.meanTimeToFirstTokenMs = significant(firstToken);
    if (interToken !== undefined) traffic.meanInterTokenMs = significant(interToken);
    const prompt = promptTokens.value();
    const generated = generatedTokens.value();
    if (prompt !== undefined) traffic.promptTokensPerRequest = significant(prompt);
    if (generated !== undefined) traffic.generatedTokensPerRequest = significant(generated);
    if (fleet.fresh.length > 0) traffic.ageMs = fleet.ageMs;
    let atOnce = 0;
    for (const { running } of fleet.fresh) atOnce = Math.max(atOnce, running);
    if (atOnce > 0) traffic.atOnce = significant(atOnce);
    const places = meanOfFull(fleet, limits.fullFor, ({ running }) => running);
    if (places !== undefined) traffic.places = significant(places);
    const written = meanOfFull(fleet, limits.longFull, (state) => state.totals[tokensSlot]!);
    if (written !== undefined) traffic.fullTokensPerSecond = significant(written);
    return traffic;
  }

  /** Answers a second that tokens were written of. Those under way have tokens too: while load rises more of them begin than
   * end, and by those that end alone answers would seem longer. Of all, only what is streamed tells when it began. */
  function answersWritten(): number {
    const ended = means[completionsSlot]!;
    const begun = means[firstTokensSlot]!;
    const streamed = ended.slow() > 0 ? Math.min(1, begun.slow() / ended.slow()) : 0;
    return ended.fast() + Math.max(-ended.fast(), begun.fast() - streamed * ended.fast()) / 2;
  }

  function signalOf(metric: MetricTarget, fleet: Fleet, traffic: Traffic): Signal {
    const fromOutside = externalSignal(metric, fleet);
    if (metric.source === 'prometheus') return fromOutside ?? missing(metric, fleet, 'NotAsked', 'prometheus');
    const fromAgents = agentSignal(metric, fleet, traffic);
    if (fromAgents.state === 'value' || fromAgents.state === 'idle' || metric.source === 'agents') return fromAgents;
    return fromOutside?.state === 'value' || fromOutside?.state === 'idle' ? fromOutside : fromAgents;
  }

  function externalSignal(metric: MetricTarget, fleet: Fleet): Signal | undefined {
    if (metric.prometheusQuery === undefined && metric.source !== 'prometheus') return undefined;
    const last = external.get(metric.name);
    if (last === undefined) return missing(metric, fleet, 'NotAsked', 'prometheus');
    const { sample, receivedAt } = last;
    if (sample.kind === 'missing') return missing(metric, fleet, sample.cause, 'prometheus');
    const wrong = externalProblem(sample);
    if (wrong !== undefined) return missing(metric, fleet, wrong, 'prometheus');
    const ageMs = Math.round(Math.max(0, sample.ageMs) + elapsed(receivedAt, fleet.now));
    if (ageMs > limits.externalLostAfter) return missing(metric, fleet, 'Lost', 'prometheus', ageMs);
    const measured = Math.max(0, Math.min(fleet.serving, sample.pods ?? fleet.serving));
    const silent = fleet.serving - measured;
    const assumed = metric.shape === 'perReplica' ? silent * metric.target : 0;
    // No answer takes no time at all: this is how a query says that there was none to measure.
    const sound = metric.shape === 'latency' && sample.value === 0 ? 'idle' : 'value';
    const state = ageMs <= limits.externalStaleAfter ? sound : 'stale';
    return signal(metric, 'prometheus', state, sample.value, assumed, measured, silent, ageMs);
  }

  function agentSignal(metric: MetricTarget, fleet: Fleet, traffic: Traffic): Signal {
    const { name } = metric;
    const latency = families[name];
    if (latency !== undefined) return latencySignal(metric, latency, fleet, traffic);
    const gauge = gaugeNames.indexOf(name as Gauge);
    if (gauge !== -1) return gaugeSignal(metric, gauge, fleet);
    if (name === 'work') {
      const tokens = traffic.generatedTokensPerSecond + traffic.promptTokensPerSecond;
      return totalSignal(metric, fleet, tokens, undefined);
    }
    const slot = slots.findIndex((each) => each.name === name);
    if (slot !== -1) return totalSignal(metric, fleet, means[slot]!.steady(), slot);
    return missing(metric, fleet, metric.agentMetric === undefined ? 'NotConfigured' : 'UnknownAgentMetric', 'agent');
  }

  function totalSignal(metric: MetricTarget, fleet: Fleet, value: number, slot: number | undefined): Signal {
    const source = slot === queueSlot ? (fleet.fresh[0]?.queueSource ?? 'agent') : 'agent';
    if (fleet.fresh.length === 0) return unheard(metric, fleet, source, value);
    if (fleet.blind === fleet.fresh.length) return missing(metric, fleet, 'Unobserved', source, fleet.ageMs);
    let assumed = metric.target * fleet.blind;
    for (const state of fleet.silent) {
      assumed += Math.max(metric.target, slot === undefined ? 0 : (state?.totals[slot] ?? 0));
    }
    const state = fleet.idle ? 'idle' : 'value';
    return signal(
      metric,
      source,
      state,
      fleet.idle ? 0 : value,
      assumed,
      fleet.fresh.length - fleet.blind,
      fleet.silent.length + fleet.blind,
      fleet.ageMs,
    );
  }

  function latencySignal(
    metric: MetricTarget,
    { family, q }: { readonly family: LatencyFamily; readonly q: number },
    fleet: Fleet,
    traffic: Traffic,
  ): Signal {
    let source = 'agent';
    let value = windows.get(family)!.quantile(q, fleet.now);
    if (value === undefined && family === 'timeToFirstTokenMs') {
      // Answers that are not streamed have no first token that could be seen; their first byte is what a user waits for.
      value = firstBytes?.quantile(q, fleet.now);
      source = 'agent/firstByte';
    }
    const { fresh, ageMs, idle, unobserved } = fleet;
    if (fresh.length === 0) return unheard(metric, fleet, source, value);
    if (!idle && unobserved === fresh.length) return missing(metric, fleet, 'Unobserved', source, ageMs);
    const measured = fresh.length - unobserved;
    const silent = fleet.silent.length + unobserved;
    if (value !== undefined && !idle) {
      everSeen.add(metric.name);
      return signal(metric, source, 'value', value, 0, measured, silent, ageMs);
    }
    if (idle || traffic.inFlight < 0.01) return signal(metric, source, 'idle', 0, 0, measured, silent, ageMs);
    const answered = latencies.mean(fleet.now) !== undefined;
    const cause = answered && !everSeen.has(metric.name) ? 'NotMeasured' : 'NoSamples';
    return { ...missing(metric, fleet, cause, source, ageMs), measured, silent };
  }

  function gaugeSignal(metric: MetricTarget, gauge: number, fleet: Fleet): Signal {
    let sum = 0;
    let measured = 0;
    let ageMs = 0;
    let source = 'agent';
    for (const state of fleet.fresh) {
      const value = state.gauges[gauge]!;
      if (Number.isNaN(value)) continue;
      sum += value;
      measured += 1;
      ageMs = Math.max(ageMs, elapsed(state.measuredAt, fleet.now) + state.gaugeAges[gauge]!);
      source = state.gaugeSources[gauge]!;
    }
    if (measured === 0) {
      if (fleet.fresh.length === 0) return unheard(metric, fleet, source, undefined);
      return missing(metric, fleet, everSeen.has(metric.name) ? 'Lost' : 'NotMeasured', 'agent');
    }
    everSeen.add(metric.name);
    const mean = gaugeMeans[gauge]!;
    if (fleet.idle) mean.reset(sum / measured, fleet.now);
    else mean.add(sum / measured, fleet.now);
    const without = fleet.fresh.length - measured;
    const state = ageMs > limits.lostAfter ? 'stale' : 'value';
    return signal(metric, source, state, mean.steady(), 0, measured, fleet.silent.length + without, Math.round(ageMs));
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

/** What was measured later than now was measured by a clock that has been set back since. */
function notAfter(state: PodState, now: Instant): void {
  if (state.measuredAt > now) state.measuredAt = now;
  if (state.busyAt > now) state.busyAt = now;
}

/** A step under way makes newcomers wait for a moment; only who waits for long, beside as many as ever, waits for a place. */
function followPlaces(state: PodState, { engine, queue, windowMs }: Report, waitedBefore: number): void {
  const running = engine?.running ?? Math.max(0, state.inFlight - queue.length);
  const sameCrowd = Math.abs(running - state.running) <= Math.max(1, limits.sameCrowd * running);
  const stillWait = Math.min(queue.length, waitedBefore) >= limits.fullQueue;
  state.fullFor = sameCrowd && stillWait ? state.fullFor + windowMs : 0;
  state.running = running;
}

function cameTo(fresh: readonly PodState[], slot: number): number {
  let sum = 0;
  for (const state of fresh) sum += state.came[slot]!;
  return sum;
}

/** The mean of the pods that were full for so long; undefined while none was. */
function meanOfFull({ fresh }: Fleet, span: Milliseconds, of: (state: PodState) => number): number | undefined {
  let sum = 0;
  let full = 0;
  for (const state of fresh) {
    if (state.fullFor < span || state.running <= 0) continue;
    sum += of(state);
    full += 1;
  }
  return full === 0 ? undefined : sum / full;
}

/** Only the families that something asks for; whole latencies always, for the time an answer takes. */
function windowsOf(policy: Policy): ReadonlyMap<LatencyFamily, LatencyWindow> {
  const asks = (family: LatencyFamily) =>
    policy.metrics.some(({ name }) => families[name]?.family === family || name === 'work');
  const windows = new Map<LatencyFamily, LatencyWindow>([['latencyMs', createLatencyWindow()]]);
  if (asks('timeToFirstTokenMs')) {
    windows.set('timeToFirstTokenMs', createLatencyWindow());
    windows.set('timeToFirstByteMs', createLatencyWindow());
  }
  if (asks('interTokenMs')) windows.set('interTokenMs', createLatencyWindow());
  return windows;
}

const queueSources = { engine: 'agent/engine', limit: 'agent/limit', firstByte: 'agent/firstByte' } as const;

function forgetGone(pods: Map<string, PodState>, podFacts: readonly PodFacts[]): void {
  const present = new Set(podFacts.map(({ uid }) => uid));
  for (const uid of pods.keys()) if (!present.has(uid)) pods.delete(uid);
}

function fleetOf(podFacts: readonly PodFacts[], states: ReadonlyMap<string, PodState>, now: Instant): Fleet {
  const fleet: Fleet = {
    now,
    serving: 0,
    fresh: [],
    silent: [],
    unobserved: 0,
    blind: 0,
    idle: false,
    lostReport: false,
    ageMs: 0,
  };
  let busy = false;
  for (const pod of podFacts) {
    if (pod.deletedAt !== undefined || pod.phase === 'Succeeded' || pod.phase === 'Failed' || !isReady(pod)) continue;
    const state = states.get(pod.uid);
    // A pod that says it leaves is no survivor; its requests finish where they are.
    if (state?.leaving === true) continue;
    fleet.serving += 1;
    const age = state === undefined ? Number.POSITIVE_INFINITY : elapsed(state.measuredAt, now);
    if (state !== undefined && age <= limits.staleAfter) {
      fleet.fresh.push(state);
      if (state.unobserved) fleet.unobserved += 1;
      if (state.blind) fleet.blind += 1;
      fleet.ageMs = Math.max(fleet.ageMs, age);
      // By its own last word: silence after a busy second is no idleness.
      if (elapsed(state.busyAt, state.measuredAt) < limits.idleAfter) busy = true;
      continue;
    }
    if (state !== undefined) fleet.lostReport = true;
    const since = readySince(pod);
    // A pod that has just become ready has not had the time to report.
    if (state === undefined && since !== undefined && elapsed(since, now) < limits.lostAfter) continue;
    fleet.silent.push(state);
  }
  fleet.idle = fleet.fresh.length > 0 && fleet.silent.length === 0 && !busy;
  return fleet;
}

function signal(
  { name, shape, target }: MetricTarget,
  source: string,
  state: 'value' | 'idle' | 'stale',
  value: number,
  assumed: number,
  measured: number,
  silent: number,
  ageMs: number,
): Signal {
  return {
    name,
    shape,
    target,
    source,
    state,
    value: significant(value),
    assumed: significant(assumed),
    measured,
    silent,
    ageMs,
  };
}

function missing(
  { name, shape, target }: MetricTarget,
  fleet: Fleet,
  cause: MissingCause,
  source: string,
  ageMs?: number,
): Signal {
  const found = {
    name,
    shape,
    target,
    source,
    state: 'missing',
    cause,
    assumed: 0,
    measured: 0,
    silent: fleet.serving,
  } as const;
  return ageMs === undefined ? found : { ...found, ageMs: Math.round(ageMs) };
}

/** No serving pod is fresh: stale for a while, then missing. */
function unheard(metric: MetricTarget, fleet: Fleet, source: string, last: number | undefined): Signal {
  let youngest = Number.POSITIVE_INFINITY;
  for (const state of fleet.silent) {
    if (state !== undefined) youngest = Math.min(youngest, elapsed(state.measuredAt, fleet.now));
  }
  if (youngest <= limits.lostAfter && last !== undefined) {
    return signal(metric, source, 'stale', last, 0, 0, fleet.silent.length, youngest);
  }
  const cause = fleet.serving === 0 ? 'NoPods' : fleet.lostReport ? 'Lost' : 'NoReports';
  return missing(metric, fleet, cause, source, Number.isFinite(youngest) ? youngest : undefined);
}

/** What makes a number from outside no measurement. */
export function externalProblem(sample: { readonly value: number; readonly ageMs: number }): MissingCause | undefined {
  if (Number.isNaN(sample.value) || Number.isNaN(sample.ageMs)) return 'NotANumber';
  if (!Number.isFinite(sample.value) || sample.value < 0 || sample.value > 1e15) return 'OutOfRange';
  if (sample.ageMs < -limits.futureTolerance) return 'FutureTimestamp';
  return undefined;
}
