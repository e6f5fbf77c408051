// Reads a dcgm-exporter page (or a Prometheus answer over one) into one reading a device. The page speaks for a whole
// node, so it is filtered to the devices of one pod. What it says needs care: utilisation is percent in one family and
// a ratio in another and the two measure different things, a value that DCGM does not have is a huge integer, a MIG
// instance carries its parent's UUID, and after a scrape the pod labels may name the exporter.
import { isVgpuName } from 'node-nvidia-smi-parser';
import { defined } from './engine-reading.ts';
import type { Exposition, Labels, Sample } from './exposition.ts';
import { limits } from './limits.ts';
import { readPage } from './prometheus-answer.ts';

/** Which devices to read. What is left out does not filter; without any, every device of the page is read. */
export interface DcgmFilter {
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  /** UUIDs of whole GPUs; a MIG instance stands under the UUID of its GPU, so name `migInstance` too. */
  readonly uuids?: readonly string[];
  /** The `GPU_I_ID` of a MIG instance. */
  readonly migInstance?: string;
}

export interface DcgmDevice {
  /** `0`, or `0/2` for instance 2 of GPU 0. */
  readonly device: string;
  readonly gpu?: string;
  readonly uuid?: string;
  readonly model?: string;
  readonly pciBusId?: string;
  readonly hostname?: string;
  readonly driverVersion?: string;
  /** Present on a MIG instance: its id and profile (`2g.20gb`). Its UUID is that of the whole GPU. */
  readonly migInstance?: string;
  readonly migProfile?: string;
  /** A vGPU guest: no temperature, power or profiling, and the UUID ends in zeros. */
  readonly vgpu: boolean;
  /** Pods that the page names as owners; more than one where a GPU is time-sliced. */
  readonly sharedBy: number;
  /** Which pod owns the device, where the exporter knows it. */
  readonly owner?: { readonly namespace: string; readonly pod: string; readonly container?: string };
  /** Share of time in which any kernel ran; says "busy", not "full". Does not exist for MIG. */
  readonly utilizationPercent?: number;
  readonly memoryUtilizationPercent?: number;
  /** Share of the graphics engine in use, by hardware counters; the one figure that MIG instances have. */
  readonly engineActiveRatio?: number;
  readonly smActiveRatio?: number;
  readonly tensorActiveRatio?: number;
  readonly dramActiveRatio?: number;
  readonly memoryUsedMiB?: number;
  readonly memoryFreeMiB?: number;
  readonly memoryReservedMiB?: number;
  readonly memoryTotalMiB?: number;
  readonly temperatureCelsius?: number;
  readonly memoryTemperatureCelsius?: number;
  readonly powerWatts?: number;
  readonly powerLimitWatts?: number;
  readonly energyMillijoules?: number;
  readonly smClockMHz?: number;
  readonly memoryClockMHz?: number;
  /** The last XID error seen, not a count; 0 when there was none. */
  readonly lastXid?: number;
  /** Why clocks are held back now, of `throttleReasons`. */
  readonly throttledBy: readonly ThrottleReason[];
}

export interface DcgmReading {
  readonly devices: readonly DcgmDevice[];
  /** Devices on the page before the filter. */
  readonly seen: number;
  readonly problems: readonly string[];
}

/** Bits of `DCGM_FI_DEV_CLOCKS_EVENT_REASONS` (formerly `..._THROTTLE_REASONS`) that hold a GPU back under load. */
export const throttleReasons = {
  powerCap: 0x4,
  hardwareSlowdown: 0x8,
  softwareThermal: 0x20,
  hardwareThermal: 0x40,
  powerBrake: 0x80,
} as const;
export type ThrottleReason = keyof typeof throttleReasons;

