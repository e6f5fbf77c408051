// What is tolerated of a need: a share of the size, and of work less, the longer a replica takes to come.
import { expect, test } from '@jest/globals';
import type { MetricName } from '@kubeai/policy';
import { instant, seconds } from '@kubeai/units';
import type { Combined } from './combination.ts';
import type { Snapshot } from './snapshot.ts';
import { trafficOf } from './testing/traffic-of.ts';
import { tolerate } from './wish.ts';

const tolerance = { up: 0.1, down: 0.2 };
const counts = {
  requested: 0,
  unschedulable: 0,
  pulling: 0,
  loading: 0,
  warming: 0,
  serving: 40,
  failing: 0,
  draining: 0,
};
const fleet = (startSeconds: number): Snapshot => ({
  replicas: 40,
  ledger: {
    counts,
    credited: 0,
    dead: 0,
    startup: { samples: [], lastReady: instant(0) },
    startupP50Ms: seconds(startSeconds),
    startupP90Ms: seconds(startSeconds),
  },
  signals: [],
  traffic: trafficOf(400),
});
const needing = (needs: number, winner: MetricName): Combined => ({
  needs,
  winner,
  algorithm: { name: 'MaxRatio', valid: true },
});

test.each<[MetricName, number, number, 'tolerated' | 'followed']>([
  ['work', 60, 43.9, 'tolerated'],
  ['work', 60, 44.1, 'followed'],
  ['work', 10, 43.9, 'tolerated'],
  ['work', 10, 44.1, 'followed'],
  ['work', 120, 41.9, 'tolerated'],
  ['work', 120, 42.1, 'followed'],
  ['work', 300, 40.7, 'tolerated'],
  ['work', 300, 40.9, 'followed'],
  ['concurrency', 300, 43.9, 'tolerated'],
  ['concurrency', 300, 44.1, 'followed'],
])('of forty replicas, %s with starts of %i s that needs %f is %s', (winner, start, needs, outcome) => {
  const wanted = Math.ceil(needs);
  const { replicas } = tolerate(fleet(start), needing(needs, winner), false, tolerance, wanted);
  expect(replicas).toBe(outcome === 'followed' ? wanted : 40);
});
