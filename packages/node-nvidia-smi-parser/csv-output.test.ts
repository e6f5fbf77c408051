import { expect, test } from '@jest/globals';
import { parseNvidiaSmi } from './index.ts';
import { table } from './testing/samples.ts';

const warning = 'WARNING: infoROM is corrupted at gpu 0000:02:00.0';

test.each([
  ['after the rows', `name\nTesla T4\n${warning}\n`],
  ['before the header', `${warning}\nname\nTesla T4\n`],
  ['before rows without header', `${warning}\nTesla T4, 00000000:00:1E.0\n`],
])('a warning %s is a problem and no row', (_where, input) => {
  const reading = parseNvidiaSmi(input);
  expect(reading.gpus.map(({ name }) => name)).toEqual(['Tesla T4']);
  expect(reading.problems).toContainEqual({ reason: 'Warning', message: warning });
});

test('a failure and a line of a library are no rows of one column; an error in brackets is a value', () => {
  const input = `memory.used [MiB]
[lib-core Msg(7:1:lib.c:8)]: Initializing.....
5 MiB
[GPU is lost]
Unable to determine the device handle for GPU0000:91:00.0: Unknown Error
`;
  const reading = parseNvidiaSmi(input);
  expect(reading.gpus.map(({ memoryUsedMiB }) => memoryUsedMiB)).toEqual([5, undefined]);
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['DeviceLost', 'ValueInError']);
});

test('a second header begins another table, and `rows` stay those of the first', () => {
  const reading = parseNvidiaSmi(`utilization.gpu [%], memory.used [MiB]
40 %, 900 MiB
pid, process_name, used_gpu_memory [MiB]
12, python3, 800 MiB
`);
  expect(reading.gpus).toMatchObject([{ utilizationGpuPercent: 40, memoryUsedMiB: 900 }]);
  expect(reading.processes).toMatchObject([{ pid: 12, name: 'python3', usedMemoryMiB: 800 }]);
  expect(reading.rows).toMatchObject({ columns: ['utilization.gpu', 'memory.used'], cells: [['40 %', '900 MiB']] });
  expect(reading.problems).toEqual([]);
});

test('rows without header and fields keep their cells, and name what they can', () => {
  const reading = parseNvidiaSmi('0, Tesla T4, 00000000:00:1E.0, 5 MiB\n1, Tesla T4, 00000000:00:1F.0, 6 MiB\n');
  expect(reading.gpus.map(({ name, pciBusId }) => [name, pciBusId])).toEqual([
    ['Tesla T4', '00000000:00:1E.0'],
    ['Tesla T4', '00000000:00:1F.0'],
  ]);
  expect(reading.rows!.columns).toEqual(['column1', 'name', 'pci.bus_id', 'column4']);
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['NoHeader']);
});

test('processes of a CSV may have commas and no memory', () => {
  const input = 'pid, process_name, used_gpu_memory [MiB]\n4, C:\\a, b.exe, [N/A]\n5, x, 12 MiB\n';
  const { kind, processes, rows } = parseNvidiaSmi(input);
  expect(kind).toBe('query-compute-apps');
  expect(processes).toMatchObject([
    { pid: 4, name: 'C:\\a, b.exe' },
    { pid: 5, usedMemoryMiB: 12 },
  ]);
  expect(processes[0]).not.toHaveProperty('usedMemoryMiB');
  expect(rows!.cells).toHaveLength(2);
});

test.each([
  ['in one line', '$ nvidia-smi --query-gpu=index,memory.used,power.draw --format=csv,noheader,nounits'],
  ['in two', 'nvidia-smi \\\n  --query-gpu=index,memory.used,\\\n  power.draw --format=csv,noheader,nounits'],
])('a command %s above rows without header names their columns', (_where, command) => {
  const { gpus, rows, problems } = parseNvidiaSmi(`${command}\n0, 45000, 61.5\n1, 12, 30.25\n`);
  expect(gpus).toMatchObject([
    { index: 0, memoryUsedMiB: 45_000, powerDrawWatts: 61.5 },
    { index: 1, memoryUsedMiB: 12 },
  ]);
  expect(rows).toMatchObject({ columns: ['index', 'memory.used', 'power.draw'], headerLines: 0 });
  expect(problems).toEqual([]);
});

