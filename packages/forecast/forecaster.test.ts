import { expect, test } from '@jest/globals';
import { instant, type Milliseconds, minutes } from '@kubeai/units';
import { createForecaster, type Prediction, restoreSeason } from './forecaster.ts';
import type { Season } from './model.ts';

const start = Date.UTC(2024, 0, 1);

/** Feeds a demand by minute and collects what is forecast for `horizon` minutes ahead; `room` is asked for on top of it anyway. */
function follow(
  minutesLong: number,
  demand: (minute: number) => number,
  horizon = 2,
  begin = 0,
  learned?: Season,
  room = 0,
) {
  const forecaster = createForecaster(learned);
  const said: (Prediction | undefined)[] = [];
  for (let second = begin * 60; second < (begin + minutesLong) * 60; second += 10) {
    const load = demand(second / 60);
    forecaster.record(instant(start + second * 1_000), load, load + room);
    if (second % 60 === 0) said.push(forecaster.forecast(minutes(horizon) as Milliseconds));
  }
  return Object.assign(said, { season: forecaster.season() });
}

const day = (minute: number): number => 10 + 6 * Math.sin((2 * Math.PI * minute) / 1_440);

test('a ramp is foreseen within minutes and scored better than "as now"', () => {
  const said = follow(40, (minute) => 5 + 0.5 * minute).at(-1)!;
  expect(said.score).toBeLessThan(0.5);
  expect(Math.abs(said.replicas - (5 + 0.5 * 41))).toBeLessThan(0.6);
});

test('on a day like the days before, the season knows the morning', () => {
  const said = follow(3 * 1_440, day, 10);
  const at = 2 * 1_440 + 100;
  expect(said[at]!.score).toBeLessThan(0.5);
  expect(Math.abs(said[at]!.replicas - day(at + 10))).toBeLessThan(0.3);
});

test('a season outlives a restart, as JSON of less than a kilobyte, and speaks after minutes', () => {
  // Down for a while in the middle of a place, which must not make the place look half empty.
  const before = follow(2 * 1_440 + 65, day, 10);
  const json = JSON.stringify(before.season);
  expect(json.length).toBeLessThan(1_024);
  const begin = 2 * 1_440 + 68;
  const said = follow(40, day, 10, begin, restoreSeason(JSON.parse(json))).at(-1)!;
  expect(said).toMatchObject({ model: 'holtWinters' });
  expect(Math.abs(said.replicas - day(begin + 39 + 10))).toBeLessThan(0.3);
});

test.each([
  ['nothing', undefined],
  ['text', 'x'],
  ['too few places', { since: 1, shape: [1] }],
  ['strange places', { since: 1, shape: Array.from({ length: 144 }, () => -1) }],
  ['no beginning', { shape: Array.from({ length: 144 }, () => 1) }],
])('%s is no season', (_what, data) => {
  expect(restoreSeason(data)).toBeUndefined();
});

test('a random walk turns the forecast off within 30 minutes, and it stays off nine tenths of the time', () => {
  let seed = 7;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const walk: number[] = [20];
  for (let minute = 1; minute <= 600; minute += 1) walk.push(Math.max(5, walk.at(-1)! + (random() - 0.5) * 2));
  const said = follow(600, (minute) => walk[Math.floor(minute)]!);
  const followed = said.slice(30).filter((each) => each !== undefined && each.score < 1).length;
  expect(followed / said.length).toBeLessThan(0.1);
});

/** Nights of one replica, a climb to ten within twenty minutes about minute 540, and a plateau that wanders by a tenth. */
const office =
  (lateBy: readonly number[]) =>
  (minute: number): number => {
    const [day, at] = [Math.floor(minute / 1_440), minute % 1_440];
    const climbed = (middle: number) => 1 / (1 + Math.exp((middle - at) / 5));
    const level = climbed(540 + lateBy[day]!) * (1 - climbed(1_080));
    return 1 + 9 * level * (1 + 0.1 * Math.sin(minute / 7 + 3 * day));
  };

test.each([
  ['early', -6],
  ['late', 6],
])('a morning that comes %s is climbed as high as those before, and no higher', (_when, minutesLate) => {
  const demand = office([0, 0, minutesLate]);
  const said = follow(3 * 1_440, demand, 4);
  for (let minute = 534; minute <= 554; minute += 1) {
    const at = 2 * 1_440 + minute;
    const { replicas, score } = said[at]!;
    expect(score).toBeLessThan(1);
    expect(replicas).toBeLessThan(12);
    // The last bucket that is known has ended some seconds ago, and a place of the day is ten minutes.
    if (minutesLate > 0) expect(replicas).toBeGreaterThan(0.75 * demand(at + 4));
  }
});

test('a walk that is unlike the day before is not followed for long on the second day', () => {
  let seed = 3;
  const random = () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    return seed / 0x7fffffff;
  };
  const walk: number[] = [20];
  for (let minute = 1; minute <= 3 * 1_440; minute += 1) {
    walk.push(Math.min(40, Math.max(5, walk.at(-1)! + (random() - 0.5) * 3)));
  }
  const said = follow(3 * 1_440, (minute) => walk[Math.floor(minute)]!, 4, 0, undefined, 1).slice(1_440 + 30);
  const followed = said.filter((each) => each !== undefined && each.score < 1).length;
  expect(followed / said.length).toBeLessThan(0.1);
});

test('a climb that the room for more covers anyway is foreseen and not worth following', () => {
  const scoreWith = (room: number) => {
    const forecaster = createForecaster();
    const climb = (minute: number) => 5 + 0.25 * minute;
    for (let second = 0; second < 3_600; second += 10) {
      const load = climb(second / 60);
      forecaster.record(instant(start + second * 1_000), load, load + room);
      forecaster.forecast(minutes(4) as Milliseconds);
    }
    return forecaster.forecast(minutes(4) as Milliseconds)!.score;
  };
  expect(scoreWith(0)).toBeLessThan(1);
  expect(scoreWith(2)).toBeGreaterThanOrEqual(1);
});

test.each([
  ['nothing recorded', 0],
  ['one minute', 1],
  ['three minutes', 3],
])('says nothing before predictions have come due: %s', (_, long) => {
  expect(follow(long, () => 3).every((each) => each === undefined)).toBe(true);
});

test('never foresees more than twice what is needed now', () => {
  const demand = (minute: number) => (minute < 20 ? 2 : 2 * 1.5 ** (minute - 20));
  for (const [minute, said] of follow(60, demand, 10).entries()) {
    if (said !== undefined) expect(said.replicas).toBeLessThanOrEqual(2 * demand(minute) + 1e-9);
  }
});
