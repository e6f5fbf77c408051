// GPU numbers from `dcgmi dmon`, for machines where DCGM's host engine runs and no exporter does. It knows what nvidia-smi
// does not: the share of the graphics engine in use, which is all that says something about a MIG instance's GPU.
import type { Clock, Log } from '@kubeai/daemon';
import { type DcgmiRow, readDcgmiDmon } from '@kubeai/engines';
import type { GpuDevice } from '@kubeai/protocol';
import type { Command } from './find-command.ts';
import { absenceOf, type Ending, keepRunning, runChild } from './gpu-child.ts';
import { deviceOf, foldDevices, type GpuFold } from './gpu-fold.ts';
import { smiSilence } from './limits.ts';
import { createKept, type Source } from './source.ts';

const mebibyte = 1024 * 1024;
/** DCGM's numbers for utilisation, memory used and total, temperature, power and the graphics engine. */
const fieldIds = [203, 252, 250, 150, 155, 1001];

export function startDcgmiSource(command: Command, clock: Clock, log: Log): Source<GpuFold> {
  const kept = createKept<GpuFold>();
  const stopped = new AbortController();

  const runOnce = async (): Promise<Ending> => {
    const devices = new Map<number, { readonly device: GpuDevice; readonly at: number }>();
    // Rows mean nothing without the header, which comes once and then every so many rows.
    let header = '';

    const read = (lines: string): void => {
      const reading = readDcgmiDmon(`${header}${lines}`);
      if (reading.columns.length > 0) header = `#Entity ${reading.columns.join(' ')}\n`;
      const now = clock.monotonic();
      for (const row of reading.rows) {
        const device = gpuOf(reading.columns, row);
        if (device?.index !== undefined) devices.set(device.index, { device, at: now });
      }
      for (const [index, { at }] of devices) if (now - at > smiSilence) devices.delete(index);
      if (reading.rows.length === 0 || devices.size === 0) return;
      kept.put(
        foldDevices(
          'dcgm',
          [...devices.values()].map(({ device }) => device),
        ),
        now,
      );
    };

    const words = ['dmon', '-e', fieldIds.join(','), '-d', '1000'];
    const end = await runChild({ command, words, clock, signal: stopped.signal, read });
    return { because: absenceOf(end), again: end !== 'missing', knew: devices.size > 0, atOnce: false };
  };

  void keepRunning({ name: 'dcgmi', runOnce, ended: kept.miss, clock, log, signal: stopped.signal });
  return { latest: kept.latest, stop: () => stopped.abort() };
}

/** One row as a device; undefined when it is no whole GPU, or says nothing yet (the first row never does). */
function gpuOf(columns: readonly string[], { entity, values }: DcgmiRow): GpuDevice | undefined {
  const index = /^GPU (\d+)$/.exec(entity)?.[1];
  if (index === undefined || values.every((value) => value === undefined)) return undefined;
  const said = (column: string): number | undefined => values[columns.indexOf(column)];
  const bytes = (mebibytes: number | undefined) => (mebibytes === undefined ? undefined : mebibytes * mebibyte);
  const active = said('GRACT');
  return deviceOf({
    index: Number(index),
    utilizationPercent: said('GPUTL') ?? (active === undefined ? undefined : Math.min(100, active * 100)),
    memoryUsedBytes: bytes(said('FBUSD')),
    memoryTotalBytes: bytes(said('FBTTL')),
    temperatureCelsius: said('TMPTR'),
    powerWatts: said('POWER'),
  });
}
