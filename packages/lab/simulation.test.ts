// The world around the servers: what reaches the controller, and when GPUs do.
import { expect, test } from '@jest/globals';
import { serviceTimes } from '@kubeai/model-server';
import { defaultPolicy, ours } from './ours.ts';
import { engineLimitsOf, stepTimesOf } from './replica.ts';
import { fixed, hpa } from './rivals.ts';
import { simulate } from './simulation.ts';
import { usualWire } from './wire.ts';
import { workloadOf } from './workload.ts';
import type { World } from './world.ts';

const hardware = { model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 };
const limits = engineLimitsOf(hardware, 32);
const world: World = {
  times: stepTimesOf(serviceTimes(hardware)!, limits),
  limits,
  startUpMs: 30_000,
  maxReplicas: 12,
  nodes: { standing: 12, arrivalMs: 0 },
  wire: usualWire,
  minReplicas: 1,
  initialReplicas: 2,
  balancer: 'leastRequests',
  patienceMs: 60_000,
  seed: 7,
  incidents: [],
  warmUpMs: 0,
};
/** So many requests a second from each moment on, for ten minutes. */
const rates = (perSecond: (second: number) => number) =>
  workloadOf(
    'rates',
    Array.from({ length: 600 }, (_, second) =>
      Array.from({ length: perSecond(second) }, (_, each) => ({
        at: 1_000 * second + (1_000 * each) / perSecond(second),
        promptTokens: 1_000,
        outputTokens: 200,
      })),
    ).flat(),
    600_000,
  );
const step = rates((second) => (second < 120 ? 2 : 14));
const lull = rates((second) => (second < 120 ? 6 : 1));

const interactive = ours('interactive', defaultPolicy());
const play = (change: Partial<World>, workload = step, contender = interactive) =>
  simulate(workload, { ...world, ...change }, contender);
const largest = ({ minutes }: ReturnType<typeof play>) => Math.max(...minutes.map(({ asked }) => asked));

test('agents that never get through are missing, and a fleet of which nothing is known keeps its size', () => {
  const silent = play({ initialReplicas: 3, wire: { lossShare: 1, delayMs: 100 } }, lull);
  expect(silent.moments).toEqual([]);
  expect(silent.minutes.at(-1)?.why).toMatch(/NoFreshSignals/);
  expect(play({ initialReplicas: 3 }, lull).minutes.at(-1)!.asked).toBeLessThan(3);
});

test('connections that break every other second are enough to grow by', () => {
  expect(largest(play({ wire: { lossShare: 0.5, delayMs: 100 } }))).toBeGreaterThanOrEqual(4);
});

test('reports that take seconds are followed seconds later', () => {
  const grewAt = (delayMs: number) =>
    play({ wire: { lossShare: 0, delayMs } }).moments.find(({ at, to }) => at > 120_000 && to > 2)!.at;
  const [swift, slow] = [grewAt(100), grewAt(3_000)];
  expect(slow - swift).toBeGreaterThanOrEqual(1_000);
  expect(slow - swift).toBeLessThan(10_000);
});

test('who looks at pods by itself does not care for the wire', () => {
  const [usual, none] = [usualWire, { lossShare: 1, delayMs: 9_000 }].map(
    (wire) => play({ wire }, step, hpa('concurrency', 12)).moments,
  );
  expect(usual!.length).toBeGreaterThan(0);
  expect(none).toEqual(usual);
});

test('replicas beyond the standing nodes serve when their node has come and they have started', () => {
  const readyAt = (nodes: World['nodes']) =>
    play({ nodes }, step, fixed(6)).minutes.findIndex(({ ready }) => ready === 6) + 1;
  expect(readyAt({ standing: 12, arrivalMs: 240_000 })).toBe(1);
  const late = readyAt({ standing: 4, arrivalMs: 240_000 });
  expect(late).toBeGreaterThanOrEqual(4);
  expect(late).toBeLessThanOrEqual(6);
});
