import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { type RequestOutcome, type SizeChange, shortcomings, summarize } from './summary.ts';

const start = instant(10_000);
const end = instant(70_000);
const served = (timeToFirstTokenMs: number, latencyMs: number): RequestOutcome => ({
  failed: false,
  timeToFirstTokenMs,
  latencyMs,
});
const lost: RequestOutcome = { failed: true, timeToFirstTokenMs: undefined, latencyMs: undefined };
const size = (atSeconds: number, replicas: number, reason = 'WithinTarget'): SizeChange => ({
  at: instant(atSeconds * 1_000),
  replicas,
  reason,
});

const upAndDown = [size(0, 1), size(20, 3, 'LatencyOverTarget'), size(50, 1, 'LatencyUnderTarget')];

test('replica-seconds are the area under the size from the start of the load on', () => {
  const report = summarize([served(1, 2)], upAndDown, [], {}, start, end);
  expect(report.replicaSeconds).toBe(10 * 1 + 30 * 3 + 20 * 1);
});

test('scale events carry their time since the start, both sizes and the reason', () => {
  expect(summarize([], upAndDown, [], {}, start, end).scaleEvents).toEqual([
    { atMs: 10_000, from: 1, to: 3, reason: 'LatencyOverTarget' },
    { atMs: 40_000, from: 3, to: 1, reason: 'LatencyUnderTarget' },
  ]);
});

test('what served is told from the start of the load on', () => {
  const readiness = [
    { at: instant(0), ready: 1 },
    { at: instant(27_000), ready: 2 },
  ];
  expect(summarize([], upAndDown, readiness, {}, start, end).readyEvents).toEqual([{ atMs: 17_000, ready: 2 }]);
});

test('a failed request is never within target, and quantiles are taken over served ones', () => {
  const outcomes = [served(100, 900), served(300, 2_000), lost, served(200, 1_000)];
  const report = summarize(outcomes, upAndDown, [], { timeToFirstTokenMs: 250, latencyMs: 1_500 }, start, end);
  expect(report).toMatchObject({
    requests: 4,
    failed: 1,
    withinTarget: 0.5,
    ttftMs: { p50: 200, p95: 300, p99: 300 },
    latencyMs: { p50: 1_000, p95: 2_000, p99: 2_000 },
  });
});

test('without a served request there are no quantiles', () => {
  expect(summarize([lost], upAndDown, [], {}, start, end).ttftMs).toEqual({ p50: null, p95: null, p99: null });
});

test.each([
  ['held', [served(1, 1)], upAndDown, []],
  ['lost one', [served(1, 1), lost], upAndDown, ['1 of 2 requests failed']],
  ['never grew', [served(1, 1)], [size(0, 1)], ['it never grew beyond 1 replicas']],
  ['stayed up', [served(1, 1)], [size(0, 1), size(20, 3)], ['it did not come back down to 1 replicas (still 3)']],
  ['sent nothing', [], upAndDown, ['no request was sent']],
])('the verdict says what is missing: %s', (_name, outcomes, sizes, expected) => {
  expect(shortcomings(summarize(outcomes, sizes, [], {}, start, end))).toEqual(expected);
});
