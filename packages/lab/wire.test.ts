import { expect, test } from '@jest/globals';
import type { Report } from '@kubeai/protocol';
import { elapsed } from '@kubeai/units';
import { createRandom } from './random.ts';
import { epoch } from './simulated-time.ts';
import { createWire, type WireOptions } from './wire.ts';

const reportOf = (uid: string, sequence: number) =>
  ({ sequence, ageMs: 0, pod: { namespace: 'lab', name: uid, uid } }) as Report;

/** Two agents report each second for a thousand seconds; what comes, in its order. */
function travels(options: WireOptions, isDown?: (now: number) => boolean) {
  const wire = createWire(options, createRandom(5), isDown);
  const came: { uid: string; sequence: number; ageMs: number; tookMs: number; isLate: boolean }[] = [];
  const receive = (now: number) => {
    for (const { report, receivedAt } of wire.receive(now)) {
      const { sequence, ageMs, pod } = report;
      const at = elapsed(epoch, receivedAt);
      came.push({ uid: pod.uid, sequence, ageMs, tookMs: at - 1_000 * sequence, isLate: at !== now });
    }
  };
  for (let second = 0; second < 1_000; second += 1) {
    while (wire.nextAt() <= 1_000 * second) receive(wire.nextAt());
    for (const uid of ['a', 'b']) wire.send(reportOf(uid, second), 1_000 * second);
  }
  for (let last = wire.nextAt(); last < 1_100_000; last = wire.nextAt()) receive(last);
  return came;
}
const sequencesOf = (came: ReturnType<typeof travels>, agent: string) =>
  came.flatMap(({ uid, sequence }) => (uid === agent ? [sequence] : []));

test('a report takes half to twice of the mean, and comes when it was said to come next', () => {
  const came = travels({ lossShare: 0, delayMs: 100 });
  expect(came).toHaveLength(2_000);
  expect(Math.min(...came.map(({ tookMs }) => tookMs))).toBeGreaterThanOrEqual(50);
  expect(Math.max(...came.map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(200);
  expect(came.reduce((sum, { tookMs }) => sum + tookMs, 0) / came.length / 100).toBeCloseTo(1, 1);
  expect(came.filter(({ ageMs, isLate }) => ageMs > 0 || isLate)).toEqual([]);
});

test('reports of one agent never overtake each other, however long they take and however often they are sent again', () => {
  const came = travels({ lossShare: 0.1, delayMs: 3_000 });
  for (const agent of ['a', 'b']) {
    expect(sequencesOf(came, agent)).toEqual(Array.from({ length: 1_000 }, (_, second) => second));
  }
});

test('a connection that breaks is opened again within a second, and what waited comes with its age', () => {
  const came = travels({ lossShare: 0.02, delayMs: 10 });
  expect(came).toHaveLength(2_000);
  const again = came.filter(({ ageMs }) => ageMs > 0);
  expect(again.length).toBeGreaterThan(20);
  expect(again.length).toBeLessThan(80);
  for (const { ageMs, tookMs } of again) {
    expect(tookMs).toBeGreaterThanOrEqual(ageMs);
    expect(tookMs).toBeLessThan(2_500);
  }
});

test('after five minutes without a controller reports come again within its longest pause, and those of the last minute with them', () => {
  const from = 300_000;
  const until = 600_000;
  const sequences = sequencesOf(
    travels({ lossShare: 0, delayMs: 100 }, (now) => now >= from && now < until),
    'a',
  );
  const gap = sequences.findIndex((sequence, index) => sequence > index);
  expect(gap).toBe(300);
  expect(sequences[gap]!).toBeGreaterThanOrEqual(530);
  expect(sequences[gap]!).toBeLessThanOrEqual(550);
  expect(sequences.slice(gap)).toEqual(
    Array.from({ length: 1_000 - sequences[gap]! }, (_, at) => sequences[gap]! + at),
  );
});

test('an agent that never gets through is heard of no more, nor is one that is gone', () => {
  expect(travels({ lossShare: 1, delayMs: 100 })).toEqual([]);
  const wire = createWire({ lossShare: 1, delayMs: 0 }, createRandom(1));
  wire.send(reportOf('a', 0), 0);
  wire.forget('a');
  expect(wire.nextAt()).toBe(Number.POSITIVE_INFINITY);
});

test('without breaks and delay everything is there at once', () => {
  expect(new Set(travels({ lossShare: 0, delayMs: 0 }).map(({ tookMs }) => tookMs))).toEqual(new Set([0]));
});
