// What a reading is: the shapes that every format is turned into, and the closed list of what can be wrong with one.
// Units stand in the names. What nvidia-smi does not say is absent: `[N/A]` is never 0.
import { limits, quoted } from './limits.ts';

/** Which of nvidia-smi's outputs a text is. */
export type Kind =
  | 'xml' // -q -x
  | 'text' // -q
  | 'table' // without arguments
  | 'query-gpu' // --query-gpu=… --format=csv
  | 'query-compute-apps' // --query-compute-apps=… --format=csv
  | 'dmon'
  | 'pmon'
  | 'list' // -L
  | 'version' // --version
  | 'failure' // nothing but messages of a failure
  | 'empty'
  | 'unknown';

export const problemReasons = {
  NotInstalled: 'the shell or the container runtime found no nvidia-smi',
  DriverNotLoaded: 'nvidia-smi cannot talk to the driver',
  DriverLibraryMismatch: 'the library and the loaded driver differ in version; the node needs a reload or a restart',
  LibraryNotFound: 'libnvidia-ml is not there',
  InitialisationFailed: 'NVML cannot be initialised for another cause',
  NoDevices: 'no GPU was found',
  DeviceLost: 'a GPU does not answer; others may still be listed',
  Warning: 'nvidia-smi warns, of a corrupted infoROM for instance; the values stand',
  NoPermission: 'the caller may not ask for this',
  InvalidUsage: 'nvidia-smi refused its arguments',
  NotSupported: 'the GPU or its driver does not offer what was asked, as a monitor on many cards',
  ValueInError: 'nvidia-smi printed an error where a value should stand',
  UnreadableValue: 'a value is not what its field should hold',
  UnreadableRow: 'a line does not fit the output that it stands in',
  NoHeader: 'the columns of a CSV are not known; give its fields',
  Truncated: 'the output ends before its end',
  GpusMissing: 'fewer or more GPUs are described than the output says are attached',
  TooMuch: 'the output is longer than is read',
  OtherOutput: 'another output stands in the same text, and is not read',
  Empty: 'there is no output',
  UnknownOutput: 'this is none of the outputs of nvidia-smi',
} as const;
export type ProblemReason = keyof typeof problemReasons;

export interface Problem {
  readonly reason: ProblemReason;
  /** One line: which GPU or line, and what stood there. */
  readonly message: string;
}

/** A MIG instance. No output gives its utilisation; only `-L` gives its UUID and profile. */
export interface MigDevice {
  readonly index?: number;
  readonly gpuInstanceId?: string;
  readonly computeInstanceId?: string;
  readonly uuid?: string;
  /** `3g.40gb` */
  readonly profile?: string;
  readonly memoryTotalMiB?: number;
  readonly memoryUsedMiB?: number;
  readonly memoryFreeMiB?: number;
  readonly multiprocessors?: number;
  /** As printed, by the same names as those of a GPU. */
  readonly printed: Readonly<Record<string, string>>;
}

export type ThrottleReason =
  | 'sw_power_cap'
  | 'hw_slowdown'
  | 'hw_thermal_slowdown'
  | 'hw_power_brake_slowdown'
  | 'sw_thermal_slowdown'
  | 'sync_boost';

