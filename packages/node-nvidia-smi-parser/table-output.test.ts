import { expect, test } from '@jest/globals';
import { parseNvidiaSmi } from './index.ts';

test('until driver 310 no persistence mode stood in the table, and the share of the memory before the memory', () => {
  const reading = parseNvidiaSmi(`| NVIDIA-SMI 4.300.10   Driver Version: 300.10        |
| GPU  Name                     | Bus-Id        Disp.  | Volatile Uncorr. ECC |
| Fan  Temp  Perf  Pwr:Usage/Cap| Memory-Usage         | GPU-Util  Compute M. |
|   0  GeForce GT 99            | 0000:01:00.0     N/A |       N/A        N/A |
|  40%   55 C  N/A   N/A /  N/A |  25%   64MB /  256MB |  N/A      Default    |
|   1. Tesla C99                | 0000:02:00.0     Off |         0          0 |
|  35%   61C    P0    80W / 225W |  50% 1536MB / 3072MB |   99%      Default   |
`);
  expect(reading).toMatchObject({
    driverVersion: '300.10',
    gpus: [
      { index: 0, name: 'GeForce GT 99', fanPercent: 40, temperatureCelsius: 55, memoryUsedMiB: 64 },
      { index: 1, name: 'Tesla C99', utilizationGpuPercent: 99, memoryTotalMiB: 3072, powerDrawWatts: 80 },
    ],
    problems: [],
  });
});

test('until driver 343 the table named no type of a process, and later a row may say that none is told', () => {
  const gpus = `| NVIDIA-SMI 340.10     Driver Version: 340.10         |
| GPU  Name        Persistence-M| Bus-Id        Disp.A | Volatile Uncorr. ECC |
|   0  Tesla K9            Off  | 0000:01:00.0     Off |                    0 |
| N/A   40C    P0    60W / 235W |    120MiB /  4799MiB |     50%      Default |
`;
  const told = parseNvidiaSmi(`${gpus}| Compute processes:                                               GPU Memory |
|  GPU       PID  Process name                                     Usage      |
|    0      4711  ./train --name of blanks                             99MiB |
`);
  expect(told.problems).toEqual([]);
  expect(told.processes).toMatchObject([
    { gpu: 0, gpuBusId: '0000:01:00.0', pid: 4711, name: './train --name of blanks', usedMemoryMiB: 99 },
  ]);
  for (const row of [
    '|    0            Not Supported                 |',
    '|  0.           ERROR: Not Supported           |',
  ])
    expect(parseNvidiaSmi(`${gpus}| Processes:                  GPU Memory |\n${row}\n`)).toMatchObject({
      processes: [],
      problems: [],
    });
});

test('a table that breaks off inside a line says so, and takes no number of it', () => {
  const reading = parseNvidiaSmi(`| NVIDIA-SMI 535.10     Driver Version: 535.10         |
|   0  Tesla K9            Off  | 0000:01:00.0     Off |                    0 |
| N/A   40C    P0    60W / 235W |    120MiB /  47`);
  expect(reading.gpus).toMatchObject([{ name: 'Tesla K9' }]);
  expect(reading.gpus[0]).not.toHaveProperty('memoryTotalMiB');
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['Truncated']);
});

test('a GPU that shares the memory of its host, and tells no power, still tells its use', () => {
  const reading = parseNvidiaSmi(`| NVIDIA-SMI 580.00     Driver Version: 580.00     CUDA Version: 13.0     |
|   0  NVIDIA X                Off |   00000000:01:00.0 Off |                  N/A |
| N/A   N/A  N/A         N/A  /  N/A  | Not Supported          |      7%      Default |
|                                     |                        |             Disabled |
+-------------------------------------+------------------------+----------------------+
`);
  expect(reading.gpus).toMatchObject([{ utilizationGpuPercent: 7, computeMode: 'Default', migMode: 'Disabled' }]);
  expect(reading.gpus[0]).not.toHaveProperty('memoryUsedMiB');
  expect(reading.problems).toEqual([]);
});

