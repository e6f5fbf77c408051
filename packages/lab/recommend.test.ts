import { expect, test } from '@jest/globals';
import { parsePolicy } from '@kubeai/policy';
import { parse } from 'yaml';
import { setting as benchSetting } from './bench/setting.ts';
import { ours } from './ours.ts';
import { recommend, yamlOf } from './recommend.ts';
import { scoreOf } from './score.ts';
import { type Setting, worldOf } from './setting.ts';
import { shapeOf } from './shapes.ts';
import { simulate } from './simulation.ts';
import { limited } from './workload.ts';

const setting: Setting = {
  ...benchSetting,
  workload: limited(shapeOf('spikes', 1, 0.4).workload, { duration: 840_000 }),
  incidents: [],
  startUpMs: 30_000,
  maxReplicas: 12,
  nodes: { standing: 12, arrivalMs: 0 },
  warmUpMs: 0,
  seed: 1,
  promise: { firstTokenMs: 3_000, perTokenMs: 100 },
};

test('what is recommended is accepted, and does on the same traffic what it says', () => {
  const shares: number[] = [];
  const found = recommend(setting, 0.95, 'chat', (_, share) => shares.push(share));
  const yaml = yamlOf(found, setting, 0.95);
  const parsed = parsePolicy(parse(yaml));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { value: policy } = parsed;
  expect(policy).toMatchObject({ preset: 'interactive', target: { kind: 'Deployment', name: 'chat' } });
  expect(policy.metrics.map(({ name, target }) => [name, target])).toEqual([
    ['timeToFirstTokenP95', 3_000],
    ['interTokenLatencyP95', 100],
    ['work', found.expected.knobs.work],
  ]);
  expect(policy.maxReplicas).toBeLessThanOrEqual(12);

  const { world } = worldOf(setting);
  const score = scoreOf(
    setting.workload,
    simulate(setting.workload, world, ours('recommended', policy)),
    setting.promise,
    8,
  );
  expect(score).toEqual(found.expected.score);
  expect(yaml).toContain(`${(100 * score.attainment).toFixed(2)} % of the requests`);
  expect(yaml).toContain(`${score.gpuHours.toFixed(1)} GPU-hours`);
  expect(found.fixed!.score.attainment).toBeGreaterThanOrEqual(0.95);
  expect(yaml).toMatch(/^# So short a trace tells little/m);
  expect(yaml).toContain(`A fixed fleet of ${found.fixed!.size},`);
  expect(found.tried.map(({ knobs }) => knobs.minReplicas)).toContain(found.fixed!.size);
  // Nothing that was tried keeps the goal for less, but for what is no difference.
  for (const { score: other } of found.tried) {
    if (other.attainment >= 0.95) expect(other.gpuHours).toBeGreaterThan(0.98 * score.gpuHours);
  }
  expect(shares).toEqual(shares.toSorted((left, right) => left - right));
});

test('where no value keeps the goal, it says so and keeps the most', () => {
  const found = recommend({ ...setting, startUpMs: 900_000 }, 1, 'chat');
  expect(Math.max(...found.tried.map(({ score }) => score.attainment))).toBeCloseTo(found.expected.score.attainment, 6);
  expect(yamlOf(found, setting, 1)).toMatch(/^# Nothing that was tried kept 100.00 %/m);
  expect(yamlOf(found, { ...setting, warmUpMs: 60_000 }, 1)).toMatch(/^# Played against .*, judged after 60 s\.$/m);
});