export interface Gpu {
  /** Which document of the input describes it, from 1: a log can hold several runs. */
  readonly document: number;
  /** As printed, else the position in its document. */
  readonly index: number;
  readonly name?: string;
  readonly uuid?: string;
  readonly pciBusId?: string;
  readonly serial?: string;
  readonly memoryTotalMiB?: number;
  readonly memoryReservedMiB?: number;
  readonly memoryUsedMiB?: number;
  readonly memoryFreeMiB?: number;
  /** Share of a recent window in which any kernel ran: "busy", not "full". Absent with MIG. */
  readonly utilizationGpuPercent?: number;
  readonly utilizationMemoryPercent?: number;
  readonly utilizationEncoderPercent?: number;
  readonly utilizationDecoderPercent?: number;
  readonly temperatureCelsius?: number;
  readonly memoryTemperatureCelsius?: number;
  /** Of the GPU, never of the whole module: the plain figure, else the average, else the instant one. */
  readonly powerDrawWatts?: number;
  readonly averagePowerDrawWatts?: number;
  readonly instantPowerDrawWatts?: number;
  readonly powerLimitWatts?: number;
  readonly fanPercent?: number;
  readonly clockGraphicsMHz?: number;
  readonly clockSmMHz?: number;
  readonly clockMemoryMHz?: number;
  /** `P0` to `P15` */
  readonly performanceState?: string;
  readonly computeMode?: string;
  readonly persistenceMode?: string;
  /** `WDDM`, `TCC` or `MCDM`; only on Windows */
  readonly driverModel?: string;
  /** `Enabled` or `Disabled`; absent on cards that cannot. */
  readonly migMode?: string;
  /** `None`, `Pass-Through`, `VGPU`, `Host VGPU`, … */
  readonly virtualizationMode?: string;
  /** A vGPU guest: power and temperature mean nothing there. */
  readonly isVgpu: boolean;
  /** What holds the clocks back now. */
  readonly throttledBy: readonly ThrottleReason[];
  readonly migDevices: readonly MigDevice[];
  /**
   * Every field as printed, with its unit: by path in XML (`fb_memory_usage/used`), likewise in text
   * (`fb_memory_usage/used`, from "FB Memory Usage" and "Used"), by column in CSV (`memory.used`) and dmon (`pwr`).
   */
  readonly printed: Readonly<Record<string, string>>;
}

/** A process on a GPU, as far as nvidia-smi may see it: inside a container often not at all. */
export interface GpuProcess {
  readonly document: number;
  /** Index of the GPU in its document, where the output tells. */
  readonly gpu?: number;
  readonly gpuUuid?: string;
  readonly gpuBusId?: string;
  readonly pid?: number;
  /** `C`, `G`, `C+G`, `M+C` */
  readonly type?: string;
  readonly name?: string;
  readonly usedMemoryMiB?: number;
  readonly gpuInstanceId?: string;
  readonly computeInstanceId?: string;
  readonly smPercent?: number;
  readonly memoryPercent?: number;
  readonly encoderPercent?: number;
  readonly decoderPercent?: number;
  readonly printed: Readonly<Record<string, string>>;
}

/** The rows of a CSV, of dmon or of pmon, cell by cell as printed. */
export interface Rows {
  readonly columns: readonly string[];
  readonly headerLines: number;
  readonly cells: readonly (readonly string[])[];
}

export interface Reading {
  readonly kind: Kind;
  readonly driverVersion?: string;
  readonly cudaVersion?: string;
  /** As printed: nvidia-smi writes local time in two ways, and no time zone. */
  readonly timestamp?: string;
  /** `v12`, from the DOCTYPE of XML. Read fields by name, not by this. */
  readonly dtd?: string;
  readonly attachedGpus?: number;
  /** How many runs of nvidia-smi the input holds. */
  readonly documents: number;
  readonly gpus: readonly Gpu[];
  readonly processes: readonly GpuProcess[];
  readonly rows?: Rows;
  readonly problems: readonly Problem[];
}

/** A reading while it is made. */
export interface Draft {
  kind: Kind;
  driverVersion?: string;
  cudaVersion?: string;
  timestamp?: string;
  dtd?: string;
  attachedGpus?: number;
  documents: number;
  gpus: Gpu[];
  processes: GpuProcess[];
  rows?: Rows;
  problems: Problem[];
}

export const draftOf = (kind: Kind): Draft => ({ kind, documents: 1, gpus: [], processes: [], problems: [] });

export function complain(draft: Pick<Draft, 'problems'>, reason: ProblemReason, what: string): void {
  if (draft.problems.length < limits.problems) draft.problems.push({ reason, message: quoted(what) });
}

/** Says once that more stands there than is kept. */
export function complainOfMore(draft: Pick<Draft, 'problems'>, what: string): void {
  if (!draft.problems.some(({ reason }) => reason === 'TooMuch'))
    complain(draft, 'TooMuch', `more than ${limits.entries} ${what}`);
}