const fields = {
  DCGM_FI_DEV_GPU_UTIL: 'utilizationPercent',
  DCGM_FI_DEV_MEM_COPY_UTIL: 'memoryUtilizationPercent',
  DCGM_FI_PROF_GR_ENGINE_ACTIVE: 'engineActiveRatio',
  DCGM_FI_PROF_SM_ACTIVE: 'smActiveRatio',
  DCGM_FI_PROF_PIPE_TENSOR_ACTIVE: 'tensorActiveRatio',
  DCGM_FI_PROF_DRAM_ACTIVE: 'dramActiveRatio',
  DCGM_FI_DEV_FB_USED: 'memoryUsedMiB',
  DCGM_FI_DEV_FB_FREE: 'memoryFreeMiB',
  DCGM_FI_DEV_FB_RESERVED: 'memoryReservedMiB',
  DCGM_FI_DEV_FB_TOTAL: 'memoryTotalMiB',
  DCGM_FI_DEV_GPU_TEMP: 'temperatureCelsius',
  DCGM_FI_DEV_MEMORY_TEMP: 'memoryTemperatureCelsius',
  DCGM_FI_DEV_POWER_USAGE: 'powerWatts',
  DCGM_FI_DEV_POWER_MGMT_LIMIT: 'powerLimitWatts',
  DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION: 'energyMillijoules',
  DCGM_FI_DEV_SM_CLOCK: 'smClockMHz',
  DCGM_FI_DEV_MEM_CLOCK: 'memoryClockMHz',
  DCGM_FI_DEV_XID_ERRORS: 'lastXid',
} as const;
/** What ends somewhere. */
const mostOf = (field: string): number =>
  field.endsWith('Ratio') ? limits.fullShare : field.endsWith('Percent') ? 100 : Number.POSITIVE_INFINITY;
const throttleFamilies = ['DCGM_FI_DEV_CLOCKS_EVENT_REASONS', 'DCGM_FI_DEV_CLOCK_THROTTLE_REASONS'];

// The names of dcgm-exporter 1.x, which newer ones still write with `--use-old-namespace`: the same words in small
// letters, but for these.
const formerNames: Readonly<Record<string, keyof typeof fields>> = {
  dcgm_gpu_utilization: 'DCGM_FI_DEV_GPU_UTIL',
  dcgm_mem_copy_utilization: 'DCGM_FI_DEV_MEM_COPY_UTIL',
  dcgm_memory_clock: 'DCGM_FI_DEV_MEM_CLOCK',
};

function nameToday(name: string): string {
  if (!name.startsWith('dcgm_')) return name;
  return formerNames[name] ?? name.toUpperCase().replace(/^DCGM_(?!FI_)/, 'DCGM_FI_DEV_');
}

/** Never throws. `page` is a dcgm-exporter page, a Prometheus answer as JSON text, or either of them parsed. */
export function readDcgm(page: string | Exposition, filter: DcgmFilter = {}): DcgmReading {
  const parsed = typeof page === 'string' ? readPage(page) : page;
  const drafts = new Map<string, Draft>();
  const problems = [...parsed.problems];
  for (const [printedName, samples] of parsed.samples) {
    const name = nameToday(printedName);
    if (!name.startsWith('DCGM_FI_')) continue;
    for (const sample of samples)
      if (!take(name, sample, filter, drafts) && problems.length < limits.problems)
        problems.push(`${sample.value} is no value of ${printedName}`);
  }
  if (drafts.size === 0) problems.push('no DCGM series stands on the page');
  const devices = [...drafts.values()].filter(({ wanted }) => wanted).map(finish);
  return { devices, seen: drafts.size, problems };
}

/** Numbers that stand for "blank", "not found", "not supported" and "no permission" in each of DCGM's types. */
export const isBlank = (value: number): boolean =>
  !Number.isFinite(value) ||
  value >= 2 ** 63 - 4_096 ||
  (value >= 140_737_488_355_328 && value <= 140_737_488_355_331) ||
  (value >= 2_147_483_632 && value <= 2_147_483_635);

interface Draft {
  labels: Labels;
  wanted: boolean;
  throttleBits: number;
  readonly pods: Set<string>;
  readonly values: Partial<Record<(typeof fields)[keyof typeof fields], number>>;
}

/** False when the value is none that its family can have. */
function take(name: string, { labels, value }: Sample, filter: DcgmFilter, drafts: Map<string, Draft>): boolean {
  const gpu = labels['gpu'];
  const identity = uuidOf(labels) ?? (gpu === undefined ? undefined : `${hostOf(labels) ?? ''} ${gpu}`);
  if (identity === undefined) return true; // switches, links and CPUs have series of the same kind
  const key = `${identity} ${labelOf(labels, 'GPU_I_ID') ?? ''}`;
  const draft = drafts.get(key) ?? { labels, wanted: false, throttleBits: 0, pods: new Set(), values: {} };
  drafts.set(key, draft);
  const owner = ownerOf(labels);
  if (owner !== undefined) draft.pods.add(`${owner.namespace}/${owner.pod}`);
  // A time-sliced GPU has a series for every pod that shares it, so samples are filtered, not devices.
  if (!passes(labels, owner, filter)) return true;
  // Some families carry more labels than others; the fullest set describes the device.
  if (!draft.wanted || Object.keys(labels).length > Object.keys(draft.labels).length) draft.labels = labels;
  draft.wanted = true;
  if (isBlank(value)) return true;
  if (throttleFamilies.includes(name)) draft.throttleBits = value;
  const field = fields[name as keyof typeof fields];
  if (field === undefined) return true;
  // Cards without a memory sensor say 0 degrees, and so does a vGPU guest about its core.
  const isTemperature = field === 'memoryTemperatureCelsius' || field === 'temperatureCelsius';
  if (isTemperature && value === 0) return true;
  if (value > mostOf(field) || (value < 0 && !isTemperature)) return false;
  draft.values[field] = value;
  return true;
}

