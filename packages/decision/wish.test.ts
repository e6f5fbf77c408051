// What is tolerated of a need: a share of the size, and of work less where a replica takes long to come, down to what chance explains.
import { expect, test } from '@jest/globals';
import type { MetricName } from '@kubeai/policy';
import { instant, seconds } from '@kubeai/units';
import type { Combined } from './combination.ts';
import { emptyHistory, type History } from './history.ts';
import type { Snapshot } from './snapshot.ts';
import { ledgerWith } from './testing/ledger-with.ts';
import { trafficOf } from './testing/traffic-of.ts';
import { tolerate } from './wish.ts';

const tolerance = { up: 0.1, down: 0.2 };
const fleet = (startSeconds: number): Snapshot => ({
  replicas: 40,
  ledger: ledgerWith({ serving: 40, startupP50Ms: seconds(startSeconds), startupP90Ms: seconds(startSeconds) }),
  signals: [],
  traffic: trafficOf(400),
});
const needing = (needs: number, winner: MetricName): Combined => ({
  needs,
  winner,
  algorithm: { name: 'MaxRatio', valid: true },
});

/** Work of late that is off its mean by so much. */
const wandering = (spread: number): History => {
  const levels = {
    each: 1,
    usual: 38,
    felt: 38,
    spread,
    lately: 38,
    top: 38,
    since: instant(0),
    minutes: [],
    burst: 0,
  };
  return { ...emptyHistory(40, instant(0)), levels };
};

test.each<[MetricName, number, number, number, 'tolerated' | 'followed']>([
  // A tenth, where a replica comes within a minute and a half …
  ['work', 60, 0.2, 43.9, 'tolerated'],
  ['work', 60, 0.2, 44.1, 'followed'],
  ['work', 10, 0.2, 43.9, 'tolerated'],
  ['work', 10, 0.2, 44.1, 'followed'],
  // … less, where it takes longer …
  ['work', 180, 0.2, 41.9, 'tolerated'],
  ['work', 180, 0.2, 42.1, 'followed'],
  ['work', 300, 0.2, 41.1, 'tolerated'],
  ['work', 300, 0.2, 41.3, 'followed'],
  // … but two mean deviations, and never more than a tenth.
  ['work', 300, 1, 41.9, 'tolerated'],
  ['work', 300, 1, 42.1, 'followed'],
  ['work', 300, 3, 43.9, 'tolerated'],
  ['work', 300, 3, 44.1, 'followed'],
  ['concurrency', 300, 0.2, 43.9, 'tolerated'],
  ['concurrency', 300, 0.2, 44.1, 'followed'],
])('of forty replicas, %s with starts of %i s, off its mean by %f, that needs %f is %s', (...row) => {
  const [winner, start, spread, needs, outcome] = row;
  const wanted = Math.ceil(needs);
  const { replicas } = tolerate(fleet(start), needing(needs, winner), false, tolerance, wandering(spread), wanted);
  expect(replicas).toBe(outcome === 'followed' ? wanted : 40);
});
