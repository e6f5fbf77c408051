// Traffic unlike any that a policy was tuned on: whatever it is, everybody's account of it must add up.
import { expect, test } from '@jest/globals';
import { serviceTimes } from '@kubeai/model-server';
import { drawIntervals, parseCounts } from './intervals.ts';
import { defaultPolicy } from './ours.ts';
import { reportOf, textOf } from './report.ts';
import { generate, parseRates, parseTokens, stretchOf } from './servegen.ts';
import { study } from './study.ts';
import { type Workload, workloadOf } from './workload.ts';

const hardware = { model: 'llama2-70b', gpu: 'a100', tensorParallel: 4 };
const drawn = { fromSecond: 0, seconds: 1_800, thin: 1, speed: 1, seed: 3 };

function unwrapped<Value>(result: { readonly ok: true; readonly value: Value } | { readonly ok: false }): Value {
  if (!result.ok) throw new Error('a trace of this test is wrong');
  return result.value;
}

/** Three clients whose gaps are so spread that nearly everything comes at once, and whose prompts are books. */
function storms(): Workload {
  const windows = [0, 600, 1_200].flatMap((second) =>
    [1, 2, 3].map((client) => `${client},${second},${0.2 * client},25,Weibull,0.15,${client}`),
  );
  const rates = unwrapped(parseRates(`client,t_s,rate_rps,iat_cv,dist,p1,p2\n${windows.join('\n')}`));
  const header = 'client,t_s,in_mean,in_p50,in_p90,in_p99,out_mean,out_p50,out_p90,out_p99';
  const tokens = unwrapped(parseTokens(`${header}\n1,0,9000,7000,15000,60000,900,700,2000,9000`));
  return generate('storms', stretchOf(rates, 0, 1_800), tokens, drawn);
}

/** Two humps and a nightly hour of nothing, half an hour a day. */
function humps(): Workload {
  const rows = Array.from({ length: 60 }, (_, at) => {
    const requests = Math.round(Math.max(0, 80 * Math.sin((2 * Math.PI * at) / 20) * Math.sin(at / 7)));
    return `${at * 30},${requests},300,${at < 30 ? 40 : 700}`;
  });
  return drawIntervals(
    'humps',
    unwrapped(parseCounts(`t_s,requests,prompt_tokens,output_tokens\n${rows.join('\n')}`)),
    drawn,
  );
}

const even = (count: number, everyMs: number, promptTokens: number, outputTokens: number) =>
  Array.from({ length: count }, (_, index) => ({ at: index * everyMs, promptTokens, outputTokens }));

test.each<[string, () => Workload]>([
  ['storms of books', storms],
  ['two humps and nights without anybody', humps],
  ['all requests at the same moment', () => workloadOf('at once', even(800, 0, 200, 50), 600_000)],
  ['a single request', () => workloadOf('one', even(1, 1, 1, 1), 120_000)],
  [
    'requests of nought tokens and of far too many',
    () => workloadOf('odd', [...even(20, 500, 0, 0), ...even(20, 500, 1_000_000, 1_000_000)], 900_000),
  ],
])('accounts add up for %s', (_, workloadFrom) => {
  const workload = workloadFrom();
  const result = study({
    workload,
    incidents: [],
    hardware,
    times: serviceTimes(hardware)!,
    maxBatch: 16,
    startUpMs: 45_000,
    maxReplicas: 12,
    nodes: { standing: 4, arrivalMs: 60_000 },
    wire: { lossShare: 0.05, delayMs: 300 },
    balancer: 'roundRobin',
    patienceMs: 20_000,
    warmUpMs: 0,
    seed: 3,
    promise: { firstTokenMs: 2_000, perTokenMs: 200 },
    policies: [{ name: 'interactive', policy: { ...defaultPolicy(), prediction: { mode: 'On' } } }],
    rivals: ['hpa-concurrency', 'kpa', 'apa', 'max-ratio', 'static', 'clairvoyant'],
    curves: true,
    isSearching: true,
  });
  for (const { scores } of result.results) {
    for (const score of scores) {
      const { requests, misses, attainment, lost, gpuHours, maxReplicas, meanReplicas, recoverySeconds } = score;
      expect(requests).toBeLessThanOrEqual(workload.at.length);
      expect(requests).toBeGreaterThan(0.9 * workload.at.length - 1);
      expect(misses).toBeGreaterThanOrEqual(lost);
      expect(attainment).toBeCloseTo(1 - misses / Math.max(1, requests), 9);
      expect(gpuHours).toBeGreaterThan(0);
      expect(maxReplicas).toBeLessThanOrEqual(12);
      expect(meanReplicas).toBeLessThanOrEqual(13);
      expect(recoverySeconds).toBeLessThanOrEqual(workload.spanMs / 1_000 + 10);
    }
  }
  const shown = textOf(reportOf(result, 3), reportOf(result, 3).contenders);
  expect(shown).not.toMatch(/NaN|undefined|Infinity/);
  const isCut = workload.prompt.some((tokens, index) => tokens + workload.output[index]! === 16_000);
  expect(/^\d+ of them reach what a server takes/m.test(shown)).toBe(isCut);
});
