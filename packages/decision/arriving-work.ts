// The work that arrives, in replicas that are full, and what may come on top before a replica asked for now would serve.
// That is learned and no fixed share: from how far the span of an answer is off its minute, which chance makes small in a large fleet,
// and from how high bursts of late went, and by how much load climbed, sooner than a replica comes. A repeated burst then finds its replicas, and steady traffic
// pays for nothing. What was never seen is not reckoned with.
import { elapsed, type Instant } from '@kubeai/units';
import type { History, HistoryDraft } from './history.ts';
import type { Ledger } from './ledger.ts';
import { limits } from './limits.ts';
import type { Traffic } from './signal.ts';
import { significant } from './significant.ts';
import type { Snapshot } from './snapshot.ts';
import { placesOf, tokenCosts } from './work-model.ts';

/** Work of late, in full replicas. */
export interface WorkLevels {
  /** Seconds of a full replica that a request of now takes. */
  readonly each: number;
  /** The mean of about a minute. */
  readonly usual: number;
  /** The mean of as long as an answer takes, half a minute at most: what replicas feel of how uneven arrivals are. */
  readonly felt: number;
  /** How far that is off the usual, on average over half an hour. */
  readonly spread: number;
  /** The mean of about a quarter of a minute, or of an answer where that takes longer, the highest it was in the minute under way, and when that began. */
  readonly lately: number;
  readonly top: number;
  readonly since: Instant;
  /** The same of each minute that is over, oldest first. */
  readonly minutes: readonly number[];
  /** What a burst, a climb or a drift like those of these minutes would bring work to from what is usual now; 0 before the first of them. */
  readonly burst: number;
}

/** Work of late, once a full replica has shown what it is told in; until then nothing is asked for by it. */
export const knownLevels = ({ levels, work }: History): WorkLevels | undefined =>
  work?.places === undefined ? undefined : levels;

/** Seconds of a full replica that a request of this moment takes; undefined until that is known, or while no token comes. */
function secondsPerRequest({ work }: History, traffic: Traffic, places = placesOf(work)): number | undefined {
  const { promptTokensPerRequest: prompt = 0, generatedTokensPerRequest: generated } = traffic;
  const costs = tokenCosts(work, places);
  if (costs === undefined || generated === undefined) return undefined;
  return (prompt * costs.promptMs + generated * costs.tokenMs) / 1_000;
}

/** Enters the work of this look. */
export function learnLevels(draft: HistoryDraft, { traffic, ledger }: Snapshot, now: Instant): void {
  const { levels, work: model } = draft;
  // Long before a replica is full it shows how uneven its work is, but not by the first steps.
  if (model?.places === undefined && (model?.steps?.n ?? 0) < limits.curveSamples) return;
  // While nothing comes nobody tells lengths, and a request takes what it took.
  const cost = secondsPerRequest(draft, traffic) ?? (traffic.arrivalsNow === 0 ? levels?.each : undefined);
  if (cost === undefined) return;
  if (levels === undefined) {
    const work = significant(traffic.arrivalsPerSecond * cost);
    draft.levels = {
      each: cost,
      usual: work,
      felt: work,
      spread: 0,
      since: now,
      lately: work,
      top: work,
      minutes: [],
      burst: 0,
    };
    return;
  }
  const each = significant(cost);
  const work = traffic.arrivalsNow * each;
  const half = halfAnswer(each, draft);
  const blur = blurOf(half);
  const lately = significant(levels.lately + (work - levels.lately) / Math.max(limits.peakMean, half));
  const felt = significant(levels.felt + (work - levels.felt) / blur);
  const usual = significant(levels.usual + (work - levels.usual) / limits.usualMean);
  // A mean over what was seen yet: from zero, it would take half an hour to tell chance from bursts.
  const seen = ((levels.minutes.length + 1) * limits.levelMinute) / limits.lesson;
  const spread = significant(
    levels.spread + (Math.abs(felt - usual) - levels.spread) / Math.min(limits.spreadMean, seen),
  );
  if (elapsed(levels.since, now) >= limits.levelMinute) {
    const span = spanOf(ledger);
    const minutes = [...levels.minutes, levels.top].slice(-limits.levelMinutes);
    const chance = limits.spreadTimes * spread;
    const burst = significant(Math.max(burstOf(minutes, span, usual, chance), driftOf(minutes, span, usual, chance)));
    draft.levels = { each, usual, felt, spread, since: now, lately, top: lately, minutes, burst };
    return;
  }
  draft.levels = { ...levels, each, usual, felt, spread, lately, top: Math.max(levels.top, lately) };
}

/** Minutes that a start takes. */
const spanOf = ({ startupP90Ms }: Ledger): number => Math.ceil((startupP90Ms + limits.reaction) / limits.levelMinute);

/** Work is told in full replicas: with more places than it was reckoned with, all of it was less. */
export function reckonAnew(draft: HistoryDraft, traffic: Traffic, placesBefore: number): void {
  const { levels } = draft;
  const before = secondsPerRequest(draft, traffic, placesBefore);
  const now = secondsPerRequest(draft, traffic);
  if (levels === undefined || !before || now === undefined) return;
  const anew = (work: number) => significant((work * now) / before);
  draft.levels = {
    ...levels,
    usual: anew(levels.usual),
    felt: anew(levels.felt),
    spread: anew(levels.spread),
    lately: anew(levels.lately),
    top: anew(levels.top),
    minutes: levels.minutes.map(anew),
    burst: anew(levels.burst),
  };
}

