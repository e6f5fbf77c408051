// GPU numbers from the node's dcgm-exporter, filtered to this pod: the only source that sees a GPU from outside the
// container that holds it.
import { Agent } from 'node:http';
import type { Clock } from '@kubeai/daemon';
import { type DcgmDevice, readDcgm, type ThrottleReason } from '@kubeai/engines';
import type { GpuMark, PodIdentity } from '@kubeai/protocol';
import { milliseconds } from '@kubeai/units';
import { deviceOf, foldDevices, type GpuFold } from './gpu-fold.ts';
import { fetchPage } from './http-page.ts';
import { maxScrapeBytes, scrapeInterval, scrapeTimeout } from './limits.ts';
import { createKept, type Source } from './source.ts';

const mebibyte = 1024 * 1024;

const throttleMarks: Readonly<Record<ThrottleReason, GpuMark>> = {
  powerCap: 'PowerThrottle',
  powerBrake: 'PowerThrottle',
  hardwareSlowdown: 'HardwareThrottle',
  softwareThermal: 'ThermalThrottle',
  hardwareThermal: 'ThermalThrottle',
};

export function startDcgmSource(url: URL, pod: PodIdentity, clock: Clock): Source<GpuFold> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const kept = createKept<GpuFold>();
  const stopped = new AbortController();

  const round = async (): Promise<void> => {
    const page = await fetchPage(url, { agent, timeout: scrapeTimeout, maxBytes: maxScrapeBytes });
    if (page.kind !== 'page') return kept.miss(page.kind === 'status' ? 'Unreadable' : 'Unreachable');
    const { devices, seen } = readDcgm(page.text, { namespace: pod.namespace, pod: pod.name });
    // A page without this pod is an exporter that does not map pods, or a pod without a GPU.
    if (devices.length === 0) return kept.miss(seen === 0 ? 'Unreadable' : 'NotSupported');
    kept.put(foldDevices('dcgm', devices.map(gpuOf)), clock.monotonic());
  };

  void (async () => {
    while (!stopped.signal.aborted) {
      const begun = clock.monotonic();
      await round();
      await clock.sleep(milliseconds(Math.max(50, scrapeInterval - (clock.monotonic() - begun))), stopped.signal);
    }
    agent.destroy();
  })();

  return { latest: kept.latest, stop: () => stopped.abort() };
}

function gpuOf(device: DcgmDevice) {
  const total =
    device.memoryTotalMiB ??
    (device.memoryUsedMiB !== undefined && device.memoryFreeMiB !== undefined
      ? device.memoryUsedMiB + device.memoryFreeMiB + (device.memoryReservedMiB ?? 0)
      : undefined);
  const marks = new Set<GpuMark>(device.throttledBy.map((reason) => throttleMarks[reason]));
  if (device.migInstance !== undefined) marks.add('Mig');
  if (device.vgpu) marks.add('VirtualGpu');
  if (device.sharedBy > 1) marks.add('TimeSliced');
  if ((device.lastXid ?? 0) > 0) marks.add('Xid');
  const ratio = device.engineActiveRatio;
  const index = Number(device.gpu);
  return deviceOf({
    index: Number.isSafeInteger(index) && device.gpu !== undefined ? index : undefined,
    uuid: device.uuid,
    model: device.model,
    utilizationPercent: device.utilizationPercent ?? (ratio === undefined ? undefined : Math.min(100, ratio * 100)),
    memoryUsedBytes: device.memoryUsedMiB === undefined ? undefined : device.memoryUsedMiB * mebibyte,
    memoryTotalBytes: total === undefined ? undefined : total * mebibyte,
    temperatureCelsius: device.temperatureCelsius,
    powerWatts: device.powerWatts,
    marks: [...marks],
  });
}
