export { isVgpuName } from './gpu-fields.ts';
export { type ParseOptions, parseNvidiaSmi } from './nvidia-smi.ts';
export {
  type Gpu,
  type GpuProcess,
  type Kind,
  type MigDevice,
  type Problem,
  type ProblemReason,
  problemReasons,
  type Reading,
  type Rows,
  type ThrottleReason,
} from './reading.ts';
export { createNvidiaSmiStream, type NvidiaSmiStream } from './stream.ts';
