import { expect, test } from '@jest/globals';
import { after, type Instant, instant, seconds } from '@kubeai/units';
import { arrivingWork, learnLevels, type WorkLevels, workToReckonWith } from './arriving-work.ts';
import { emptyHistory, type HistoryDraft } from './history.ts';
import { type Ledger, ledgerOf } from './ledger.ts';
import type { Snapshot } from './snapshot.ts';
import { trafficOf } from './testing/traffic-of.ts';
import { learnPlaces, learnSteps, type WorkModel } from './work-model.ts';

const start = instant(1_700_000_000_000);
/** A request costs a full replica of ten places a second: 100 tokens of 100 ms. */
const request = { generatedTokensPerRequest: 100 };
const costs: WorkModel = learnPlaces(learnSteps(undefined, { answers: 10, promptsPerSecond: 0, ms: 100 }), 10);

const ledgerWith = (startupMs: number, now = start): Ledger => ({
  ...ledgerOf(4, [], emptyHistory(4, now), now),
  startupP90Ms: startupMs,
  startupP50Ms: startupMs,
});

const snapshotOf = (arrivals: number, startupMs: number, now: Instant): Snapshot => ({
  replicas: 4,
  ledger: ledgerWith(startupMs, now),
  signals: [],
  traffic: trafficOf(40, {
    ...request,
    arrivalsPerSecond: arrivals,
    arrivalsNow: arrivals,
    completionsPerSecond: arrivals,
  }),
});

/** What is known after these arrivals a second, second by second. */
function levelsAfter(arrivals: readonly number[], startupMs = 60_000, tokens = 100): WorkLevels {
  const draft: HistoryDraft = { ...emptyHistory(4, start), work: costs };
  let now = start;
  for (const each of arrivals) {
    now = after(now, seconds(1));
    const { traffic, ...rest } = snapshotOf(each, startupMs, now);
    learnLevels(draft, { ...rest, traffic: { ...traffic, generatedTokensPerRequest: tokens } }, now);
  }
  return draft.levels!;
}

/** Work to be ready for with such starts. */
const readyFor = (levels: WorkLevels, startupMs = 60_000): number => workToReckonWith(levels, ledgerWith(startupMs));

const repeat = <Value>(times: number, list: readonly Value[]): Value[] =>
  Array.from({ length: times }, () => list).flat();
const minutesOf = (...levels: number[]): number[] => levels.flatMap((level) => repeat(60, [level]));

test('without the cost of a request there is no work', () => {
  const draft: HistoryDraft = emptyHistory(4, start);
  learnLevels(draft, snapshotOf(5, 60_000, start), start);
  expect(draft.levels).toBeUndefined();
});

test('steady work asks for itself and nothing more', () => {
  const levels = levelsAfter(repeat(30, minutesOf(8)));
  expect(levels.each).toBeCloseTo(1, 5);
  expect(readyFor(levels)).toBeCloseTo(8 * levels.each, 1);
});

test('seconds that are off their minute ask for room', () => {
  const steady = readyFor(levelsAfter(repeat(1_800, [8])));
  const uneven = readyFor(levelsAfter(repeat(900, [4, 12])));
  expect(uneven).toBeGreaterThan(1.3 * steady);
  expect(uneven).toBeLessThan(2 * steady);
});

test('after five minutes chance is known as well as after an hour', () => {
  const [soon, late] = [5, 60].map((minutes) => levelsAfter(unevenMinutesOf(...repeat(minutes, [8]))).spread);
  expect(soon! / late!).toBeGreaterThan(0.8);
  expect(soon! / late!).toBeLessThan(1.25);
});

test('answers of minutes even out what seconds are off: less room for the same arrivals', () => {
  const roomOf = (tokens: number) => {
    const [steady, uneven] = [repeat(1_800, [8]), repeat(180, [...repeat(5, [4]), ...repeat(5, [12])])].map(
      (arrivals) => readyFor(levelsAfter(arrivals, 60_000, tokens)),
    );
    return uneven! / steady! - 1;
  };
  // Of ten seconds each, and of five minutes.
  expect(roomOf(100)).toBeGreaterThan(0.5);
  expect(roomOf(3_000)).toBeLessThan(0.15);
});

