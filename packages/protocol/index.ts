// The whole contract between agent and controller.
export {
  type Acknowledgement,
  encodeAcknowledgement,
  parseAcknowledgement,
  type Refusal,
  refusals,
} from './acknowledgement.ts';
export {
  maxAcknowledgementBytes,
  maxReportAgeMs,
  maxReportBytes,
  maxSampleAgeMs,
  maxTextLength,
  maxWindowMs,
  protocolVersion,
} from './limits.ts';
export { createLineReader, type LineReader } from './lines.ts';
export { createLoadJump, type LoadJump } from './load-jump.ts';
export { reportsPath, reportsProtocol } from './opening.ts';
export { parseReport, parseReportLine } from './parse-report.ts';
export {
  type Absence,
  absences,
  type ContainerSample,
  type EngineSample,
  encodeReport,
  type GpuDevice,
  type GpuMark,
  type GpuSample,
  type GpuSource,
  gpuMarks,
  gpuSources,
  type HostSample,
  type OptionalPart,
  optionalParts,
  type PodIdentity,
  type Queue,
  type QueueSource,
  queueSources,
  type Report,
  type StatusClass,
  statusClasses,
  type Traffic,
} from './report.ts';
export { reconnectDelay, worthSending } from './resending.ts';
