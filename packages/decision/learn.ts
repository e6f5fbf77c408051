// What a look at the target teaches before anything is decided: changes of size (whoever made them), how long starts
// take, and what load a replica carries. Load is only learned from in quiet moments: percentiles lag behind concurrency
// by the length of an answer, and a curve learned while both move would blame the wrong load.
import type { Policy } from '@kubeai/policy';
import { elapsed, type Instant, type Milliseconds, milliseconds } from '@kubeai/units';
import { knownLevels, learnLevels, reckonAnew } from './arriving-work.ts';
import { type History, type HistoryDraft, type LearnedLoad, withEvent, within } from './history.ts';
import { isAwaited } from './ledger.ts';
import { limits } from './limits.ts';
import { learnCurve } from './load-curve.ts';
import { isSound, replicaLoad, type Signal, type Traffic } from './signal.ts';
import { significant } from './significant.ts';
import type { Snapshot } from './snapshot.ts';
import { learnAtOnce, learnFull, learnPlaces, learnSteps, placesOf } from './work-model.ts';

/** A copy of the history, brought up to now. */
export function learn(policy: Policy, snapshot: Snapshot, history: History, now: Instant): HistoryDraft {
  const draft: HistoryDraft = { ...history };
  forgetOld(draft, policy, now);
  learnSize(draft, snapshot, now);
  const { traffic, ledger } = snapshot;
  if (draft.growth !== undefined && isAwaited(ledger)) draft.growth = { ...draft.growth, lastStarting: now };
  draft.startup = ledger.startup;
  draft.failedRounds = knowsNothing(snapshot) ? Math.min(history.failedRounds + 1, 1_000_000) : 0;
  if (traffic.measured === 0) return draft;
  if (draft.serving?.count !== traffic.measured) draft.serving = { count: traffic.measured, since: now };
  if (secondOf(now) !== secondOf(history.at)) learnLoad(draft, snapshot, now);
  return draft;
}

/** Means of what is learned count looks, and after a step of the load there are twenty a second: one of them is a lesson. */
const secondOf = (at: Instant): number => Math.floor(at / limits.lesson);

/** Whether no metric of the policy can be used at all. */
export const knowsNothing = (snapshot: Snapshot): boolean =>
  snapshot.signals.every((signal) => !isSound(signal)) && snapshot.waitingAtDoor === undefined;

/** Leaves out what no window, period or promise can see any more. */
function forgetOld(draft: HistoryDraft, policy: Policy, now: Instant): void {
  let longest: number = policy.cooldown;
  for (const { period } of policy.scaleUp.policies) longest = Math.max(longest, period);
  for (const { period } of policy.scaleDown.policies) longest = Math.max(longest, period);
  const windows = Math.max(policy.scaleUp.stabilizationWindow, policy.scaleDown.stabilizationWindow);
  draft.highs = within(draft.highs, milliseconds(windows), now);
  draft.lows = within(draft.lows, milliseconds(windows), now);
  draft.events = within(draft.events, milliseconds(longest), now);
  if (draft.regret !== undefined && elapsed(draft.regret.at, now) >= limits.regretHolds) delete draft.regret;
}

/** A change of size is an event whoever made it, and may prove a shrink wrong. */
function learnSize(draft: HistoryDraft, { replicas, traffic, ledger }: Snapshot, now: Instant): void {
  const change = replicas - draft.replicas;
  if (change === 0) return;
  draft.replicas = replicas;
  draft.replicasSince = now;
  draft.lastScaleAt = now;
  draft.events = withEvent(draft.events, { at: now, change });
  draft.wentToZero = replicas === 0 && draft.wentToZero;
  const { shrunk } = draft;
  if (change < 0) {
    draft.shrunk = { at: now, replicas, arrivals: traffic.arrivalsPerSecond };
    return;
  }
  delete draft.shrunk;
  const wasWrong =
    shrunk !== undefined &&
    shrunk.arrivals > 0 &&
    // What stands in for lost replicas proves nothing.
    ledger.counts.lost === 0 &&
    elapsed(shrunk.at, now) < limits.regretSpan &&
    replicas > shrunk.replicas &&
    traffic.arrivalsPerSecond <= 1.15 * shrunk.arrivals;
  // Where the work is known, arrivals say less than it does: another mix of answers proves no size wrong.
  if (wasWrong && knownLevels(draft) === undefined) draft.regret = { ...shrunk, at: now };
}