test('a bunch of requests is followed as far as answers feel it: those of seconds nearly whole, those of minutes little', () => {
  const seenOf = (tokens: number): number => {
    const levels = levelsAfter(minutesOf(8, 8), 60_000, tokens);
    const traffic = trafficOf(40, { arrivalsPerSecond: 32, arrivalsNow: 32, completionsPerSecond: 8 });
    return arrivingWork({ ...emptyHistory(4, start), work: costs, levels }, traffic) / levels.each;
  };
  expect(seenOf(20)).toBeCloseTo(32, 0);
  expect(seenOf(3_000)).toBeLessThan(10);
});

test('of a burst over uneven seconds less is believed than over even ones, and with silent replicas all of it', () => {
  const traffic = trafficOf(40, { arrivalsPerSecond: 32, arrivalsNow: 32, completionsPerSecond: 8 });
  const [even, uneven] = [[8], [4, 12]].map((seconds) => {
    const levels = levelsAfter(repeat(1_800 / seconds.length, seconds), 60_000, 20);
    const history = { ...emptyHistory(4, start), work: costs, levels };
    expect(arrivingWork(history, { ...traffic, silent: 1 })).toBeCloseTo(32 * levels.each, 5);
    return arrivingWork(history, traffic) / levels.each;
  });
  expect(even).toBeCloseTo(32, 0);
  expect(uneven).toBeLessThan(31);
  expect(uneven).toBeGreaterThan(26);
});

test('a burst that came before is reckoned with while it is away, and no more than the highest of them', () => {
  const levels = levelsAfter(repeat(6, minutesOf(4, 4, 4, 12, 4, 4)));
  expect(readyFor(levels)).toBeGreaterThan(11 * levels.each);
  expect(readyFor(levels)).toBeLessThan(13 * levels.each);
});

/** Seconds of these minutes: two of five are half their minute, and two half more. */
const unevenMinutesOf = (...levels: number[]): number[] =>
  levels.flatMap((level) =>
    repeat(
      12,
      [0.5, 0.5, 1, 1.5, 1.5].map((share) => share * level),
    ),
  );

test('a climb that replicas can follow leaves nothing behind, and a burst to the same height does', () => {
  const after = (minutes: readonly number[]) => {
    const levels = levelsAfter(unevenMinutesOf(...repeat(10, [4]), ...minutes, ...repeat(10, [4])));
    return readyFor(levels) / levels.each;
  };
  const steps = Array.from({ length: 40 }, (_, minute) => 4 + 0.2 * minute);
  expect(after([...steps, ...steps.toReversed()])).toBeLessThan(10);
  expect(after([12, 12])).toBeGreaterThan(12);
});

test('a climb that replicas could not follow may come again on top of the load of now, up to where it led', () => {
  const from = (now: number) => {
    const levels = levelsAfter(unevenMinutesOf(...repeat(10, [4]), ...repeat(20, [12]), ...repeat(20, [now])));
    return readyFor(levels) / levels.each;
  };
  const room = from(4) - 4;
  // The climb was one of eight, from four that chance alone makes six.
  expect(room).toBeGreaterThan(8);
  // From ten it would lead beyond what was seen: chance alone may.
  expect(from(10) - 10).toBeLessThan(room);
});

test('what climbs faster than a replica starts counts as a burst, of long starts more than of short ones', () => {
  const climb = unevenMinutesOf(...repeat(10, [4]), 5, 6, 7, 8, 9, 10, 11, 12, ...repeat(20, [4]));
  const [soon, late] = [45_000, 585_000].map((startupMs) => readyFor(levelsAfter(climb, startupMs), startupMs));
  expect(soon!).toBeLessThan(0.8 * late!);
});

