import { expect, test } from '@jest/globals';
import { createSketch } from '@kubeai/sketch';
import { milliseconds } from '@kubeai/units';
import type { RequestRecord } from './play-request.ts';
import { reportOf, shareWithin } from './report.ts';
import { summaryOf } from './summary.ts';

const record = (row: number, changes: Partial<RequestRecord> = {}): RequestRecord => ({
  row,
  dueMs: milliseconds(row),
  lateMs: milliseconds(0),
  outcome: 'ok',
  status: 200,
  timeToFirstTokenMs: milliseconds(100 + row),
  latencyMs: milliseconds(1_000 + row),
  longestGapMs: milliseconds(30),
  promptTokens: 10,
  askedTokens: 5,
  generatedTokens: 5,
  ...changes,
});

test('percentiles are exact, failures are counted by kind, and all adds up', () => {
  const ok = Array.from({ length: 100 }, (_, index) => record(100 - index));
  const failed = [
    record(200, { outcome: 'status', status: 503, timeToFirstTokenMs: undefined, generatedTokens: 0 }),
    record(201, { outcome: 'truncated', generatedTokens: 2 }),
    record(202, { outcome: 'stopped', generatedTokens: 0 }),
  ];
  const gaps = createSketch();
  for (let gap = 1; gap <= 100; gap += 1) gaps.record(gap);
  const report = reportOf([...failed, ...ok], gaps, milliseconds(2_000));
  expect(report).toMatchObject({
    requests: 103,
    succeeded: 100,
    stopped: 1,
    failed: { connect: 0, reset: 0, timeout: 0, status: 1, truncated: 1, tooManyInFlight: 0 },
    promptTokens: 1_030,
    generatedTokens: 502,
    latencyMs: { p50: 1_050, p90: 1_090, p95: 1_095, p99: 1_099, max: 1_100 },
  });
  expect(report.interTokenMs!.p95 / 95).toBeCloseTo(1, 1);
  expect(report.records.map(({ row }) => row)).toEqual(report.records.map(({ row }) => row).toSorted((a, b) => a - b));
  const summary = summaryOf(report);
  expect(summary).toContain('103 requests in 2.0 s: 100 ok, 1 stopped');
  expect(summary).toContain('1 truncated: the stream ended without [DONE]');
  expect(summary).toMatch(/whole answer +1050\.0 +1090\.0 +1095\.0 +1099\.0 +1100\.0/);
});

test('where nothing was measured there is no number', () => {
  const report = reportOf([], createSketch(), milliseconds(0));
  expect(report).toMatchObject({ requests: 0, timeToFirstTokenMs: undefined, latencyMs: undefined });
  expect(summaryOf(report)).toMatch(/first token +-$/m);
});

test.each<[string, RequestRecord[], Parameters<typeof shareWithin>[1], number | undefined]>([
  ['nothing to judge', [], {}, undefined],
  ['only stopped requests', [record(0, { outcome: 'stopped' })], {}, undefined],
  ['no target: success is enough', [record(0), record(1, { outcome: 'reset' })], {}, 0.5],
  ['first token', [record(0), record(50), record(101)], { timeToFirstTokenMs: 150 }, 2 / 3],
  ['whole answer', [record(0), record(50)], { latencyMs: 1_000 }, 0.5],
  ['gap', [record(0), record(1, { longestGapMs: milliseconds(300) })], { longestGapMs: 200 }, 0.5],
  ['one token has no gap', [record(0, { longestGapMs: undefined })], { longestGapMs: 200 }, 1],
  ['a failure is a miss', [record(0), record(1, { outcome: 'tooManyInFlight' })], { latencyMs: 9_999 }, 0.5],
])('share within: %s', (_name, records, promised, share) => {
  expect(shareWithin(records, promised)).toBe(share);
});
