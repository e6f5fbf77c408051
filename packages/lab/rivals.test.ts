// Rivals inside the simulation: what they wish for is held by the published vectors of @kubeai/peers; here it is whether
// they are given what the real ones see, at the pace they see it.
import { expect, test } from '@jest/globals';
import { frontOf, hoursFor, missesAt, tuned } from './compare.ts';
import type { Contender, PodView, View } from './contender.ts';
import { apa, hpa, keda, kpa, maxRatio } from './rivals.ts';
import type { Score } from './score.ts';

const pod = (index: number, inFlight: number, change: Partial<PodView> = {}): PodView => ({
  uid: `pod-${index}`,
  ready: true,
  deleting: false,
  createdAt: -1e6,
  readyAt: -9e5,
  inFlight,
  waiting: 0,
  concurrency: inFlight,
  busy: 0.5,
  ...change,
});

/** The sizes asked for when every look sees the same pods. */
function looks(contender: Contender, pods: readonly PodView[], seconds: number, blind = false): number[] {
  const scaler = contender.create({ min: 1, max: 100, initial: pods.length });
  const sizes: number[] = [];
  for (let now = contender.everyMs; now <= seconds * 1_000; now += contender.everyMs) {
    const view: View = { now, replicas: pods.length, pods, blind, reports: [], facts: () => [] };
    sizes.push(scaler.look(view)?.replicas ?? pods.length);
  }
  return sizes;
}

const two = [pod(1, 20), pod(2, 20)];
test.each<[string, Contender, readonly PodView[], number, number]>([
  ['HPA follows its ratio', hpa('concurrency', 10), two, 15, 4],
  ['HPA stays within its tolerance', hpa('concurrency', 18.5), two, 15, 2],
  [
    'HPA counts a starting pod as empty on the way up',
    hpa('concurrency', 10),
    [...two, pod(3, 0, { ready: false })],
    15,
    4,
  ],
  ['HPA does not shrink within five minutes', hpa('concurrency', 40), two, 240, 2],
  ['HPA shrinks after five minutes', hpa('concurrency', 40), two, 330, 1],
  ['HPA sees nothing in busy GPUs until they pass the target', hpa('gpu', 60), two, 60, 2],
  ['KEDA adds up what is in flight', keda(10), two, 30, 4],
  ['Knative fills to seven tenths', kpa(20), two, 60, 3],
  ['AIBrix at most doubles', apa(2), two, 10, 4],
  ['MaxRatio takes the larger ratio', maxRatio(4), [pod(1, 40, { waiting: 8 }), pod(2, 40, { waiting: 8 })], 15, 4],
])('%s', (_, contender, pods, seconds, expected) => {
  expect(looks(contender, pods, seconds).at(-1)).toBe(expected);
});

test.each([hpa('queue', 1), keda(5), kpa(5), apa(5), maxRatio(1)])(
  '$name changes nothing while it sees nothing',
  (each) => {
    expect(new Set(looks(each, [pod(1, 50, { waiting: 20 }), pod(2, 50, { waiting: 20 })], 60, true))).toEqual(
      new Set([2]),
    );
  },
);

const score = (gpuHours: number, misses: number): Score =>
  ({ gpuHours, misses, attainment: 1 - misses / 1_000 }) as Score;
const scores = [score(30, 1), score(10, 100), score(20, 10), score(25, 50)];
test('a front leaves out what another value beats in both, and is read between its points', () => {
  const front = frontOf(scores);
  expect(front.map(({ gpuHours }) => gpuHours)).toEqual([10, 20, 30]);
  expect(missesAt(front, 15)).toBeCloseTo(Math.sqrt(1_000));
  expect(missesAt(front, 5)).toBe(Number.POSITIVE_INFINITY);
  expect(missesAt(front, 50)).toBe(1);
  expect(hoursFor(front, 10)).toBe(20);
  expect(hoursFor(front, 0)).toBe(Number.POSITIVE_INFINITY);
});

test.each([
  [0.99, 20],
  [0.999, 30],
  [0.9999, 30],
])('tuning to %f takes the cheapest that keeps it, else the best', (goal, hours) => {
  expect(tuned(scores, goal).gpuHours).toBe(hours);
});
