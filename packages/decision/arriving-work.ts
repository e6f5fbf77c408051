// The work that arrives, in replicas that are full, and how high it has stood lately. A burst is over before a replica has
// started, so whoever promised a latency keeps what the busiest minutes of late asked for: a repeated burst then
// finds its replicas, and steady traffic, whose busiest minutes are like the others, pays nothing for it.
import { elapsed, type Instant } from '@kubeai/units';
import type { History } from './history.ts';
import type { HistoryDraft } from './learn.ts';
import { limits } from './limits.ts';
import type { Traffic } from './signal.ts';
import { significant } from './significant.ts';

/** Work of late: by minute. */
export interface WorkLevels {
  /** Seconds of a full replica that a request takes: the mean of about a minute, for single answers differ much. */
  readonly each: number;
  /** The minute under way: since when, its looks, its mean so far. */
  readonly since: Instant;
  readonly seconds: number;
  readonly mean: number;
  /** The mean of each minute that is over, oldest first. */
  readonly minutes: readonly number[];
}

/** Seconds of a full replica that a request of this moment takes; undefined until the cost of a token is known. */
function secondsPerRequest(history: History, traffic: Traffic): number | undefined {
  const { generatedTokensPerRequest: tokens } = traffic;
  if (tokens === undefined) return undefined;
  // What a saturated replica delivers tells the cost best, and has the reading of prompts in it already; until one was
  // seen, the slope of token times over load does, and reading comes on top.
  if (history.tokenCapacity !== undefined) return tokens / history.tokenCapacity;
  const decode = history.work?.decodeMs;
  if (decode === undefined) return undefined;
  return (tokens * decode + (traffic.promptTokensPerRequest ?? 0) * (history.work?.prefillMs ?? 0)) / 1_000;
}

/** Enters the work of this look. */
export function learnLevels(draft: HistoryDraft, traffic: Traffic, now: Instant): void {
  const cost = secondsPerRequest(draft, traffic);
  if (cost === undefined) return;
  const { levels } = draft;
  if (levels === undefined) {
    draft.levels = {
      each: cost,
      since: now,
      seconds: 1,
      mean: significant(traffic.arrivalsPerSecond * cost),
      minutes: [],
    };
    return;
  }
  const each = significant(levels.each + (cost - levels.each) / limits.costMean);
  const work = traffic.arrivalsPerSecond * each;
  if (elapsed(levels.since, now) >= limits.levelMinute) {
    const minutes = [...levels.minutes, levels.mean].slice(-limits.levelMinutes);
    draft.levels = { each, since: now, seconds: 1, mean: significant(work), minutes };
    return;
  }
  const seconds = levels.seconds + 1;
  const mean = significant(levels.mean + (work - levels.mean) / seconds);
  draft.levels = { ...levels, each, seconds, mean };
}

/** Work that all minutes of late but the busiest stayed below; 0 until there is something to remember. */
export function usualPeak({ minutes, mean }: WorkLevels): number {
  let first = mean;
  let second = 0;
  for (const each of minutes) {
    if (each > first) {
      second = first;
      first = each;
    } else if (each > second) second = each;
  }
  return second;
}
