import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { workToReckonWith } from './arriving-work.ts';
import { emptyHistory, type History } from './history.ts';
import { learn } from './learn.ts';
import { ledgerOf } from './ledger.ts';
import { policyOf } from './testing/policy-of.ts';
import { trafficOf } from './testing/traffic-of.ts';
import { learnAtOnce, learnPlaces, learnSteps, type WorkModel } from './work-model.ts';

const start = instant(1_700_000_000_000);
const policy = policyOf({ minReplicas: 1, maxReplicas: 20, preset: 'interactive' });

const reckonedWith = (history: History): number =>
  workToReckonWith(history.levels!, ledgerOf(history.replicas, [], history, history.at));

/** What is known after five minutes whose load changes each second, looked at so often. */
function learned(looksASecond: number): Pick<History, 'levels' | 'work' | 'serviceMs'> {
  let history: History = {
    ...emptyHistory(4, start),
    work: learnPlaces(learnSteps(undefined, { answers: 10, promptsPerSecond: 0, ms: 100 }), 10),
  };
  for (let second = 1; second <= 300; second += 1) {
    const arrivals = 4 + (second % 7);
    const traffic = trafficOf(40, {
      arrivalsPerSecond: arrivals,
      arrivalsNow: arrivals,
      completionsPerSecond: arrivals,
      generatedTokensPerRequest: 100 + second,
      meanInterTokenMs: 100 + (second % 5),
      meanLatencyMs: 4_000 + 10 * second,
    });
    for (let look = 0; look < looksASecond; look += 1) {
      const now = instant(start + 1_000 * second + (1_000 * look) / looksASecond);
      const snapshot = { replicas: 4, ledger: ledgerOf(4, [], history, now), signals: [], traffic };
      history = { ...learn(policy, snapshot, history, now), at: now };
    }
  }
  const { levels, work, serviceMs } = history;
  return { levels, work, serviceMs } as Pick<History, 'levels' | 'work' | 'serviceMs'>;
}

test('looking twenty times a second, as after a step, teaches what looking once a second does', () => {
  const once = learned(1);
  expect(once.levels?.spread).toBeGreaterThan(0);
  expect(learned(20)).toEqual(once);
});

test('what was learned before a replica was full is what would have been learned had its places been known', () => {
  let steps: WorkModel | undefined;
  for (let look = 0; look < 20; look += 1) steps = learnSteps(steps, { answers: 4, promptsPerSecond: 0, ms: 100 });
  const after = (work: WorkModel) => {
    let history: History = { ...emptyHistory(4, start), work };
    for (let second = 1; second <= 1_200; second += 1) {
      const now = instant(start + 1_000 * second);
      // A burst of two minutes, and a full replica at the end.
      const arrivals = (second >= 600 && second < 720 ? 20 : 6) + (second % 3);
      const told = { arrivalsPerSecond: arrivals, arrivalsNow: arrivals, generatedTokensPerRequest: 100 };
      const traffic = trafficOf(16, { ...told, ...(second > 1_190 ? { places: 10 } : {}) });
      const snapshot = { replicas: 4, ledger: ledgerOf(4, [], history, now), signals: [], traffic };
      history = { ...learn(policy, snapshot, history, now), at: now };
    }
    return reckonedWith(history);
  };
  const known = after(learnPlaces(steps, 10));
  expect(after(learnAtOnce(steps, 5)) / known).toBeCloseTo(1, 1);
  expect(known).toBeGreaterThan(1.5 * 7);
});

test.each([
  ['idle replicas', 4],
  ['none', 0],
])('work of hours ago asks for nothing when a request comes after a silence of %s', (_what, replicas) => {
  let now = start;
  let history: History = {
    ...emptyHistory(4, start),
    work: learnPlaces(learnSteps(undefined, { answers: 10, promptsPerSecond: 0, ms: 100 }), 10),
  };
  const look = (hours: number, inFlight: number, size: number, more: Parameters<typeof trafficOf>[1]) => {
    for (let second = 0; second < 3_600 * hours; second += 1) {
      now = instant(now + 1_000);
      const snapshot = {
        replicas: size,
        ledger: ledgerOf(size, [], history, now),
        signals: [],
        traffic: trafficOf(inFlight, more),
      };
      history = { ...learn(policy, snapshot, history, now), at: now };
    }
  };
  look(0.2, 40, 4, { arrivalsPerSecond: 8, arrivalsNow: 8, generatedTokensPerRequest: 100 });
  expect(reckonedWith(history)).toBeGreaterThan(7);
  look(2, 0, replicas, { arrivalsPerSecond: 0, arrivalsNow: 0, idle: replicas > 0 });
  expect(reckonedWith(history)).toBeLessThan(0.1);
});