test('the next command begins another table', () => {
  const { gpus, processes } = parseNvidiaSmi(`nvidia-smi --query-gpu=name,memory.free --format=csv,noheader
Tesla T4, 9 MiB
nvidia-smi --query-compute-apps=pid,used_memory --format=csv,noheader
71, 8 MiB
`);
  expect(gpus).toMatchObject([{ name: 'Tesla T4', memoryFreeMiB: 9 }]);
  expect(processes).toMatchObject([{ pid: 71, usedMemoryMiB: 8 }]);
});

test.each([
  ['index', ['0', '1', '0', '1']],
  ['uuid', ['GPU-a', 'GPU-b', 'GPU-a', 'GPU-b']],
  [
    'timestamp',
    ['04 12:00:00.000', '04 12:00:00.004', '04 12:00:05.001', '04 12:00:05.005'].map((t) => `2026/03/${t}`),
  ],
])('the runs of a loop are told apart by %s', (column, cells) => {
  const { documents, gpus } = parseNvidiaSmi(
    `${column}, memory.used [MiB]\n${cells.map((cell, at) => `${cell}, ${at} MiB\n`).join('')}`,
  );
  expect(documents).toBe(2);
  expect(gpus.map(({ document, index, memoryUsedMiB }) => [document, index, memoryUsedMiB])).toEqual([
    [1, 0, 0],
    [1, 1, 1],
    [2, 0, 2],
    [2, 1, 3],
  ]);
});

test('lines that divide a report are neither rows nor problems, and a table below is another output', () => {
  const { kind, gpus, processes, problems } = parseNvidiaSmi(`=== GPU ===
name, memory.used [MiB]
Tesla T4, 5 MiB
gpu02 | CHANGED | rc=0 >>
---
pid, used_gpu_memory [MiB]
7, 4 MiB
${table}`);
  expect(kind).toBe('query-gpu');
  expect(problems.map(({ reason }) => reason)).toEqual(['OtherOutput']);
  expect(gpus).toHaveLength(1);
  expect(processes).toMatchObject([{ pid: 7, usedMemoryMiB: 4 }]);
});

test('cells in quotation marks are read', () => {
  const { gpus } = parseNvidiaSmi('"index","name","memory.used [MiB]"\n"0","NVIDIA A, B","812 MiB"\n');
  expect(gpus).toMatchObject([{ index: 0, name: 'NVIDIA A, B', memoryUsedMiB: 812 }]);
});

test('a figure below zero is not one, but degrees are', () => {
  const { gpus, problems } = parseNvidiaSmi('index, memory.used [MiB], temperature.gpu\n0, -5 MiB, -3\n');
  expect(gpus).toMatchObject([{ index: 0, temperatureCelsius: -3 }]);
  expect(gpus[0]).not.toHaveProperty('memoryUsedMiB');
  expect(problems).toEqual([{ reason: 'UnreadableValue', message: 'row 1: memory.used is -5 MiB' }]);
});

test('an empty cell at the end of a row is one, though editors cut the blank before it', () => {
  for (const end of [', ', ','])
    expect(parseNvidiaSmi(`index, memory.used [MiB], hostname\n0, 5 MiB${end}\n`)).toMatchObject({
      gpus: [{ memoryUsedMiB: 5, printed: { hostname: '' } }],
      problems: [],
    });
});

test('a header that comes again begins another run, whatever GPU stands below', () => {
  const { documents, gpus } = parseNvidiaSmi('name, pstate\nTesla T4, P0\nname, pstate\nTesla T4, P8\nTesla T4, P8\n');
  expect(documents).toBe(2);
  expect(gpus.map(({ document, index }) => [document, index])).toEqual([
    [1, 0],
    [2, 0],
    [2, 1],
  ]);
});
