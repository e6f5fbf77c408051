// What the pods of a target carry in all: means of totals over the fleet, brought up to date at each look.
import { type Fleet, meanOfFull } from './fleet.ts';
import type { LatencyWindows } from './latency-windows.ts';
import { limits } from './limits.ts';
import { createMovingMean, type MovingMean } from './moving-mean.ts';
import { createMovingQuotient } from './moving-quotient.ts';
import { cameOf, type PodState, totalOf } from './pod-state.ts';
import type { Traffic } from './signal.ts';
import { significant } from './significant.ts';
import {
  arrivalsSlot,
  completionsSlot,
  firstTokensSlot,
  inFlightSlot,
  promptSlot,
  queueSlot,
  type Slot,
  tokensSlot,
} from './totals.ts';

export interface FleetTraffic {
  /** Brings the means up to now; `span`: milliseconds since the last look, 0 where that is not known. */
  follow(fleet: Fleet, span: number): Traffic;
  /** The mean of a total: the slow one, or the fast one in a burst. */
  steady(slot: number): number;
}

export function createFleetTraffic(slots: readonly Slot[], latencies: LatencyWindows): FleetTraffic {
  const means: readonly MovingMean[] = slots.map(({ spread }) => createMovingMean(spread));
  const promptTokens = createMovingQuotient(limits.requestsOfMean);
  const generatedTokens = createMovingQuotient(limits.requestsOfMean);
  /** How long an answer took when one was last seen. */
  let answerTakes = 0;

  return {
    follow: (fleet, span) => trafficOf(fleet, followTotals(fleet, span)),
    steady: (slot) => means[slot]!.steady(),
  };

  /** Brings the means up to now; tells whether requests in flight climb. */
  function followTotals({ fresh, idle, now }: Fleet, span: number): boolean {
    let inFlight = 0;
    let arrivals = 0;
    let jumped = 0;
    let window = Number.POSITIVE_INFINITY;
    for (const state of fresh) {
      if (state.jumpWindow === 0) continue;
      jumped += state.inFlight - totalOf(state, inFlightSlot);
      window = Math.min(window, state.jumpWindow);
      state.jumpWindow = 0;
    }
    for (let slot = 0; slot < slots.length; slot += 1) {
      const mean = means[slot]!;
      if (idle) mean.reset(0, now);
      else if (fresh.length > 0) {
        let sum = 0;
        for (const state of fresh) sum += totalOf(state, slot);
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
      answerTakes = latencies.mean('latencyMs', now) ?? answerTakes;
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
      saturated: fleet.fresh.length > 0 && fleet.fresh.every((state) => totalOf(state, queueSlot) >= 1),
      promptTokensPerSecond: significant(means[promptSlot]!.steady()),
      generatedTokensPerSecond: significant(means[tokensSlot]!.steady()),
      idle: fleet.idle,
      measured: fleet.fresh.length,
      silent: fleet.silent.length,
    };
    const latency = latencies.mean('latencyMs', now);
    const firstToken = latencies.mean('timeToFirstTokenMs', now);
    const interToken = latencies.mean('interTokenMs', now);
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
    const written = meanOfFull(fleet, limits.longFull, (state) => totalOf(state, tokensSlot));
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
}

function cameTo(fresh: readonly PodState[], slot: number): number {
  let sum = 0;
  for (const state of fresh) sum += cameOf(state, slot);
  return sum;
}
