// Several GPUs become one sample: a model that is spread over ranks is as busy as its busiest, and its memory is the sum.
import type { GpuDevice, GpuMark, GpuSample, GpuSource } from '@kubeai/protocol';

export type GpuFold = Omit<GpuSample, 'ageMs'>;

/** Folds devices; what no device knows is absent. */
export function foldDevices(source: GpuSource, devices: readonly GpuDevice[]): GpuFold {
  const known = (pick: (device: GpuDevice) => number | undefined): number[] =>
    devices.map(pick).filter((value) => value !== undefined);
  const utilization = known((device) => device.utilizationPercent);
  const used = known((device) => device.memoryUsedBytes);
  const total = known((device) => device.memoryTotalBytes);
  const marks = new Set<GpuMark>(devices.flatMap((device) => device.marks ?? []));
  return {
    source,
    devices,
    ...(utilization.length > 0 ? { utilizationPercent: Math.max(...utilization) } : {}),
    // A sum over some of the devices would look like plenty of room.
    ...(devices.length > 0 && used.length === devices.length ? { memoryUsedBytes: sum(used) } : {}),
    ...(devices.length > 0 && total.length === devices.length ? { memoryTotalBytes: sum(total) } : {}),
    marks: [...marks],
  };
}

/** Leaves out what is undefined, so that an unknown number is absent on the wire. */
export function deviceOf(fields: { [Name in keyof GpuDevice]: GpuDevice[Name] | undefined }): GpuDevice {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
