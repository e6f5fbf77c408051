import { expect, test } from '@jest/globals';
import { knownMetrics, weightOrder } from '@kubeai/policy';
import { instant } from '@kubeai/units';
import { decide } from './decide.ts';
import { emptyHistory, type History } from './history.ts';
import { limits } from './limits.ts';
import { decodeRecord, encodeRecord, recordOf, replay } from './record.ts';
import { createFleet } from './testing/fleet.ts';
import { policyOf } from './testing/policy-of.ts';

const metrics = { timeToFirstToken: { targetP95Ms: 2_000 }, concurrency: { targetPerReplica: 8 }, work: {} };

test('every record of a busy hour gives its decision again, read back from its text', () => {
  const policy = policyOf({ metrics });
  const fleet = createFleet({ policy, replicas: 2, startSeconds: 60, serviceMs: 4_000, places: 16, free: 8 });
  fleet.setArrivals(3);
  let before: History = fleet.history();
  for (let second = 0; second < 900; second += 1) {
    if (second === 200) fleet.setArrivals(12);
    if (second === 600) fleet.setArrivals(0);
    fleet.run(1);
    const { decision, snapshot } = fleet.last();
    const record = recordOf(policy, snapshot, before, fleet.now(), decision);
    before = fleet.history();
    expect(replay(record)).toEqual(decision);
    const text = encodeRecord(record);
    expect(text.length).toBeLessThan(limits.recordBytes);
    expect(decodeRecord(text)?.decision).toEqual(decision);
  }
});

test('the largest policy there can be still fits', () => {
  const long = (prefix: string, length: number) => prefix.padEnd(length, 'x');
  const latency = { targetP95Ms: 1_234.5, targetP99Ms: 2_345.6, prometheusQuery: long('sum', 4_000) };
  const rates = Array.from({ length: 10 }, (_, index) => ({
    type: 'Pods' as const,
    value: index + 1,
    periodSeconds: 100 + index,
  }));
  const policy = policyOf({
    maxReplicas: 100_000,
    metrics: {
      latency,
      timeToFirstToken: latency,
      interTokenLatency: latency,
      gpuUtilization: { targetPercentage: 75 },
      requestQueueDepth: { enabled: true },
      concurrency: { targetPerReplica: 7.25 },
      tokensPerSecond: { targetPerReplica: 1_234 },
      work: {},
      kvCacheUtilization: { targetPercentage: 80 },
      gpuMemory: { targetPercentage: 80 },
      cpuUtilization: { targetPercentage: 80 },
      memoryUtilization: { targetPercentage: 80 },
      custom: Array.from({ length: 10 }, (_, index) => ({
        name: long(`c${index}`, 63),
        target: 1_234.5,
        prometheusQuery: long('sum', 4_000),
      })),
    },
    scaleUp: { policies: rates },
    scaleDown: { policies: rates, stabilizationWindowSeconds: 3_600 },
    schedule: Array.from({ length: 20 }, (_, index) => ({
      name: long(`s${index}`, 63),
      cron: '* * * * *',
      timeZone: 'America/Argentina/ComodRivadavia',
      durationSeconds: 600,
      minReplicas: 1,
    })),
    algorithm: { name: 'WeightedRatio', weights: Object.fromEntries(weightOrder.map((name) => [name, 1.5])) },
  });
  expect(policy.metrics).toHaveLength(Object.keys(knownMetrics).length + 10);
  const now = instant(1_700_000_000_000);
  const fleet = createFleet({ policy, replicas: 3, startSeconds: 60, serviceMs: 4_000 });
  fleet.setArrivals(2);
  fleet.run(30);
  const { snapshot } = fleet.last();
  const steps = (direction: number) =>
    Array.from({ length: limits.recommendations }, (_, index) => ({
      at: instant(now - 1_000 * (3_000 - 40 * index)),
      replicas: 50_000 + direction * 100 * index,
    }));
  const curve = Array.from({ length: limits.curveBins }, (_, bin) => ({
    bin,
    concurrency: 1.234 * (bin + 1),
    slowdown: 1.234 * (bin + 1),
    weight: 60,
  }));
  const load = { curve, floor: 123.456, floorPerToken: 1.23456, good: 12.3456, missedAt: 12 };
  const history: History = {
    ...emptyHistory(3, instant(now - 1_000)),
    highs: steps(-1),
    lows: steps(1),
    events: Array.from({ length: limits.scaleEvents }, (_, index) => ({
      at: instant(now - 1_000 * index),
      change: 100 + index,
    })),
    startup: {
      samples: Array.from({ length: limits.startupSamples }, () => 123_456 as never),
      lastReady: instant(now - 1_000),
    },
    loads: {
      ...Object.fromEntries(policy.metrics.filter(({ shape }) => shape === 'latency').map(({ name }) => [name, load])),
      requestQueueDepth: { curve: [], good: 12.3456 },
    },
  };
  const { decision } = decide(policy, snapshot, history, now);
  const text = encodeRecord(recordOf(policy, snapshot, history, now, decision));
  expect(text.length).toBeLessThan(limits.recordBytes);
  expect(decodeRecord(text)?.decision).toEqual(decision);
});

test.each(['', 'null', '[]', '[1]', '[1,5,[]]', '[2,5,[[],{}]]', '[1,5,[[],{"\'policy":{}}]]', '{"a":1}'])(
  '%s is no record',
  (text) => {
    expect(decodeRecord(text)).toBeUndefined();
  },
);