function learnLoad(draft: HistoryDraft, snapshot: Snapshot, now: Instant): void {
  const { traffic, signals, ledger, replicas } = snapshot;
  if (traffic.silent > 0) return;
  const load = replicaLoad(traffic);
  if (!(load > 0)) {
    // Hours without a request are work that is over: a minute of yesterday would ask for its replicas with the next one.
    if (traffic.idle || replicas === 0) learnLevels(draft, snapshot, now);
    return;
  }
  const quiet = traffic.steady && !traffic.rising && ledger.credited === 0;
  let loads: Record<string, LearnedLoad> | undefined;
  for (const signal of signals) {
    if (!isSound(signal) || signal.state !== 'value') continue;
    const before = draft.loads[signal.name];
    const learned =
      signal.shape === 'latency'
        ? learnLatency(signal, traffic, load, quiet, before, replicas)
        : learnGood(signal, traffic, load, quiet, before);
    if (learned === undefined || learned === before) continue;
    loads ??= { ...draft.loads };
    loads[signal.name] = learned;
  }
  if (loads !== undefined) draft.loads = loads;
  learnCapacity(draft, traffic, now);
  learnFullReplicas(draft, traffic);
  learnLevels(draft, snapshot, now);
  if (!quiet) return;
  learnService(draft, traffic);
  learnTokens(draft, traffic);
}

/** What a replica was seen to carry while no more waited than may wait. */
function learnGood(
  signal: Signal,
  traffic: Traffic,
  load: number,
  quiet: boolean,
  before: LearnedLoad | undefined,
): LearnedLoad | undefined {
  if (signal.name !== 'requestQueueDepth' || !quiet || signal.value! > signal.target * traffic.measured) return before;
  return before !== undefined && before.good >= load ? before : { curve: [], good: significant(load) };
}

/** Tokens that the length of an answer, and so its floor, grows with; undefined where a metric has no such length. */
export const tokensOf = (signal: Signal, traffic: Traffic): number | undefined =>
  signal.name.startsWith('latency')
    ? traffic.generatedTokensPerRequest
    : signal.name.startsWith('timeToFirstToken')
      ? traffic.promptTokensPerRequest
      : undefined;

/** What an idle replica takes for answers as long as those of now; undefined until something was seen. */
export function floorOf(
  learned: { readonly floor?: number | undefined; readonly floorPerToken?: number | undefined },
  tokens: number | undefined,
): number | undefined {
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
  const old = before ?? nothingLearned;
  const holds = value <= signal.target;
  if (!quiet) return before === undefined || !holds || before.missedAt === undefined ? before : withoutMiss(before);
  const floor = Math.min(old.floor ?? Number.POSITIVE_INFINITY, significant(value));
  let { floorPerToken } = old;
  if (tokens !== undefined && tokens >= 1) {
    floorPerToken = Math.min(floorPerToken ?? Number.POSITIVE_INFINITY, significant(value / tokens));
  }
  const good = holds ? Math.max(old.good, significant(load)) : old.good;
  const missedAt = holds ? undefined : (old.missedAt ?? replicas);
  const curve = learnCurve(old.curve, load, value / floorOf({ floor, floorPerToken }, tokens)!);
  if (
    curve === old.curve &&
    good === old.good &&
    floor === old.floor &&
    floorPerToken === old.floorPerToken &&
    missedAt === old.missedAt
  ) {
    return old;
  }
  const next: { -readonly [Key in keyof LearnedLoad]: LearnedLoad[Key] } = { curve, good, floor };
  if (floorPerToken !== undefined) next.floorPerToken = floorPerToken;
  if (missedAt !== undefined) next.missedAt = missedAt;
  return next;
}

