import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import type { GpuFold } from './gpu-fold.ts';
import { startDcgmiSource } from './sample-dcgmi.ts';
import type { Source } from './source.ts';

const log = createLog({ level: 'silent', name: 'test' });
const mebibyte = 1024 * 1024;
let directory: string;
let clock: ManualClock;
let source: Source<GpuFold> | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeai-dcgmi-'));
  clock = createManualClock();
});
afterEach(async () => {
  source?.stop();
  source = undefined;
  await rm(directory, { recursive: true });
});

/** A stand-in that prints these lines, and then ends or stays. */
async function show(lines: readonly string[], end: string): Promise<void> {
  const command = join(directory, 'dcgmi');
  const script = `#!/bin/sh\n[ "$1" = dmon ] || exit 2\ncat <<'LINES'\n${lines.join('\n')}\nLINES\n${end}\n`;
  // Put in place at once: a script that is being written cannot be started.
  await writeFile(`${command}.new`, script, { mode: 0o755 });
  await rename(`${command}.new`, command);
}
async function start(lines: readonly string[], end: string): Promise<void> {
  await show(lines, end);
  source = startDcgmiSource({ name: join(directory, 'dcgmi'), searchPath: '' }, clock, log);
}
const latest = () => source!.latest(clock.monotonic());
const header = ['#Entity   GPUTL   FBUSD   FBTTL   TMPTR   POWER   GRACT', 'ID'];

test('rows become devices, the first one of N/A says nothing, and a GPU without utilisation is told by its engine', async () => {
  await start(
    [
      ...header,
      'GPU 0     N/A     N/A     N/A     N/A     N/A     N/A',
      'GPU 0     37      1024    81559   55      310.5   0.412',
      'GPU 1     N/A     2048    81559   50      300.0   0.750',
      'GPU-I 3   N/A     9       9       9       9       1.000',
      'Switch 0  1       1       1       1       1       1',
    ],
    'exec sleep 60',
  );
  await eventually(() => latest().kind === 'sample', 'the GPUs');
  expect(latest()).toEqual({
    kind: 'sample',
    ageMs: 0,
    sample: {
      source: 'dcgm',
      utilizationPercent: 75,
      memoryUsedBytes: 3_072 * mebibyte,
      memoryTotalBytes: 2 * 81_559 * mebibyte,
      marks: [],
      devices: [
        {
          index: 0,
          utilizationPercent: 37,
          memoryUsedBytes: 1_024 * mebibyte,
          memoryTotalBytes: 81_559 * mebibyte,
          temperatureCelsius: 55,
          powerWatts: 310.5,
        },
        {
          index: 1,
          utilizationPercent: 75,
          memoryUsedBytes: 2_048 * mebibyte,
          memoryTotalBytes: 81_559 * mebibyte,
          temperatureCelsius: 50,
          powerWatts: 300,
        },
      ],
    },
  });
});

test('rows that come later are read by the header that came once', async () => {
  await start(header, "sleep 0.1; echo 'GPU 0     12      1       2       3       4       0.1'; exec sleep 60");
  await eventually(() => latest().kind === 'sample', 'the GPU');
  expect(latest()).toMatchObject({ sample: { utilizationPercent: 12 } });
});

test('without a host engine it ends, is started again after a while, and the state is named', async () => {
  await start(['Error: unable to establish a connection to the specified host: localhost'], 'exit 255');
  const stopped = () => {
    const reading = latest();
    return reading.kind === 'absent' && reading.because === 'Stopped';
  };
  await eventually(stopped, 'the end');
  await show([...header, 'GPU 0     12      1       2       3       4       0.1'], 'exec sleep 60');
  await eventually(() => {
    void clock.advance(seconds(1));
    return latest().kind === 'sample';
  }, 'the GPU after a restart');
});

test('where there is no dcgmi, that is not supported', async () => {
  source = startDcgmiSource({ name: 'dcgmi', searchPath: directory }, clock, log);
  await eventually(() => {
    const reading = latest();
    return reading.kind === 'absent' && reading.because === 'NotSupported';
  }, 'the reason');
});
