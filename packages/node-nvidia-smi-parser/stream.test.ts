import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createNvidiaSmiStream, type ParseOptions, type Reading } from './index.ts';
import { table, text, xml } from './testing/samples.ts';

function readingsOf(chunks: readonly (string | Uint8Array)[], options?: ParseOptions): Reading[] {
  const readings: Reading[] = [];
  const stream = createNvidiaSmiStream((reading) => readings.push(reading), options);
  for (const chunk of chunks) stream.feed(chunk);
  stream.end();
  return readings;
}

const loop = (index: number) => xml(`<utilization><gpu_util>${index} %</gpu_util></utilization>`);

test.each<[string, string, number[], ParseOptions]>([
  ['XML documents', loop(1) + loop(2) + loop(3), [1, 2, 3], {}],
  ['rows of CSV', 'index, utilization.gpu [%]\n0, 4 %\n0, 5 %\nindex, utilization.gpu [%]\n0, 6 %', [4, 5, 6], {}],
  ['rows of CSV without header', '4 %\n5 %\n', [4, 5], { fields: ['utilization.gpu'] }],
  ['rows of dmon', '# gpu sm\n# Idx %\n 0 7\n 0 8\n# gpu sm\n# Idx %\n 0 9\n', [7, 8, 9], {}],
  ['texts', text + text, [97, 97], {}],
])('a loop of %s gives a reading each, however it is cut', (_what, input, expected, options) => {
  const bytes = new TextEncoder().encode(input);
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 12 }), (cuts) => {
      const at = [0, ...cuts.sort((a, b) => a - b), bytes.length];
      const chunks = at.slice(1).map((end, index) => bytes.subarray(at[index], end));
      const used = readingsOf(chunks, options).map(({ gpus }) => gpus[0]!.utilizationGpuPercent);
      expect(used).toEqual(expected);
    }),
    { numRuns: 60 },
  );
});

test('an XML document is read as soon as it ends, without waiting for the next', () => {
  const readings: Reading[] = [];
  const stream = createNvidiaSmiStream((reading) => readings.push(reading));
  stream.feed(loop(1));
  expect(readings).toHaveLength(1);
});

test.each<[string, (line: string) => string]>([
  ['times', (line) => `2026-03-01T10:00:00.12345678${line.length % 10}Z ${line}`],
  ['names of containers', (line) => `cuda-1  | ${line}`],
  ['colours and carriage returns', (line) => `\u001b[0;32m${line}\u001b[K\r`],
])('%s before the lines of a loop change nothing', (_what, around) => {
  for (const input of [loop(1) + loop(2), text + text, table + table, 'index, utilization.gpu [%]\n0, 4 %\n1, 5 %\n']) {
    const wrapped = input.trimEnd().replaceAll(/^.*$/gm, around);
    expect(readingsOf([wrapped])).toEqual(readingsOf([input.trimEnd()]));
  }
});

test('rows without an index are told apart by their run, as in a whole file', () => {
  const rows = 'uuid, utilization.gpu [%]\nGPU-a, 1 %\nGPU-b, 2 %\nGPU-a, 3 %\nGPU-b, 4 %\n';
  const gpus = readingsOf([rows]).flatMap((reading) => reading.gpus.map(({ document, index }) => [document, index]));
  expect(gpus).toEqual([
    [1, 0],
    [1, 1],
    [2, 0],
    [2, 1],
  ]);
});

test('a table is complete when the next begins', () => {
  const readings = readingsOf([table, table]);
  expect(readings.map(({ kind, gpus }) => [kind, gpus.length])).toEqual([
    ['table', 2],
    ['table', 2],
  ]);
});

test('a failure amid the rows is a reading with its reason', () => {
  const readings = readingsOf(['index, name\n0, Tesla T4\nUnable to determine the device handle for GPU 0: x\n']);
  expect(readings.map(({ problems }) => problems.map(({ reason }) => reason))).toEqual([[], ['DeviceLost']]);
});

test('a warning amid rows of one column is no row, and another header begins another table', () => {
  const rows = 'name\nTesla T4\nWARNING: infoROM is corrupted at gpu 0\npid, used_memory [MiB]\n7, 90 MiB\n';
  expect(readingsOf([rows])).toMatchObject([
    { gpus: [{ name: 'Tesla T4' }] },
    { gpus: [], problems: [{ reason: 'Warning' }] },
    { kind: 'query-compute-apps', processes: [{ pid: 7, usedMemoryMiB: 90 }] },
  ]);
});

test('a process that dies in the middle leaves a reading that says so', () => {
  const [whole, cut] = readingsOf([loop(1), loop(2).slice(0, 300)]);
  expect(whole!.problems).toEqual([]);
  expect(cut!.problems.map(({ reason }) => reason)).toContain('Truncated');
});

test('what never ends is dropped, and reading goes on', () => {
  const readings = readingsOf([...Array.from({ length: 10 }, () => 'x'.repeat(1024 * 1024)), '\n', loop(1)]);
  expect(readings.flatMap(({ problems }) => problems.map(({ reason }) => reason))).toContain('TooMuch');
  expect(readings.at(-1)!.gpus[0]!.utilizationGpuPercent).toBe(1);
});
