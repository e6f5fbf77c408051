// Any state of any number of GPUs, written in each of nvidia-smi's layouts, is read back as it was.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Gpu, parseNvidiaSmi, type Reading } from './index.ts';
import {
  csvOf,
  type DeviceState,
  monitorOf,
  type ProcessState,
  queriedColumns,
  tableOf,
  textOf,
  xmlOf,
} from './testing/render.ts';

const perhaps = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const percent = fc.nat(100);
const hex = (digits: number) =>
  fc.nat(16 ** digits - 1).map((value) => value.toString(16).toUpperCase().padStart(digits, '0'));
const oneProcess: fc.Arbitrary<ProcessState> = fc.record({
  pid: fc.integer({ min: 1, max: 4_194_304 }),
  type: fc.constantFrom('C', 'G', 'C+G'),
  name: fc.constantFrom(
    'python3',
    '/usr/bin/a b --x=1',
    'C:\\a, b\\c.exe',
    'VLLM::Worker_TP0',
    '...es/x & <y>',
    '12 C',
  ),
  usedMiB: perhaps(fc.nat(200_000)),
});
const devices: fc.Arbitrary<readonly DeviceState[]> = fc.array(
  fc.record({
    name: fc.constantFrom('Tesla T4', 'NVIDIA H100 80GB HBM3', 'NVIDIA GB200', 'Orin (nvgpu)', 'NVIDIA A100-SXM4-40GB'),
    uuid: fc.uuid().map((uuid) => `GPU-${uuid}`),
    bus: fc.tuple(hex(8), hex(2)).map(([domain, bus]) => `${domain}:${bus}:00.0`),
    usedMiB: fc.nat(100_000),
    totalMiB: fc.integer({ min: 100_000, max: 200_000 }),
    gpuPercent: perhaps(percent),
    memoryPercent: perhaps(percent),
    celsius: perhaps(fc.integer({ min: 1, max: 110 })),
    watts: perhaps(fc.nat(1_500)),
    limitWatts: perhaps(fc.nat(1_500)),
    fanPercent: perhaps(percent),
    mig: perhaps(fc.constantFrom('Enabled' as const, 'Disabled' as const)),
    processes: fc.array(oneProcess, { maxLength: 3 }),
  }),
  { minLength: 1, maxLength: 9 },
);

/** What every layout tells. */
const common = ({ usedMiB, gpuPercent, celsius, watts }: DeviceState) => [usedMiB, gpuPercent, celsius, watts];
const readCommon = (gpu: Gpu) => [
  gpu.memoryUsedMiB,
  gpu.utilizationGpuPercent,
  gpu.temperatureCelsius,
  gpu.powerDrawWatts,
];
/** What all but dmon tell. */
const more = ({ bus, totalMiB, limitWatts, fanPercent, mig }: DeviceState) => [
  bus,
  totalMiB,
  limitWatts,
  fanPercent,
  mig,
];
const readMore = (gpu: Gpu) => [gpu.pciBusId, gpu.memoryTotalMiB, gpu.powerLimitWatts, gpu.fanPercent, gpu.migMode];

function check(reading: Reading, states: readonly DeviceState[]): void {
  expect(reading.problems).toEqual([]);
  expect(reading.gpus.map(readCommon)).toEqual(states.map(common));
  if (reading.kind === 'dmon') return;
  expect(reading.gpus.map(readMore)).toEqual(states.map(more));
  if (reading.kind === 'query-gpu') return;
  expect(
    reading.processes.map(({ gpu, pid, type, name, usedMemoryMiB }) => [gpu, pid, type, name, usedMemoryMiB]),
  ).toEqual(
    states.flatMap(({ processes }, index) =>
      processes.map(({ pid, type, name, usedMiB }) => [index, pid, type, name, usedMiB]),
    ),
  );
}

const csv = (header: boolean, units: boolean) => (states: readonly DeviceState[]) => csvOf(states, { header, units });

test.each<[string, Reading['kind'], (states: readonly DeviceState[]) => string]>([
  ['the table until driver 530', 'table', (states) => tableOf(states, 470)],
  ['the table of driver 535', 'table', (states) => tableOf(states, 535)],
  ['the table since driver 550', 'table', (states) => tableOf(states, 550)],
  ['-q', 'text', textOf],
  ['-q -x', 'xml', xmlOf],
  ['CSV', 'query-gpu', csv(true, true)],
  ['CSV with nounits', 'query-gpu', csv(true, false)],
  ['CSV with noheader', 'query-gpu', csv(false, true)],
  ['CSV with both', 'query-gpu', csv(false, false)],
  ['dmon', 'dmon', monitorOf],
])('%s is read back as it was', (_layout, kind, render) => {
  fc.assert(
    fc.property(devices, (states) => {
      const reading = parseNvidiaSmi(render(states), kind === 'query-gpu' ? { fields: queriedColumns } : {});
      expect(reading.kind).toBe(kind);
      check(reading, states);
    }),
    { numRuns: 100 },
  );
});