const nothingLearned: LearnedLoad = { curve: [], good: 0 };

const withoutMiss = ({ missedAt: _, ...rest }: LearnedLoad): LearnedLoad => rest;

/** What a replica delivers while requests wait for it: a first idea soon, since growth is bounded by it, and the cost of a
 * token only once what was begun before the replicas were full has left. */
function learnCapacity(draft: HistoryDraft, traffic: Traffic, now: Instant): void {
  const each = traffic.completionsPerSecond / traffic.measured;
  const since = Math.max(draft.serving?.since ?? now, draft.growth?.since ?? 0);
  if (traffic.queue >= traffic.measured && now - since >= limits.settledAfter && each > 0) {
    draft.capacity = towardsMost(draft.capacity, each);
  }
}

/** How many requests a full replica serves at once, and what that takes. */
function learnFullReplicas(draft: HistoryDraft, traffic: Traffic): void {
  const { places, atOnce, fullTokensPerSecond: written, generatedTokensPerRequest: generated } = traffic;
  const before = placesOf(draft.work);
  const wasGuess = draft.work?.places === undefined;
  if (atOnce !== undefined) draft.work = learnAtOnce(draft.work, atOnce);
  if (places !== undefined) draft.work = learnPlaces(draft.work, places);
  if (wasGuess && before !== undefined && before !== placesOf(draft.work)) reckonAnew(draft, traffic, before);
  if (draft.work === undefined || !written || !generated) return;
  draft.work = learnFull(draft.work, written, (written * (traffic.promptTokensPerRequest ?? 0)) / generated);
}

/** A replica cannot give more than it can, so a high number is believed sooner than a low one. */
const towardsMost = (before: number | undefined, now: number): number =>
  significant(before === undefined ? now : before + (now - before) / (now > before ? 3 : 30));

const blend = (old: number | undefined, value: number): number =>
  significant(old === undefined ? value : old + (value - old) / 30);

/** How long answers take while nothing waits: what arrivals a second turn into requests in flight by. */
function learnService(draft: HistoryDraft, traffic: Traffic): void {
  const { meanLatencyMs, generatedTokensPerRequest: tokens, queue, measured, inFlight } = traffic;
  if (meanLatencyMs === undefined || queue > 0.1 * inFlight) return;
  // Arrivals and completions in balance: what is in flight is served and not piling up.
  const imbalance = Math.abs(traffic.arrivalsPerSecond - traffic.completionsPerSecond);
  if (imbalance > 0.3 * traffic.arrivalsPerSecond + 0.5 * Math.sqrt(measured)) return;
  draft.serviceMs = blend(draft.serviceMs, meanLatencyMs);
  if (tokens !== undefined && tokens >= 1)
    draft.servicePerTokenMs = blend(draft.servicePerTokenMs, meanLatencyMs / tokens);
}

function learnTokens(
  draft: HistoryDraft,
  { meanInterTokenMs: ms, inFlight, queue, measured, promptTokensPerSecond }: Traffic,
): void {
  if (ms === undefined) return;
  const answers = Math.max(0, inFlight - queue) / measured;
  draft.work = learnSteps(draft.work, { answers, promptsPerSecond: promptTokensPerSecond / measured, ms });
}

/** Milliseconds an answer as long as those of now takes while nothing waits; undefined until learned. */
export const serviceTime = (history: History, traffic: Traffic): Milliseconds | undefined => {
  const tokens = traffic.generatedTokensPerRequest;
  if (tokens !== undefined && tokens >= 1 && history.servicePerTokenMs !== undefined) {
    return milliseconds(history.servicePerTokenMs * tokens);
  }
  return history.serviceMs === undefined ? undefined : milliseconds(history.serviceMs);
};
