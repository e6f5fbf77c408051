// What a target's decisions remember of each other: plain, bounded data that survives a restart in the status. Recent
// wishes are kept as two staircases, since a window only ever asks for its highest and its lowest wish: constant demand
// takes one entry, not one a second.
import { elapsed, type Instant, instant, type Milliseconds } from '@kubeai/units';
import type { WorkLevels } from './arriving-work.ts';
import type { LearnedStartup } from './ledger.ts';
import { limits } from './limits.ts';
import type { CurvePoint } from './load-curve.ts';
import type { WorkModel } from './work-model.ts';

export interface Recommendation {
  readonly at: Instant;
  readonly replicas: number;
}

export interface ScaleEvent {
  readonly at: Instant;
  /** Positive: grew by so many. Negative: shrank. */
  readonly change: number;
}

/** What was true when the target last grew: the yardstick that tells backlog from demand while replicas start. */
export interface Growth {
  readonly since: Instant;
  /** The last moment with replicas still starting. */
  readonly lastStarting: Instant;
  /** In flight, arrivals a second and the wish, when growth was last believed to follow demand. */
  readonly inFlight: number;
  readonly arrivals: number;
  readonly replicas: number;
}

/** What one metric has taught about the load that a replica carries. */
export interface LearnedLoad {
  /** Slowdown over idle by concurrency per replica; latency metrics only. */
  readonly curve: readonly CurvePoint[];
  /** Milliseconds an idle replica takes, per token where answers tell their tokens. Infinite until something was seen. */
  readonly floor?: number;
  readonly floorPerToken?: number;
  /** Highest concurrency per replica that was seen to hold the target. */
  readonly good: number;
  /** Replicas when the metric began to miss its target without more load than it used to hold at. */
  readonly missedAt?: number;
}

/** A size that was tried and did not carry this many arrivals a second. */
export interface Regret {
  readonly at: Instant;
  readonly replicas: number;
  readonly arrivals: number;
}

export interface History {
  /** The last decision. */
  readonly at: Instant;
  /** Size the target had then. */
  readonly replicas: number;
  /** When the current size was first seen; wishes are kept from `coveredFrom` on. */
  readonly replicasSince: Instant;
  readonly coveredFrom: Instant;
  readonly highs: readonly Recommendation[];
  readonly lows: readonly Recommendation[];
  readonly events: readonly ScaleEvent[];
  readonly lastScaleAt?: Instant;
  /** We brought the target to zero ourselves, so we may bring it back. */
  readonly wentToZero: boolean;
  readonly failedRounds: number;
  readonly startup: LearnedStartup;
  readonly growth?: Growth;
  /** By metric name. */
  readonly loads: Readonly<Record<string, LearnedLoad>>;
  readonly work?: WorkModel;
  /** What a request costs, and how much work has come of late. */
  readonly levels?: WorkLevels;
  /** Replicas that served at the last look, and since when so many. */
  readonly serving?: { readonly count: number; readonly since: Instant };
  /** Answers a second that a replica gives while requests wait: all it can. */
  readonly capacity?: number;
  /** Milliseconds that an answer takes while nothing waits, and per generated token where those are told. */
  readonly serviceMs?: number;
  readonly servicePerTokenMs?: number;
  /** The last shrink, until it has proved itself. */
  readonly shrunk?: Regret;
  readonly regret?: Regret;
}

/** The one copy of a history that a round makes: what was learned and decided is written into it. */
export type HistoryDraft = { -readonly [Key in keyof History]: History[Key] };

/** A target that is seen for the first time: its size counts as the first wish, so nothing shrinks before a window. */
export function emptyHistory(replicas: number, now: Instant): History {
  return {
    at: now,
    replicas,
    replicasSince: now,
    coveredFrom: now,
    highs: [{ at: now, replicas }],
    lows: [{ at: now, replicas }],
    events: [],
    wentToZero: false,
    failedRounds: 0,
    startup: { samples: [], lastReady: instant(0) },
    loads: {},
  };
}

/** A history that continues after a pause of the controller: learned things stay, the window starts over if we were away. */
export function continueHistory(history: History, replicas: number, now: Instant): History {
  if (now >= history.at && elapsed(history.at, now) <= limits.historyGap) return history;
  return {
    ...history,
    at: now,
    coveredFrom: now,
    highs: withHigh(
      history.highs.filter(({ at }) => at <= now),
      { at: now, replicas: Math.max(replicas, history.replicas) },
    ),
    lows: history.lows.filter(({ at }) => at <= now),
    events: history.events.filter(({ at }) => at <= now),
  };
}

/**
 * Reads a history back from plain data (status, journal).
 * @returns undefined when it is none; the caller then starts with `emptyHistory`.
 */
