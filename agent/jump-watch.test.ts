// When a report does not wait for its second, and how seldom that is while nothing has changed.
import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { createJumpWatch } from './jump-watch.ts';
import { createTrafficBook, type Exchange } from './traffic.ts';

interface Told {
  readonly at: number;
  readonly inFlight: number;
  readonly started: number;
  readonly jumped: boolean;
  readonly windowMs: number;
}

/** Books that report each second and whenever the load jumps. */
function reporter() {
  const clock = createManualClock();
  const told: Told[] = [];
  let windowStart = 0;
  const jump = createJumpWatch(clock, () => report());
  const book = createTrafficBook(0, jump.began);
  const report = (): void => {
    const at = clock.monotonic();
    const traffic = book.closeWindow(at);
    const windowMs = Math.max(1, at - windowStart);
    told.push({ at, inFlight: traffic.inFlight, started: traffic.started, jumped: jump.seen, windowMs });
    jump.told(traffic, windowMs, at);
    windowStart = at;
  };
  clock.every(seconds(1), report);
  const open: Exchange[] = [];
  return {
    clock,
    told,
    begin(requests: number) {
      for (let at = 0; at < requests; at += 1) open.push(book.begin('chat', clock.monotonic()));
    },
    finish(requests: number) {
      for (const exchange of open.splice(0, requests)) book.finish(exchange, '2xx', clock.monotonic());
    },
    advance: (span: number) => clock.advance(milliseconds(span)),
  };
}

test('a jump of requests in flight is told within a moment, whole, with the window it took', async () => {
  const { told, begin, advance } = reporter();
  begin(2);
  await advance(3_400);
  begin(20);
  await advance(10);
  begin(8);
  await advance(2_000);
  expect(told.slice(3)).toEqual([
    { at: 3_425, inFlight: 30, started: 28, jumped: true, windowMs: 425 },
    { at: 4_000, inFlight: 30, started: 0, jumped: false, windowMs: 575 },
    { at: 5_000, inFlight: 30, started: 0, jumped: false, windowMs: 1_000 },
  ]);
});

test('short requests that come much faster are a jump, though few are in flight', async () => {
  const { told, begin, finish, advance } = reporter();
  const second = async (each: number, times: number) => {
    for (let at = 0; at < times; at += 1) {
      begin(1);
      finish(1);
      await advance(each);
    }
  };
  await second(100, 50);
  await second(5, 200);
  const early = told.filter(({ jumped }) => jumped);
  expect(early[0]).toMatchObject({ inFlight: 0 });
  expect(early[0]!.at).toBeLessThan(5_250);
});

test.each([
  ['in one window', 3_400, [3_425, 3_725, 4_000]],
  ['in one window, also where a second ends meanwhile', 3_800, [3_825, 4_000, 4_300, 5_000]],
])('whether a jump of short answers has held is told a moment later, %s', async (_name, jumpAt, times) => {
  const { told, begin, finish, advance } = reporter();
  const ask = async (inFlight: number, span: number) => {
    for (let passed = 0; passed < span; passed += 25) {
      begin(inFlight);
      await advance(25);
      finish(inFlight);
    }
  };
  await ask(2, jumpAt);
  await ask(20, 1_400);
  expect(told.filter(({ at }) => at > 3_000).map(({ at }) => at)).toEqual(expect.arrayContaining(times));
  const followed = told.filter(({ at, jumped }) => at > jumpAt && jumped).at(-1)!;
  expect(followed.windowMs).toBe(300);
});

test('a jump just before its second is told with it', async () => {
  const { told, begin, advance } = reporter();
  await advance(1_990);
  begin(30);
  await advance(1_000);
  expect(told.map(({ at, jumped }) => [at, jumped])).toEqual([
    [1_000, false],
    [2_000, true],
  ]);
});

test('what climbs is told as it climbs, and what jumps all the time once in ten seconds', async () => {
  const { told, begin, finish, advance } = reporter();
  for (let second = 0; second < 60; second += 1) {
    await advance(400);
    begin(100);
    await advance(50);
    finish(100);
    await advance(550);
  }
  const early = told.filter(({ windowMs, at }) => at % 1_000 !== 0 && windowMs < 1_000);
  expect(early.length).toBeGreaterThan(3);
  expect(early.length).toBeLessThanOrEqual(3 + 6);
  expect(told.filter(({ at }) => at % 1_000 === 0)).toHaveLength(60);
});

test('early reports keep their distance from the one before', async () => {
  const { told, begin, advance } = reporter();
  await advance(1_010);
  for (let step = 0; step < 6; step += 1) {
    begin(10 * 3 ** step);
    await advance(50);
  }
  await advance(600);
  const times = told.map(({ at }) => at);
  expect(times.length).toBeGreaterThan(2);
  for (let at = 1; at < times.length; at += 1) expect(times[at]! - times[at - 1]!).toBeGreaterThanOrEqual(100);
});

test.each([
  [0.3, 400],
  [2, 1_000],
  [8, 2_000],
  [50, 500],
])('of a steady load of %d requests chance alone makes hardly any report more', async (load, takes) => {
  const { told, begin, finish, clock } = reporter();
  let state = 7;
  const uniform = () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return (state + 1) / (2 ** 31 + 1);
  };
  // Requests come and go by chance: in flight they are as a Poisson count.
  let inFlight = 0;
  const span = 600_000;
  while (clock.monotonic() < span) {
    const rate = load / takes + inFlight / takes;
    await clock.advance(milliseconds(-Math.log(uniform()) / rate));
    if (uniform() * rate < load / takes) {
      begin(1);
      inFlight += 1;
    } else {
      finish(1);
      inFlight -= 1;
    }
  }
  const extra = told.length - Math.floor(clock.monotonic() / 1_000);
  // The first seconds fill an empty server, which is a jump.
  expect(extra).toBeLessThanOrEqual(3 + 0.01 * (span / 1_000));
});