test('GPUs that somebody cut out of a table are read', () => {
  const reading = parseNvidiaSmi(`nvidia-smi
[...]
+-----------------------------------------+------------------------+----------------------+
|  13  NVIDIA X99 Ada Gene...         On  |   00000000:C9:00.0 Off |                  Off |
|ERR!   33C    P8              4W /  130W |       1MiB /  20475MiB |      7%      Default |
|                                         |                        |                  N/A |
+-----------------------------------------+------------------------+----------------------+
`);
  expect(reading).toMatchObject({
    kind: 'table',
    gpus: [{ index: 13, powerLimitWatts: 130, utilizationGpuPercent: 7 }],
  });
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['ValueInError']);
});

test('the end of a table gives its processes, and says of which GPUs the rows are lost', () => {
  const reading = parseNvidiaSmi(`+-----------------------------------------------------------------------------+
| MIG devices:                                                                |
+------------------+----------------------+-----------+-----------------------+
|  7    3   0   0  |     11MiB /   990MiB | 28      0 |  2   0    1    0    0 |
+------------------+----------------------+-----------+-----------------------+
| Processes:                                                                  |
|    7    3    0       4242      C   train                              11MiB |
`);
  expect(reading).toMatchObject({
    kind: 'table',
    gpus: [],
    processes: [{ gpu: 7, gpuInstanceId: '3', pid: 4242, usedMemoryMiB: 11 }],
  });
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['UnreadableRow', 'Truncated']);
});

test('a monitor that the card does not offer is named beside the table below', () => {
  const reading = parseNvidiaSmi(`# nvidia-smi pmon
Not supported on the device(s)
| NVIDIA-SMI 535.00     Driver Version: 535.00     |
|   0  NVIDIA X            On  | 00000000:01:00.0 Off |                    0 |
| N/A   44C    P0    67W / 400W |     10MiB /   100MiB |     N/A      Default |
`);
  expect(reading.gpus).toMatchObject([{ memoryUsedMiB: 10 }]);
  expect(reading.problems.map(({ reason }) => reason)).toEqual(['NotSupported']);
});

test('a GPU whose memory only its instances tell has none', () => {
  const reading = parseNvidiaSmi(`| NVIDIA-SMI 535.00     Driver Version: 535.00     |
|   0  NVIDIA X            On  | 00000000:01:00.0 Off |                   On |
| N/A   44C    P0    67W / 400W |                  N/A |     N/A      Default |
|                               |                      |              Enabled |
`);
  expect(reading.gpus).toMatchObject([{ migMode: 'Enabled' }]);
  expect(reading.gpus[0]).not.toHaveProperty('memoryTotalMiB');
  expect(reading.problems).toEqual([]);
});

test('rows below a title that lost its bars have its versions', () => {
  const reading = parseNvidiaSmi(`NVIDIA-SMI 535.00   Driver Version: 535.10   CUDA Version: 12.2

|   0  NVIDIA X            On  | 00000000:01:00.0 Off |                    0 |
| N/A   44C    P0    67W / 400W |     10MiB /   100MiB |      7%      Default |
`);
  expect(reading).toMatchObject({ driverVersion: '535.10', cudaVersion: '12.2', documents: 1, problems: [] });
});

test('of several outputs the one that says most of GPUs is read, and the others are named', () => {
  const table = `| NVIDIA-SMI 535.00     Driver Version: 535.00     |
|   0  NVIDIA X            On  | 00000000:01:00.0 Off |                    0 |
| N/A   44C    P0    67W / 400W |     10MiB /   100MiB |      7%      Default |
`;
  for (const first of [
    'GPU 0: NVIDIA X (UUID: GPU-1)\n',
    '# gpu    pwr     sm\n# Idx      W      %\n    0     90     40\n',
    '# gpu        pid  type   command\n    0         71     C   train\n',
    'pid, process_name, used_gpu_memory [MiB]\n71, train, 9 MiB\n',
  ]) {
    const both = parseNvidiaSmi(first + table);
    expect(both).toMatchObject({ kind: 'table', gpus: [{ utilizationGpuPercent: 7, memoryUsedMiB: 10 }] });
    expect(both.problems.map(({ reason }) => reason)).toEqual(['OtherOutput']);
    expect(parseNvidiaSmi(table + first).problems).toEqual(both.problems);
  }
});