function passes(labels: Labels, owner: DcgmDevice['owner'], filter: DcgmFilter): boolean {
  if (filter.namespace !== undefined && owner?.namespace !== filter.namespace) return false;
  if (filter.pod !== undefined && owner?.pod !== filter.pod) return false;
  if (filter.container !== undefined && owner?.container !== filter.container) return false;
  if (filter.migInstance !== undefined && labelOf(labels, 'GPU_I_ID') !== filter.migInstance) return false;
  return filter.uuids === undefined || filter.uuids.some((uuid) => uuid === uuidOf(labels));
}

const uuidOf = (labels: Labels): string | undefined => labelOf(labels, 'UUID') ?? labels['gpu_uuid'];

const hostOf = (labels: Labels): string | undefined => labelOf(labels, 'Hostname');

/** Some collectors write all labels small, and the exporter does so with the host since the summer of 2026. */
const labelOf = (labels: Labels, name: string): string | undefined => labels[name] ?? labels[name.toLowerCase()];

/**
 * The pod that owns the device. After a scrape without `honorLabels` the owner stands in `exported_pod`, and `pod`
 * names the exporter; `job` tells that a scrape happened, and then a plain `pod` label owns nothing.
 */
function ownerOf(labels: Labels): DcgmDevice['owner'] {
  const scraped = labels['job'] !== undefined && labels['exported_pod'] === undefined && looksLikeExporter(labels);
  const pod = labels['exported_pod'] ?? labels['pod_name'] ?? (scraped ? undefined : labels['pod']);
  if (pod === undefined || pod === '') return undefined;
  const of = (part: 'namespace' | 'container', former: string) =>
    labels['exported_pod'] !== undefined ? labels[`exported_${part}`] : (labels[former] ?? labels[part]);
  const container = of('container', 'container_name');
  const namespace = of('namespace', 'pod_namespace') ?? '';
  return container === undefined || container === '' ? { namespace, pod } : { namespace, pod, container };
}

const looksLikeExporter = (labels: Labels): boolean =>
  /exporter|dcgm/.test(labels['container'] ?? '') || /dcgm/.test(labels['pod'] ?? '');

function finish({ labels, values, throttleBits, pods }: Draft): DcgmDevice {
  const gpu = labels['gpu'] ?? labels['device'] ?? '?';
  const [instance, profile] = ['GPU_I_ID', 'GPU_I_PROFILE'].map((name) => labelOf(labels, name) || undefined);
  const uuid = uuidOf(labels);
  const model = labelOf(labels, 'modelName');
  const vgpu = isVgpuName(model ?? '') || /-[0-9a-f]{4}00000000$/i.test(uuid ?? '');
  const { memoryUsedMiB, memoryFreeMiB, memoryReservedMiB } = values;
  // Used and free leave out what the driver keeps for itself.
  const total =
    values.memoryTotalMiB ??
    (memoryUsedMiB !== undefined && memoryFreeMiB !== undefined
      ? memoryUsedMiB + memoryFreeMiB + (memoryReservedMiB ?? 0)
      : undefined);
  const reasons = Object.entries(throttleReasons) as [ThrottleReason, number][];
  return {
    device: instance === undefined ? gpu : `${gpu}/${instance}`,
    vgpu,
    sharedBy: pods.size,
    throttledBy: reasons.filter(([, bit]) => (throttleBits & bit) !== 0).map(([reason]) => reason),
    ...defined({
      gpu: labels['gpu'],
      uuid,
      model,
      pciBusId: labels['pci_bus_id'],
      hostname: hostOf(labels),
      driverVersion: labelOf(labels, 'DCGM_FI_DRIVER_VERSION'),
      migInstance: instance,
      migProfile: profile,
      owner: ownerOf(labels),
      ...values,
      memoryTotalMiB: total,
    }),
  };
}
