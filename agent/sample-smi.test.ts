import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import type { GpuFold } from './gpu-fold.ts';
import { firstSource, startSmiSource } from './sample-smi.ts';
import { absentSource, type Source } from './source.ts';

const fake = join(dirname(fileURLToPath(import.meta.url)), 'testing/fake-nvidia-smi');
const log = createLog({ level: 'silent', name: 'test' });

let directory: string;
let clock: ManualClock;
let source: Source<GpuFold> | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeai-smi-'));
  clock = createManualClock();
  const capture = join(directory, 'capture.csv');
  await writeFile(
    join(directory, 'nvidia-smi'),
    `#!/bin/sh\necho $$ >'${capture}.pid'\nFAKE_NVIDIA_SMI='${capture}' FAKE_NVIDIA_SMI_INTERVAL=0.05 exec '${fake}' "$@"\n`,
    { mode: 0o755 },
  );
});
afterEach(async () => {
  source?.stop();
  source = undefined;
  await rm(directory, { recursive: true });
});

const header =
  'index, uuid, name, utilization.gpu [%], memory.used [MiB], memory.total [MiB], temperature.gpu, power.draw [W], mig.mode.current';
const show = (text: string) => writeFile(join(directory, 'capture.csv'), text);
const start = (name = join(directory, 'nvidia-smi'), searchPath = '') => {
  source = startSmiSource({ name, searchPath }, clock, log);
  return source;
};
const latest = () => source!.latest(clock.monotonic());
const sampleThat = (fits: (sample: GpuFold) => boolean, what: string) =>
  eventually(() => {
    const reading = latest();
    return reading.kind === 'sample' && fits(reading.sample);
  }, what);
const absentBecause = (because: string) =>
  eventually(() => {
    const reading = latest();
    return reading.kind === 'absent' && reading.because === because;
  }, because);

test('several GPUs fold to the busiest rank and the sum of memory, and follow the cards', async () => {
  await show(`${header}, clocks_event_reasons.active
0, GPU-a, NVIDIA H100 80GB HBM3, 91 %, 70000 MiB, 81559 MiB, 61, 650.10 W, Disabled, 0x0000000000000004
1, GPU-b, NVIDIA H100 80GB HBM3, 42 %, 60000 MiB, 81559 MiB, 55, [N/A], Disabled, 0x0000000000000000
`);
  start();
  await sampleThat(({ devices }) => devices.length === 2, 'both GPUs');
  expect(latest()).toMatchObject({
    sample: {
      source: 'nvidia-smi',
      utilizationPercent: 91,
      memoryUsedBytes: 130_000 * 1024 * 1024,
      memoryTotalBytes: 2 * 81_559 * 1024 * 1024,
      marks: ['PowerThrottle'],
      devices: [
        { index: 0, uuid: 'GPU-a', utilizationPercent: 91, powerWatts: 650.1, marks: ['PowerThrottle'] },
        { index: 1, uuid: 'GPU-b', utilizationPercent: 42, temperatureCelsius: 55 },
      ],
    },
  });
  await show(`${header}, clocks_event_reasons.active
0, GPU-a, NVIDIA H100 80GB HBM3, 3 %, 70000 MiB, 81559 MiB, 61, 90.00 W, Disabled, 0x0000000000000001
`);
  await sampleThat(({ devices }) => devices[0]?.utilizationPercent === 3, 'the idle card');
});

test('an older driver is asked in the words that it knows', async () => {
  await show(`${header}, clocks_throttle_reasons.active
0, GPU-a, Tesla V100, 50 %, 10 MiB, 16160 MiB, 61, 100.00 W, [N/A], 0x0000000000000040
`);
  start();
  await sampleThat(
    ({ utilizationPercent, marks }) => utilizationPercent === 50 && marks.includes('ThermalThrottle'),
    'the old card',
  );
});

test('what a card does not say is absent, and MIG is marked', async () => {
  await show(`${header}, clocks_event_reasons.active
0, GPU-a, NVIDIA A100, [N/A], 10 MiB, 40536 MiB, 40, [Not Supported], Enabled, [N/A]
`);
  start();
  await sampleThat(({ devices }) => devices.length === 1, 'the card');
  const reading = latest();
  const sample = reading.kind === 'sample' ? reading.sample : undefined;
  expect(sample).toMatchObject({ marks: ['Mig'], devices: [{ index: 0 }] });
  expect(Object.keys(sample!)).not.toContain('utilizationPercent');
});

test('no devices, no binary: not supported, and not asked again', async () => {
  start();
  await absentBecause('NotSupported');
  source!.stop();
  start(join(directory, 'nowhere'));
  await absentBecause('NotSupported');
  source!.stop();
  await writeFile(join(directory, 'readable'), '');
  start('readable', `:${directory}`);
  await absentBecause('NotSupported');
});

test('a name is looked for where the machine looks for commands', async () => {
  await show(`${header}\n0, GPU-a, NVIDIA L4, 10 %, 10 MiB, 23034 MiB, 40, 30.00 W, [N/A]\n`);
  start('nvidia-smi', `${join(directory, 'nowhere')}:${directory}`);
  await sampleThat(({ utilizationPercent }) => utilizationPercent === 10, 'the card');
});

test('a child that ends is started again, one that hangs is killed first', async () => {
  const good = `${header}\n0, GPU-a, NVIDIA L4, 10 %, 10 MiB, 23034 MiB, 40, 30.00 W, [N/A]\n`;
  await show("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n");
  start();
  await absentBecause('Stopped');
  await show(good);
  await clock.advance(seconds(1));
  await sampleThat(({ utilizationPercent }) => utilizationPercent === 10, 'the card after a restart');
  await show('hang\n');
  await eventually(() => existsSync(join(directory, 'capture.csv.hangs')), 'the silence');
  // Its last words are in the pipe by now; then it is silent for as long as the limit says, and the sample grows too old.
  await new Promise(setImmediate);
  for (let second = 0; second < 62; second += 1) await clock.advance(seconds(1));
  await absentBecause('Hung');
  await show(good.replace('10 %', '77 %'));
  await eventually(() => {
    void clock.advance(milliseconds(500));
    const reading = latest();
    return reading.kind === 'sample' && reading.sample.utilizationPercent === 77;
  }, 'the card after the hang');
});

test('a child that somebody kills is started again', async () => {
  const row = (percent: number) =>
    `${header}\n0, GPU-a, NVIDIA L4, ${percent} %, 10 MiB, 23034 MiB, 40, 30.00 W, [N/A]\n`;
  await show(row(10));
  start();
  await sampleThat(({ utilizationPercent }) => utilizationPercent === 10, 'the card');
  const pid = () => Number(readFileSync(join(directory, 'capture.csv.pid'), 'utf8'));
  const killed = pid();
  process.kill(killed, 'SIGKILL');
  await show(row(20));
  await eventually(() => {
    void clock.advance(milliseconds(500));
    return pid() !== killed;
  }, 'another child');
  await sampleThat(({ utilizationPercent }) => utilizationPercent === 20, 'the card after the kill');
});

test('the first source that knows speaks; when none does, the first says why', () => {
  const sample: GpuFold = { source: 'dcgm', devices: [], marks: [] };
  const known: Source<GpuFold> = { latest: () => ({ kind: 'sample', sample, ageMs: 3 }), stop: () => undefined };
  expect(firstSource([absentSource('Unreachable'), known]).latest(0)).toEqual({ kind: 'sample', sample, ageMs: 3 });
  expect(firstSource([absentSource('Unreachable'), absentSource('NotSupported')]).latest(0)).toEqual({
    kind: 'absent',
    because: 'Unreachable',
  });
});