export function restoreHistory(data: unknown): History | undefined {
  if (typeof data !== 'object' || data === null) return undefined;
  const candidate = data as Partial<History>;
  const numbers = [
    candidate.at,
    candidate.replicas,
    candidate.replicasSince,
    candidate.coveredFrom,
    candidate.failedRounds,
  ];
  if (!numbers.every(Number.isFinite)) return undefined;
  if (!areEntries(candidate.highs) || !areEntries(candidate.lows) || !Array.isArray(candidate.events)) return undefined;
  if (!candidate.events.every((event) => Number.isFinite(event?.at) && Number.isInteger(event?.change)))
    return undefined;
  if (!Array.isArray(candidate.startup?.samples) || !candidate.startup.samples.every(Number.isFinite)) return undefined;
  if (typeof candidate.loads !== 'object' || candidate.loads === null) return undefined;
  const { levels } = candidate;
  const isWhole =
    levels === undefined ||
    ([
      levels?.each,
      levels?.usual,
      levels?.felt,
      levels?.spread,
      levels?.since,
      levels?.lately,
      levels?.top,
      levels?.burst,
    ].every(Number.isFinite) &&
      Array.isArray(levels?.minutes) &&
      levels.minutes.every(Number.isFinite));
  if (!isWhole) return undefined;
  return {
    ...(candidate as History),
    wentToZero: candidate.wentToZero === true,
    highs: candidate.highs.slice(-limits.recommendations),
    lows: candidate.lows.slice(-limits.recommendations),
    events: candidate.events.slice(-limits.scaleEvents),
    startup: {
      samples: candidate.startup.samples.slice(-limits.startupSamples),
      lastReady: Number.isFinite(candidate.startup.lastReady) ? candidate.startup.lastReady : instant(0),
    },
  };
}

const areEntries = (list: unknown): list is Recommendation[] =>
  Array.isArray(list) &&
  list.every((entry) => Number.isFinite(entry?.at) && Number.isInteger(entry?.replicas) && entry.replicas >= 0);

/** Enters a wish: an older one that is not higher can never be the highest of a window again. */
export function withHigh(highs: readonly Recommendation[], wish: Recommendation): readonly Recommendation[] {
  let kept = highs.length;
  while (kept > 0 && highs[kept - 1]!.replicas <= wish.replicas) kept -= 1;
  return bounded(highs, kept, wish, (left, right) => ({
    at: right.at,
    replicas: Math.max(left.replicas, right.replicas),
  }));
}

/** The mirror image: an older wish that is not lower can never be the lowest again. */
export function withLow(lows: readonly Recommendation[], wish: Recommendation): readonly Recommendation[] {
  let kept = lows.length;
  while (kept > 0 && lows[kept - 1]!.replicas >= wish.replicas) kept -= 1;
  return bounded(lows, kept, wish, (left, right) => ({
    at: right.at,
    replicas: Math.min(left.replicas, right.replicas),
  }));
}

/** The first steps and one more. Too many of them: the two oldest become one that holds for as long as the longer of them. */
function bounded(
  before: readonly Recommendation[],
  kept: number,
  wish: Recommendation,
  fold: (left: Recommendation, right: Recommendation) => Recommendation,
): readonly Recommendation[] {
  // Written out, for a list that has grown keeps room for as many again, and there are thousands.
  if (kept === 0) return [wish];
  const steps = [...before.slice(0, kept), wish];
  if (steps.length <= limits.recommendations) return steps;
  return [fold(steps[0]!, steps[1]!), ...steps.slice(2)];
}

/** Forgets what no window can see any more. */
export const within = <Entry extends { readonly at: Instant }>(
  list: readonly Entry[],
  span: Milliseconds,
  now: Instant,
) => (list.length === 0 || elapsed(list[0]!.at, now) < span ? list : list.filter(({ at }) => elapsed(at, now) < span));

/** Enters a change of size; of too many, the two oldest add up under the younger one's time, which allows less. */
export function withEvent(events: readonly ScaleEvent[], event: ScaleEvent): readonly ScaleEvent[] {
  const all = [...events, event];
  if (all.length <= limits.scaleEvents) return all;
  const sameWay = all.findIndex((entry, index) => index > 0 && Math.sign(entry.change) === Math.sign(all[0]!.change));
  const at = sameWay === -1 ? all[1]!.at : all[sameWay]!.at;
  const merged = { at, change: all[0]!.change + (sameWay === -1 ? 0 : all[sameWay]!.change) };
  return [merged, ...all.filter((_, index) => index !== 0 && index !== sameWay)].sort(
    (left, right) => left.at - right.at,
  );
}
