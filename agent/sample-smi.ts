// GPU numbers from nvidia-smi: one long-lived child that prints a row a GPU each second.
import type { Clock, Log } from '@kubeai/daemon';
import type { GpuDevice, GpuMark } from '@kubeai/protocol';
import { type Gpu, type ProblemReason, parseNvidiaSmi, type ThrottleReason } from 'node-nvidia-smi-parser';
import type { Command } from './find-command.ts';
import { absenceOf, type Ending, keepRunning, runChild } from './gpu-child.ts';
import { deviceOf, foldDevices, type GpuFold } from './gpu-fold.ts';
import { smiSilence } from './limits.ts';
import { createKept, type Source } from './source.ts';

const mebibyte = 1024 * 1024;
const always = [
  'index',
  'uuid',
  'name',
  'utilization.gpu',
  'memory.used',
  'memory.total',
  'temperature.gpu',
  'power.draw',
];
// A driver that does not know a field prints nothing else: the next shorter list is tried.
const fieldLists: readonly (readonly string[])[] = [
  [...always, 'mig.mode.current', 'clocks_event_reasons.active'],
  [...always, 'mig.mode.current', 'clocks_throttle_reasons.active'],
  always,
];

const marksOfThrottling: Readonly<Record<ThrottleReason, GpuMark | undefined>> = {
  sw_power_cap: 'PowerThrottle',
  hw_power_brake_slowdown: 'PowerThrottle',
  hw_slowdown: 'HardwareThrottle',
  hw_thermal_slowdown: 'ThermalThrottle',
  sw_thermal_slowdown: 'ThermalThrottle',
  sync_boost: undefined,
};

/** Where there is no GPU there will be none: these are not tried again. */
const final: ReadonlySet<ProblemReason> = new Set(['NotInstalled', 'NoDevices', 'LibraryNotFound']);

export function startSmiSource(command: Command, clock: Clock, log: Log): Source<GpuFold> {
  const kept = createKept<GpuFold>();
  const stopped = new AbortController();
  let list = 0;

  const runOnce = async (): Promise<Ending> => {
    const fields = fieldLists[list]!;
    const devices = new Map<number, { readonly device: GpuDevice; readonly at: number }>();
    const problems = new Set<ProblemReason>();
    let knew = false;

    const read = (lines: string): void => {
      const reading = parseNvidiaSmi(lines, { fields });
      const now = clock.monotonic();
      for (const { reason } of reading.problems) problems.add(reason);
      for (const gpu of reading.gpus) devices.set(gpu.index, { device: gpuOf(gpu), at: now });
      if (reading.gpus.length === 0) return;
      knew = true;
      for (const [index, { at }] of devices) if (now - at > smiSilence) devices.delete(index);
      kept.put(
        foldDevices(
          'nvidia-smi',
          [...devices.values()].map(({ device }) => device),
        ),
        now,
      );
    };

    const words = [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader', '-l', '1'];
    const end = await runChild({ command, words, clock, signal: stopped.signal, read });
    const none = [...problems].some((reason) => final.has(reason)) && devices.size === 0;
    const shorter = problems.has('InvalidUsage') && list < fieldLists.length - 1;
    if (shorter) list += 1;
    return {
      because: none ? 'NotSupported' : absenceOf(end),
      again: !none && end !== 'missing',
      knew,
      atOnce: shorter,
    };
  };

  void keepRunning({ name: 'nvidia-smi', runOnce, ended: kept.miss, clock, log, signal: stopped.signal });
  return { latest: kept.latest, stop: () => stopped.abort() };
}

function gpuOf(gpu: Gpu): GpuDevice {
  const marks = new Set<GpuMark>();
  for (const reason of gpu.throttledBy) {
    const mark = marksOfThrottling[reason];
    if (mark !== undefined) marks.add(mark);
  }
  if (gpu.migMode === 'Enabled') marks.add('Mig');
  if (gpu.isVgpu) marks.add('VirtualGpu');
  return deviceOf({
    index: gpu.index,
    uuid: gpu.uuid,
    model: gpu.name,
    utilizationPercent: gpu.utilizationGpuPercent,
    memoryUsedBytes: gpu.memoryUsedMiB === undefined ? undefined : gpu.memoryUsedMiB * mebibyte,
    memoryTotalBytes: gpu.memoryTotalMiB === undefined ? undefined : gpu.memoryTotalMiB * mebibyte,
    temperatureCelsius: gpu.temperatureCelsius,
    powerWatts: gpu.powerDrawWatts,
    marks: [...marks],
  });
}

/** The first source that has a sample speaks; when none has, the first one says why. */
export function firstSource(sources: readonly Source<GpuFold>[]): Source<GpuFold> {
  return {
    latest(now) {
      const readings = sources.map((source) => source.latest(now));
      return readings.find(({ kind }) => kind === 'sample') ?? readings[0] ?? { kind: 'absent', because: 'NotAsked' };
    },
    stop: () => sources.forEach((source) => void source.stop()),
  };
}
