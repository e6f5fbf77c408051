// GPU numbers from nvidia-smi: one long-lived child that prints a row a GPU each second. Starting a process blocks our
// loop for ten milliseconds, so it is never started for a sample; when it ends it is started again after a while, and
// when it falls silent (a GPU fell off the bus) it is killed first.
import { spawn } from 'node:child_process';
import type { Clock, Log } from '@kubeai/daemon';
import type { Absence, GpuDevice, GpuMark } from '@kubeai/protocol';
import { milliseconds } from '@kubeai/units';
import { type Gpu, type ProblemReason, parseNvidiaSmi, type ThrottleReason } from 'node-nvidia-smi-parser';
import { deviceOf, foldDevices, type GpuFold } from './gpu-fold.ts';
import { firstSmiRestart, longestSmiRestart, maxSmiBytes, smiSilence } from './limits.ts';
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

type Ending = { readonly because: Absence; readonly again: boolean; readonly shorter: boolean };

export function startSmiSource(command: string, clock: Clock, log: Log): Source<GpuFold> {
  const kept = createKept<GpuFold>();
  const stopped = new AbortController();
  let list = 0;
  let delay: number = firstSmiRestart;

  /** Runs the child until it ends, by itself or because it was silent. */
  const runOnce = (): Promise<Ending> =>
    new Promise((resolve) => {
      const fields = fieldLists[list]!;
      const child = spawn(command, [`--query-gpu=${fields.join(',')}`, '--format=csv,noheader', '-l', '1'], {
        stdio: ['ignore', 'pipe', 'pipe'],
        signal: stopped.signal,
        killSignal: 'SIGKILL',
      });
      const devices = new Map<number, { readonly device: GpuDevice; readonly at: number }>();
      const problems = new Set<ProblemReason>();
      let text = '';
      let heardAt = clock.monotonic();
      let hung = false;

      const read = (lines: string): void => {
        const reading = parseNvidiaSmi(lines, { fields });
        const now = clock.monotonic();
        for (const { reason } of reading.problems) problems.add(reason);
        for (const gpu of reading.gpus) devices.set(gpu.index, { device: gpuOf(gpu), at: now });
        if (reading.gpus.length === 0) return;
        delay = firstSmiRestart;
        for (const [index, { at }] of devices) if (now - at > smiSilence) devices.delete(index);
        kept.put(
          foldDevices(
            'nvidia-smi',
            [...devices.values()].map(({ device }) => device),
          ),
          now,
        );
      };

      const take = (chunk: string): void => {
        heardAt = clock.monotonic();
        text = (text + chunk).slice(-maxSmiBytes);
        const end = text.lastIndexOf('\n');
        if (end === -1) return;
        read(text.slice(0, end));
        text = text.slice(end + 1);
      };
      child.stdout.setEncoding('utf8').on('data', take);
      child.stderr.setEncoding('utf8').on('data', take);

      const watch = clock.every(milliseconds(1_000), () => {
        if (clock.monotonic() - heardAt <= smiSilence) return;
        hung = true;
        child.kill('SIGKILL');
      });
      const finish = (ending: Ending): void => {
        watch.stop();
        resolve(ending);
      };
      child.on('error', (cause: NodeJS.ErrnoException) => {
        const missing = cause.code === 'ENOENT' || cause.code === 'EACCES';
        finish({ because: missing ? 'NotSupported' : 'Stopped', again: !missing, shorter: false });
      });
      child.on('close', () => {
        if (text !== '') read(text);
        const none = [...problems].some((reason) => final.has(reason)) && devices.size === 0;
        const because = hung ? 'Hung' : none ? 'NotSupported' : 'Stopped';
        finish({ because, again: !none, shorter: problems.has('InvalidUsage') });
      });
    });

  void (async () => {
    while (!stopped.signal.aborted) {
      const { because, again, shorter } = await runOnce();
      kept.miss(because);
      if (stopped.signal.aborted || !again) return;
      if (shorter && list < fieldLists.length - 1) {
        list += 1;
        continue;
      }
      log.warn('nvidia-smi ended and is started again', { because, delayMs: delay });
      await clock.sleep(milliseconds(delay), stopped.signal);
      delay = Math.min(longestSmiRestart, delay * 2);
    }
  })();

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