/** Seconds that half of an answer takes beside as many others as there are places. */
const halfAnswer = (each: number, { work }: History): number => (each * (placesOf(work) ?? 0)) / 2;

/** Looks over which what arrives unevenly is averaged: answers even it out while they are written, and a mean over so many looks covers
 * twice as many seconds. */
const blurOf = (half: number): number => Math.min(limits.usualMean / 2, Math.max(1, half - limits.fastMean / 1_000));

/** The work that arrives now. Of a burst, what replicas feel of it by now, less what of that is as likely chance as not: the highest of
 * many looks at a burst is luck as well, and what is bought for it stays for minutes. */
export function arrivingWork(history: History, { arrivalsPerSecond, arrivalsNow, silent }: Traffic): number {
  const { levels } = history;
  if (levels === undefined) return 0;
  const { each, usual, spread } = levels;
  const arriving = arrivalsPerSecond * each;
  // While some are silent nothing is learned.
  if (silent > 0) return arriving;
  const now = arrivalsNow * each;
  const felt = levels.felt + (now - levels.felt) / blurOf(halfAnswer(each, history));
  // Chance grows with the root of what it is in.
  const chance = usual > 0 ? limits.burstDoubt * spread * Math.sqrt(Math.max(1, now / usual)) : 0;
  return Math.min(arriving, Math.max(usual, felt - chance));
}

/**
 * What a burst, or a climb, would bring work to. A burst rises within a start by more than chance does and falls again before replicas that were
 * asked for then had been of much use: it comes back to a height. A climb stays, and replicas follow it but for its first start: as much
 * may come again on top of the load of now, up to what these minutes have seen.
 * @param span minutes that a start takes
 * @param chance what it may add to the usual work
 */
function burstOf(minutes: readonly number[], span: number, usual: number, chance: number): number {
  // A burst begins within one minute and ends within another.
  const longest = limits.burstStarts * span + 2;
  const highest = Math.max(0, ...minutes);
  let most = 0;
  for (let at = 0; at < minutes.length; at += 1) {
    const before = minutes[at]!;
    let height = 0;
    let climb = 0;
    let stays = true;
    for (let on = at + 1; on <= at + longest && on < minutes.length; on += 1) {
      const level = minutes[on]!;
      if (level - before > chance) {
        height = Math.max(height, level);
        if (on <= at + span) climb = Math.max(climb, level - before);
        continue;
      }
      // It comes to the same height from wherever chance has brought the usual work, but to less from another load.
      if (height > 0) most = Math.max(most, height - Math.max(0, before - usual - chance));
      stays = false;
      if (height > 0 || on >= at + span) break;
    }
    if (stays && climb > 0) most = Math.max(most, Math.min(highest, usual + climb));
  }
  return most;
}

/**
 * What work may drift to within a start: too slowly to be off its minute, and far from it when a replica serves that is asked for now. Room
 * as for chance, for what it rises by on average within a start, falls counted as none and a climb as no more than chance; at most as much
 * again as is usual.
 * @param span minutes that a start takes
 * @param chance what it may add to the usual work
 */
function driftOf(minutes: readonly number[], span: number, usual: number, chance: number): number {
  const from = Math.max(span, minutes.length - limits.driftMinutes);
  let sum = 0;
  for (let at = from; at < minutes.length; at += 1) {
    sum += Math.min(chance, Math.max(0, minutes[at]! - minutes[at - span]!));
  }
  const rise = sum / Math.max(1, minutes.length - from);
  return usual + Math.min(usual, limits.spreadTimes * rise);
}

/**
 * What a climb under way leads to by the time that a replica serves which is asked for now: what climbs for minutes grows in proportion, and by what it has
 * grown within the last start it grows again; at most by as much again as is usual. It leads on from the peak of now, for the usual work is that of a minute ago.
 * One jump is no climb, so that the steepest minute counts as the next one does.
 * @param span minutes that a start takes
 * @returns 0 where chance explains it, and up to where room is kept for bursts and climbs of before: these lead there again
 */
function climbOf({ minutes, top, usual, spread, burst }: WorkLevels, span: number): number {
  const over = Math.max(limits.climbMinutes, span);
  if (minutes.length < over || top <= burst) return 0;
  const last = [...minutes.slice(-over), top];
  const rises = last.slice(1).map((level, at) => level - last[at]!);
  const [steepest, next] = rises.sort((left, right) => right - left);
  const rise = top - last[0]! - steepest! + next!;
  if (rise <= limits.spreadTimes * spread) return 0;
  const growth = (top / (top - rise)) ** (span / over);
  return top + Math.min(usual, top * (growth - 1));
}

/** The work of now, with what chance alone may add. */
export const workByChance = ({ usual, spread }: WorkLevels): number => usual + limits.spreadTimes * spread;

/** How much of the room for chance may be lacking before any is asked for. */
export const chanceTolerated = ({ levels }: History): number => limits.spreadTolerated * (levels?.spread ?? 0);

/** The work to be ready for by whoever promised something, until what is asked for now would serve. */
export const workToReckonWith = (levels: WorkLevels, ledger: Ledger): number =>
  Math.max(workByChance(levels), levels.burst, climbOf(levels, spanOf(ledger)));
