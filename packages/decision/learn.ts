// What a look at the target teaches before anything is decided: changes of size (whoever made them), how long starts
// take, and what load a replica carries. Load is only learned from in quiet moments: percentiles lag behind concurrency
// by the length of an answer, and a curve learned while both move would blame the wrong load.
import type { Policy } from '@kubeai/policy';
import { elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { type History, type LearnedLoad, withEvent, within } from './history.ts';
import { limits } from './limits.ts';
import { learnCurve } from './load-curve.ts';
import type { Signal, Traffic } from './signal.ts';
import type { Snapshot } from './snapshot.ts';
import { learnWork } from './work-model.ts';

const rounded = (value: number): number => Number(value.toPrecision(6));

/** The history brought up to now. */
export function learn(policy: Policy, snapshot: Snapshot, history: History, now: Instant): History {
  const sized = learnSize(policy, snapshot, history, now);
  const grown = sized.growth === undefined ? sized : { ...sized, growth: stillStarting(sized.growth, snapshot, now) };
  const counted = {
    ...grown,
    startup: snapshot.ledger.startup,
    failedRounds: knowsNothing(snapshot) ? Math.min(grown.failedRounds + 1, 1_000_000) : 0,
  };
  return snapshot.traffic.measured === 0 ? counted : learnLoad(snapshot, learnServing(snapshot, counted, now), now);
}

/** Whether no metric of the policy can be used at all. */
export const knowsNothing = (snapshot: Snapshot): boolean =>
  snapshot.signals.every((signal) => !isSound(signal)) && snapshot.waitingAtDoor === undefined;

/** A fresh number that a measurement could have given; everything else is as good as missing. */
export const isSound = (signal: Signal): boolean =>
  signal.state === 'idle' ||
  (signal.state === 'value' &&
    signal.value !== undefined &&
    signal.value >= 0 &&
    signal.value <= 1e15 &&
    signal.assumed >= 0 &&
    signal.assumed <= 1e15);

function learnSize(policy: Policy, { replicas, traffic }: Snapshot, history: History, now: Instant): History {
  const longest = Math.max(
    policy.cooldown,
    ...policy.scaleUp.policies.map(({ period }) => period),
    ...policy.scaleDown.policies.map(({ period }) => period),
  );
  const windows = Math.max(policy.scaleUp.stabilizationWindow, policy.scaleDown.stabilizationWindow);
  const kept = {
    ...history,
    highs: within(history.highs, milliseconds(windows), now),
    lows: within(history.lows, milliseconds(windows), now),
    events: within(history.events, milliseconds(longest), now),
  };
  const regret =
    kept.regret !== undefined && elapsed(kept.regret.at, now) < limits.regretHolds ? kept.regret : undefined;
  const pruned = withoutAbsent<History>({ ...kept, regret });
  const change = replicas - history.replicas;
  if (change === 0) return pruned;
  const resized = {
    ...pruned,
    replicas,
    replicasSince: now,
    lastScaleAt: now,
    events: withEvent(pruned.events, { at: now, change }),
    wentToZero: replicas === 0 ? pruned.wentToZero : false,
  };
  if (change < 0) return { ...resized, shrunk: { at: now, replicas, arrivals: traffic.arrivalsPerSecond } };
  const { shrunk } = resized;
  const wrong =
    shrunk !== undefined &&
    elapsed(shrunk.at, now) < limits.regretSpan &&
    replicas > shrunk.replicas &&
    traffic.arrivalsPerSecond <= 1.15 * shrunk.arrivals;
  return withoutAbsent<History>({
    ...resized,
    shrunk: undefined,
    regret: wrong ? { ...shrunk, at: now } : resized.regret,
  });
}

const stillStarting = (growth: NonNullable<History['growth']>, snapshot: Snapshot, now: Instant) =>
  snapshot.ledger.credited > 0 ? { ...growth, lastStarting: now } : growth;

const learnServing = ({ traffic }: Snapshot, history: History, now: Instant): History =>
  history.serving?.count === traffic.measured
    ? history
    : { ...history, serving: { count: traffic.measured, since: now } };

function learnLoad(snapshot: Snapshot, history: History, now: Instant): History {
  const { traffic, signals, ledger } = snapshot;
  const load = traffic.inFlight / traffic.measured;
  if (!(load > 0) || traffic.silent > 0) return history;
  const quiet = traffic.steady && !traffic.rising && ledger.credited === 0;
  let loads = history.loads;
  for (const signal of signals) {
    if (!isSound(signal) || signal.state !== 'value') continue;
    const before = loads[signal.name];
    const learned =
      signal.shape === 'latency'
        ? learnLatency(signal, traffic, load, quiet, before, snapshot.replicas)
        : signal.name === 'requestQueueDepth' && quiet && signal.value! <= signal.target * traffic.measured
          ? { curve: [], good: Math.max(before?.good ?? 0, rounded(load)) }
          : before;
    if (learned !== undefined && learned !== before) loads = { ...loads, [signal.name]: learned };
  }
  const capacity = learnCapacity(traffic, history, now);
  return {
    ...history,
    loads,
    ...(capacity === undefined ? {} : { capacity }),
    ...(quiet ? { ...learnService(traffic, load, history), ...learnTokens(traffic, load, history) } : {}),
  };
}

/** Tokens that the length of an answer, and so its floor, grows with; undefined where a metric has no such length. */
export const tokensOf = (signal: Signal, traffic: Traffic): number | undefined =>
  signal.name.startsWith('latency')
    ? traffic.generatedTokensPerRequest
    : signal.name.startsWith('timeToFirstToken')
      ? traffic.promptTokensPerRequest
      : undefined;

/** What an idle replica takes for answers as long as those of now; undefined until something was seen. */
export function floorOf(learned: LearnedLoad, tokens: number | undefined): number | undefined {
  if (tokens !== undefined && tokens >= 1 && learned.floorPerToken !== undefined) {
    return Math.max(learned.floorPerToken * tokens, Number.EPSILON);
  }
  return learned.floor;
}

function learnLatency(
  signal: Signal,
  traffic: Traffic,
  load: number,
  quiet: boolean,
  before: LearnedLoad | undefined,
  replicas: number,
): LearnedLoad | undefined {
  const value = signal.value!;
  if (value <= 0) return before;
  const tokens = tokensOf(signal, traffic);
  const old: LearnedLoad = before ?? { curve: [], good: 0 };
  const holds = value <= signal.target;
  if (!quiet)
    return before === undefined || !holds ? before : withoutAbsent<LearnedLoad>({ ...old, missedAt: undefined });
  const floor = Math.min(old.floor ?? Number.POSITIVE_INFINITY, value);
  const perToken =
    tokens !== undefined && tokens >= 1
      ? Math.min(old.floorPerToken ?? Number.POSITIVE_INFINITY, value / tokens)
      : old.floorPerToken;
  const next: LearnedLoad = withoutAbsent<LearnedLoad>({
    ...old,
    floor: rounded(floor),
    floorPerToken: perToken === undefined ? undefined : rounded(perToken),
    good: holds ? Math.max(old.good, rounded(load)) : old.good,
    missedAt: holds ? undefined : (old.missedAt ?? replicas),
  });
  return { ...next, curve: learnCurve(old.curve, load, value / floorOf(next, tokens)!) };
}

/** What a replica delivers while requests wait for it; only once the replicas that share the work have settled. */
function learnCapacity(traffic: Traffic, history: History, now: Instant): number | undefined {
  const since = Math.max(history.serving?.since ?? now, history.growth?.since ?? 0);
  const settled = now - since >= limits.settledAfter;
  const saturated = traffic.queue >= traffic.measured;
  if (!settled || !saturated || traffic.completionsPerSecond <= 0) return history.capacity;
  const each = traffic.completionsPerSecond / traffic.measured;
  // It cannot give more than it can, so a high number is believed sooner than a low one.
  const before = history.capacity ?? each;
  return rounded(before + (each - before) / (each > before ? 3 : 30));
}

/** How long answers take while nothing waits: what arrivals a second turn into requests in flight by. */
function learnService(
  traffic: Traffic,
  load: number,
  history: History,
): Pick<History, 'serviceMs' | 'servicePerTokenMs'> {
  const { meanLatencyMs, generatedTokensPerRequest, queue, measured } = traffic;
  if (meanLatencyMs === undefined || queue > 0.1 * traffic.inFlight || load <= 0) return {};
  // Arrivals and completions in balance: what is in flight is served and not piling up.
  if (
    Math.abs(traffic.arrivalsPerSecond - traffic.completionsPerSecond) >
    0.3 * traffic.arrivalsPerSecond + 0.5 * Math.sqrt(measured)
  )
    return {};
  const blend = (old: number | undefined, value: number) =>
    rounded(old === undefined ? value : old + (value - old) / 30);
  return {
    serviceMs: blend(history.serviceMs, meanLatencyMs),
    ...(generatedTokensPerRequest !== undefined && generatedTokensPerRequest >= 1
      ? { servicePerTokenMs: blend(history.servicePerTokenMs, meanLatencyMs / generatedTokensPerRequest) }
      : {}),
  };
}

function learnTokens(traffic: Traffic, load: number, history: History): Pick<History, 'work'> {
  const { meanInterTokenMs, meanTimeToFirstTokenMs, promptTokensPerRequest, queue } = traffic;
  if (meanInterTokenMs === undefined) return {};
  const prefill =
    meanTimeToFirstTokenMs !== undefined &&
    promptTokensPerRequest !== undefined &&
    promptTokensPerRequest >= 1 &&
    queue < 0.5
      ? { prefillMs: meanTimeToFirstTokenMs / promptTokensPerRequest }
      : {};
  return { work: learnWork(history.work, { concurrency: load, interTokenMs: meanInterTokenMs, ...prefill }) };
}

/** Milliseconds an answer as long as those of now takes while nothing waits; undefined until learned. */
export const serviceTime = (history: History, traffic: Traffic): Milliseconds | undefined => {
  const tokens = traffic.generatedTokensPerRequest;
  if (tokens !== undefined && tokens >= 1 && history.servicePerTokenMs !== undefined) {
    return milliseconds(history.servicePerTokenMs * tokens);
  }
  return history.serviceMs === undefined ? undefined : milliseconds(history.serviceMs);
};

function withoutAbsent<Value extends object>(value: { readonly [Key in keyof Value]: Value[Key] | undefined }): Value {
  for (const key of Object.keys(value)) {
    if ((value as Record<string, unknown>)[key] === undefined) delete (value as Record<string, unknown>)[key];
  }
  return value as Value;
}
