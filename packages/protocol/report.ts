// One agent's last second, as data: what travels from a pod to the controller, one JSON line each. Counts are deltas of
// the window, so a lost report loses a second and not the truth; ages stand in for timestamps, because clocks of two
// machines are never compared. What is not known is absent, and `absent` says why: never 0.
import type { EncodedSketch } from '@kubeai/sketch';

/** Whose report this is; the controller holds it against the token that the connection was opened with. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export const statusClasses = ['1xx', '2xx', '3xx', '4xx', '5xx', 'unknown'] as const;
/** The class of an HTTP status; `unknown` is a gRPC stream whose status could not be read along. */
export type StatusClass = (typeof statusClasses)[number];

/** What passed the agent within the window. */
export interface Traffic {
  /** Requests in flight at the end of the window. */
  readonly inFlight: number;
  /** Those of them that have not got the first byte of an answer. */
  readonly waitingFirstByte: number;
  /** Time-weighted mean of the requests in flight over the window. */
  readonly concurrency: number;
  readonly started: number;
  /** Requests answered to the end, by status class; a class nobody got is absent. */
  readonly finished: Readonly<Partial<Record<StatusClass, number>>>;
  /** Requests the model server broke off or did not accept. */
  readonly failed: number;
  /** Requests whose client went away first. */
  readonly aborted: number;
  /** Requests turned away by the concurrency limit. */
  readonly rejected: number;
  /** Tokens read from `usage`; absent when no answer of the window told. */
  readonly promptTokens?: number;
  /** Tokens sent to clients, from `usage` or counted events. */
  readonly generatedTokens: number;
  readonly latencyMs: EncodedSketch;
  readonly timeToFirstByteMs: EncodedSketch;
  readonly timeToFirstTokenMs: EncodedSketch;
  readonly interTokenMs: EncodedSketch;
  /** Connections that stopped being observed within the window, because they speak what the agent cannot follow. */
  readonly unobservedConnections: number;
}

export const queueSources = ['engine', 'limit', 'firstByte'] as const;
export type QueueSource = (typeof queueSources)[number];

/** Requests waiting for a place, from the best source that this pod has. */
export interface Queue {
  readonly length: number;
  readonly source: QueueSource;
}

/** The model server's own gauges. */
export interface EngineSample {
  readonly name: string;
  readonly ageMs: number;
  readonly waiting?: number;
  readonly running?: number;
  readonly kvCacheRatio?: number;
  /** Tokens within the window between the last two scrapes, per second. */
  readonly promptTokensPerSecond?: number;
  readonly generatedTokensPerSecond?: number;
}

export const gpuSources = ['dcgm', 'engine', 'nvidia-smi'] as const;
export type GpuSource = (typeof gpuSources)[number];

export const gpuMarks = [
  'Mig',
  'TimeSliced',
  'VirtualGpu',
  'ThermalThrottle',
  'PowerThrottle',
  'HardwareThrottle',
  'Xid',
  'EccError',
  'Lost',
] as const;
/** What makes a GPU's numbers mean less than they say. */
export type GpuMark = (typeof gpuMarks)[number];

export interface GpuDevice {
  readonly index?: number;
  readonly uuid?: string;
  readonly model?: string;
  /** Share of the time in which a kernel ran: busy, not full. */
  readonly utilizationPercent?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
  readonly temperatureCelsius?: number;
  readonly powerWatts?: number;
  readonly marks?: readonly GpuMark[];
}

/** The pod's GPUs: utilisation of the slowest rank (the busiest device), memory summed. */
export interface GpuSample {
  readonly source: GpuSource;
  readonly ageMs: number;
  readonly devices: readonly GpuDevice[];
  readonly utilizationPercent?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
  readonly marks: readonly GpuMark[];
}

/** The main container, from its cgroup. */
export interface ContainerSample {
  readonly ageMs: number;
  readonly cpuCores?: number;
  readonly cpuLimitCores?: number;
  readonly memoryBytes?: number;
  readonly memoryLimitBytes?: number;
}

/** The node. */
export interface HostSample {
  readonly ageMs: number;
  /** Share of all cores in use, 0 to 1. */
  readonly cpuRatio?: number;
  readonly memoryUsedBytes?: number;
  readonly memoryTotalBytes?: number;
}

export const absences = {
  NotAsked: 'the pod switched this source off',
  NotSupported: 'nothing of the kind exists here',
  NotYet: 'the first sample has not arrived',
  Unreachable: 'the source did not answer',
  Unreadable: 'the source answered what could not be read',
  Stopped: 'the process that reads it ended and waits to be started again',
  Hung: 'the process that reads it gave no answer and was ended',
} as const;
/** Why a part of a report is missing. */
export type Absence = keyof typeof absences;
export const optionalParts = ['engine', 'gpu', 'container', 'host'] as const;
export type OptionalPart = (typeof optionalParts)[number];

export interface Report {
  readonly version: number;
  /** One start of one agent: sequence numbers count within it. */
  readonly run: string;
  /** Counts up by one a report. */
  readonly sequence: number;
  /** Age of the window's end when the line was written: 0 live, more in a replay. */
  readonly ageMs: number;
  readonly windowMs: number;
  /** The load jumped within the window, which was ended early to tell: what stays of it is `inFlight`, and the means are
   * mostly of the time before. Or it jumped just before the window, which tells whether that has held. */
  readonly jumped?: true;
  readonly pod: PodIdentity;
  readonly traffic: Traffic;
  /** Requests do not pass this agent (reach `none`): its zeros in `traffic` say nothing about the pod. */
  readonly unobserved?: true;
  readonly queue: Queue;
  readonly engine?: EngineSample;
  readonly gpu?: GpuSample;
  readonly container?: ContainerSample;
  readonly host?: HostSample;
  readonly absent: Readonly<Partial<Record<OptionalPart, Absence>>>;
  /** The agent got its SIGTERM: the pod goes, its load moves elsewhere. */
  readonly leaving?: true;
}

/** The line to send, newline included. */
export const encodeReport = (report: Report): string => `${JSON.stringify(report)}\n`;