test('a burst comes to the same height from wherever chance may have brought the load, and to less from less', () => {
  const from = (before: number, now: number) => {
    const levels = levelsAfter(unevenMinutesOf(...repeat(20, [before]), 12, 12, ...repeat(20, [now])));
    return readyFor(levels) / levels.each;
  };
  expect(from(4, 4) - from(4, 3.7)).toBeLessThan(0.2);
  expect(from(8, 8) - from(8, 2)).toBeGreaterThan(2);
});

test('bursts are forgotten after an hour and a half', () => {
  const levels = levelsAfter([...minutesOf(4, 12), ...repeat(95, minutesOf(4))]);
  expect(levels.minutes).toHaveLength(90);
  expect(readyFor(levels)).toBeLessThan(5 * levels.each);
});

test('load that drifts asks for three times what it rises by within a start, and for no more than twice itself', () => {
  const up = Array.from({ length: 10 }, (_, minute) => 6 + 0.4 * minute);
  const roomOf = (minutes: readonly number[], startupMs: number) => {
    const levels = levelsAfter(minutesOf(...minutes), startupMs);
    return readyFor(levels, startupMs) / levels.each - minutes.at(-1)!;
  };
  // Up and down by four within twenty minutes, in which nothing is off its minute: in a start of five it rises by one on average.
  const wave = repeat(3, [...up, 10, ...up.slice(1).toReversed()]);
  expect(roomOf(wave, 300_000)).toBeGreaterThan(2);
  expect(roomOf(wave, 300_000)).toBeLessThan(4);
  expect(roomOf(wave, 20_000)).toBeLessThan(roomOf(wave, 300_000) / 2);
  const doubling = Array.from({ length: 30 }, (_, minute) => 2 ** (minute / 4));
  expect(roomOf(doubling, 300_000)).toBeLessThan(doubling.at(-1)!);
});

/** Minutes at four, and then so many that each bring so much of the one before. */
const growing = (times: number, minutes: number): number[] =>
  minutesOf(...repeat(20, [4]), ...Array.from({ length: minutes }, (_, minute) => 4 * times ** (minute + 1)));

test('a climb that goes on is met where it leads within a start, and that is further off the longer a start takes', () => {
  const levels = levelsAfter(growing(1.15, 8), 180_000);
  const now = 4 * 1.15 ** 8;
  // A replica that is asked for now serves in three minutes.
  expect(readyFor(levels, 180_000) / levels.each).toBeGreaterThan(now * 1.15 ** 3);
  expect(readyFor(levels, 60_000)).toBeLessThan(0.9 * readyFor(levels, 180_000));
});

test('however steep a climb is, no more than as much again is asked for', () => {
  const levels = levelsAfter(growing(2, 4), 180_000);
  expect(readyFor(levels, 180_000)).toBeLessThanOrEqual(levels.top + levels.usual);
});

test('one jump is no climb: what comes within a minute and stays asks for no more than there is', () => {
  const jumped = levelsAfter(minutesOf(...repeat(20, [4]), 12, 12), 180_000);
  const climbed = levelsAfter(minutesOf(...repeat(20, [4]), 6, 9, 12), 180_000);
  const known = (levels: WorkLevels) => levels.top + 0.1 * levels.usual;
  expect(readyFor(jumped, 180_000)).toBeLessThan(known(jumped));
  expect(readyFor(climbed, 180_000)).toBeGreaterThan(known(climbed));
});

test('when a climb is over, what it asked for is over within a start', () => {
  const over = (minutes: number) => {
    const levels = levelsAfter([...growing(1.15, 8), ...minutesOf(...repeat(minutes, [4 * 1.15 ** 8]))], 180_000);
    return readyFor(levels, 180_000) / levels.top;
  };
  expect(over(0)).toBeGreaterThan(1.3);
  expect(over(6)).toBeLessThan(1.1);
});
