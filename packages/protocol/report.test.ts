import { expect, test } from '@jest/globals';
import { createSketch } from '@kubeai/sketch';
import fc from 'fast-check';
import { encodeReport, parseReport, parseReportLine, type Report } from './index.ts';

const latencies = createSketch();
for (const value of [12, 40, 41, 900]) latencies.record(value);

const report: Report = {
  version: 1,
  run: '5b0c7a0e',
  sequence: 17,
  ageMs: 0,
  windowMs: 403,
  jumped: true,
  pod: { namespace: 'models', name: 'llama-0', uid: '7f1e' },
  traffic: {
    inFlight: 3,
    waitingFirstByte: 1,
    concurrency: 2.4,
    started: 5,
    finished: { '2xx': 3, '5xx': 1 },
    failed: 1,
    aborted: 0,
    rejected: 0,
    promptTokens: 512,
    generatedTokens: 230,
    latencyMs: latencies.encode(),
    timeToFirstByteMs: latencies.encode(),
    timeToFirstTokenMs: latencies.encode(),
    interTokenMs: createSketch().encode(),
    unobservedConnections: 0,
  },
  queue: { length: 4, source: 'engine' },
  engine: { name: 'vllm', ageMs: 300, waiting: 4, running: 3, kvCacheRatio: 0.5 },
  gpu: {
    source: 'nvidia-smi',
    ageMs: 900,
    devices: [{ index: 0, uuid: 'GPU-1', model: 'H100', utilizationPercent: 91, marks: ['PowerThrottle'] }],
    utilizationPercent: 91,
    memoryUsedBytes: 70e9,
    memoryTotalBytes: 80e9,
    marks: ['PowerThrottle'],
  },
  container: { ageMs: 100, cpuCores: 1.5, memoryBytes: 4e9 },
  absent: { host: 'NotYet' },
  leaving: true,
};

/** The report as it would arrive, with one field replaced (`undefined` removes it). */
function altered(path: string, value: unknown): unknown {
  const copy = JSON.parse(encodeReport(report)) as Record<string, unknown>;
  const names = path.split('.');
  const last = names.pop()!;
  let holder = copy;
  for (const name of names) holder = holder[name] as Record<string, unknown>;
  holder[last] = value;
  return copy;
}

test('a report arrives as it was sent', () => {
  expect(parseReportLine(encodeReport(report))).toEqual({ ok: true, value: report });
});

test('what an agent does not know is absent, not zero', () => {
  const { engine: _engine, gpu: _gpu, container: _container, leaving: _leaving, ...rest } = report;
  expect(parseReport(rest)).toEqual({ ok: true, value: rest });
  expect(parseReport(altered('traffic.promptTokens', undefined))).toMatchObject({ ok: true });
});

test('fields that we do not know are left out', () => {
  expect(parseReport(altered('traffic.shoeSize', 43))).toEqual({ ok: true, value: report });
});

test.each<[string, unknown, string]>([
  ['version', 2, 'version'],
  ['version', undefined, 'version'],
  ['run', '', 'run'],
  ['run', 'x'.repeat(1_000), 'run'],
  ['sequence', -1, 'sequence'],
  ['sequence', 1.5, 'sequence'],
  ['ageMs', -1, 'ageMs'],
  ['ageMs', 90_001, 'ageMs'],
  ['ageMs', Number.NaN, 'ageMs'],
  ['ageMs', '0', 'ageMs'],
  ['windowMs', 0, 'windowMs'],
  ['windowMs', 1e9, 'windowMs'],
  ['pod', undefined, 'pod'],
  ['pod', [], 'pod'],
  ['pod.uid', undefined, 'pod.uid'],
  ['pod.namespace', 'n'.repeat(64), 'pod.namespace'],
  ['traffic', null, 'traffic'],
  ['traffic.inFlight', -1, 'traffic.inFlight'],
  ['traffic.concurrency', Number.POSITIVE_INFINITY, 'traffic.concurrency'],
  ['traffic.finished', 4, 'traffic.finished'],
  ['traffic.finished.5xx', -4, 'traffic.finished.5xx'],
  ['traffic.promptTokens', -1, 'traffic.promptTokens'],
  ['traffic.latencyMs', undefined, 'traffic.latencyMs'],
  ['traffic.latencyMs.bins', [1, -1], 'traffic.latencyMs'],
  ['traffic.interTokenMs.sum', null, 'traffic.interTokenMs'],
  ['queue.source', 'guess', 'queue.source'],
  ['engine', 7, 'engine'],
  ['engine.ageMs', 1e9, 'engine.ageMs'],
  ['engine.kvCacheRatio', 1.1, 'engine.kvCacheRatio'],
  ['gpu.source', 'crystal ball', 'gpu.source'],
  ['gpu.devices', Array.from({ length: 65 }, () => ({})), 'gpu.devices'],
  ['gpu.devices', [{ utilizationPercent: 101 }], 'gpu.devices[0].utilizationPercent'],
  ['gpu.marks', ['Tired'], 'gpu.marks[0]'],
  ['gpu.utilizationPercent', null, 'gpu.utilizationPercent'],
  ['container.memoryBytes', -1, 'container.memoryBytes'],
  ['absent.gpu', 'Holiday', 'absent.gpu'],
  ['leaving', 'yes', 'leaving'],
  ['jumped', 1, 'jumped'],
])('%s of %j is refused by name', (path, value, field) => {
  const result = parseReport(altered(path, value));
  expect(result).toEqual({ ok: false, problems: [{ field, message: expect.any(String) }] });
});

test('every problem is told at once', () => {
  const wrong = altered('ageMs', -1) as Record<string, unknown>;
  wrong['sequence'] = 'first';
  (wrong['queue'] as Record<string, unknown>)['length'] = -2;
  const result = parseReport(wrong);
  expect(result.ok ? [] : result.problems.map(({ field }) => field)).toEqual(['sequence', 'ageMs', 'queue.length']);
});

test('a line that is no JSON has one problem', () => {
  expect(parseReportLine('{"version":1,')).toMatchObject({ ok: false, problems: [{ field: 'report' }] });
  expect(parseReportLine('null')).toMatchObject({ ok: false, problems: [{ field: 'report' }] });
});

test('whatever arrives, the parser complains and does not throw', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(...paths), (value, path) => {
      expect(typeof parseReport(altered(path, value)).ok).toBe('boolean');
      expect(typeof parseReport(value).ok).toBe('boolean');
    }),
    { numRuns: 500 },
  );
});

const paths = [
  'run',
  'pod',
  'traffic',
  'traffic.finished',
  'traffic.latencyMs',
  'queue',
  'engine',
  'gpu',
  'gpu.devices',
];
