import { expect, test } from '@jest/globals';
import { parseNvidiaSmi } from './index.ts';

const memory = (bus: string, used: number) => `GPU ${bus}
    FB Memory Usage
        Total                             : 16384 MiB
        Used                              : ${used} MiB
    BAR1 Memory Usage
        Used                              : 5 MiB
`;
const head = (attached?: number) => `==============NVSMI LOG==============

Driver Version                            : 530.30.02
${attached === undefined ? '' : `Attached GPUs                             : ${attached}\n`}`;

test.each([
  ['as printed', `${head(2)}${memory('00000000:01:00.0', 7)}\n${memory('00000000:02:00.0', 8)}`],
  ['indented', `${head(2)}${memory('00000000:01:00.0', 7)}${memory('00000000:02:00.0', 8)}`.replaceAll(/^/gm, '   ')],
  ['without its head', memory('00000000:01:00.0', 7) + memory('00000000:02:00.0', 8)],
  ['with the short addresses of old drivers', memory('0000:01:00.0', 7) + memory('0000:02:00.0', 8)],
])('a part of -q is read %s', (_how, input) => {
  const reading = parseNvidiaSmi(input);
  expect(reading.kind).toBe('text');
  expect(reading.gpus).toMatchObject([
    { index: 0, memoryUsedMiB: 7 },
    { index: 1, memoryUsedMiB: 8 },
  ]);
  expect(reading.problems).toEqual([]);
});

test('sections that somebody cut out of -q are of a GPU each, for no line says whose they are', () => {
  const section = (used: number) => `    FB Memory Usage
        Total                             : 16384 MiB
        Used                              : ${used} MiB
    Temperature
        GPU Current Temp                  : 40 C
`;
  const { kind, gpus, problems } = parseNvidiaSmi(`$ nvidia-smi -q | grep -A 3 Usage\n${section(7)}--\n${section(8)}`);
  expect({ kind, problems }).toEqual({ kind: 'text', problems: [] });
  expect(gpus).toMatchObject([
    { index: 0, memoryUsedMiB: 7, temperatureCelsius: 40 },
    { index: 1, memoryUsedMiB: 8, temperatureCelsius: 40 },
  ]);
});

test('what stands before the first GPU of a log that lost its beginning is of none', () => {
  const input = `    FB Memory Usage\n        Used : 5 MiB\n${memory('00000000:02:00.0', 8)}`;
  const { gpus, problems } = parseNvidiaSmi(input);
  expect(gpus).toMatchObject([{ memoryUsedMiB: 8 }]);
  expect(problems.map(({ reason }) => reason)).toEqual(['Truncated']);
});

test('of several queries each is held to its own count of GPUs', () => {
  const reading = parseNvidiaSmi(
    `${head()}HIC Info : N/A\n${head(1)}${memory('00000000:01:00.0', 7)}${head(2)}${memory('00000000:01:00.0', 8)}`,
  );
  expect(reading).toMatchObject({ documents: 3, attachedGpus: 1, gpus: [{ document: 2 }, { document: 3 }] });
  expect(reading.problems.map(({ message }) => message)).toEqual(['2 GPUs are attached, 1 are described']);
});

test('the memory of a MIG device is not that of its GPU', () => {
  const reading = parseNvidiaSmi(`GPU 00000000:01:00.0
    MIG Mode
        Current                           : Enabled
    MIG Device
        Index                             : 0
        GPU Instance ID                   : 3
        Device Attributes
            Shared
                Multiprocessor count      : 14
        FB Memory Usage
            Total                         : 9984 MiB
            Used                          : 12 MiB
    FB Memory Usage
        Total                             : 81920 MiB
        Used                              : 99 MiB
`);
  expect(reading.gpus).toMatchObject([
    {
      migMode: 'Enabled',
      memoryUsedMiB: 99,
      migDevices: [{ index: 0, gpuInstanceId: '3', multiprocessors: 14, memoryTotalMiB: 9984, memoryUsedMiB: 12 }],
    },
  ]);
});

const truncated = (input: string) => parseNvidiaSmi(input).problems.some(({ reason }) => reason === 'Truncated');

test('a whole -q that ends before its processes has broken off', () => {
  const whole = `${head(1)}GPU 00000000:01:00.0
    Product Name                          : Tesla T4
    FB Memory Usage
        Used                              : 7 MiB
    Processes                             : None
`;
  expect(truncated(whole)).toBe(false);
  expect(truncated(whole + whole.replace(/ {4}Processes.*\n/, ''))).toBe(true);
});

test('parts of -q in a loop have broken off where the last run has less than the one before', () => {
  const run = `${head(1)}${memory('00000000:01:00.0', 7)}`;
  expect(truncated(run + run)).toBe(false);
  expect(truncated(run + run + run.slice(0, run.indexOf('    BAR1')))).toBe(true);
});
