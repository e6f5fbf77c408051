export { type BodyKind, bodyKindOf } from './body-kind.ts';
export {
  type DcgmDevice,
  type DcgmFilter,
  type DcgmReading,
  readDcgm,
  type ThrottleReason,
  throttleReasons,
} from './dcgm.ts';
export { type DcgmiReading, type DcgmiRow, readDcgmiDmon } from './dcgmi-dmon.ts';
export {
  type EngineAnswer,
  type EngineMiss,
  type EngineReading,
  engineMisses,
  queueLengthOf,
  readEngine,
} from './engine-reading.ts';
export type { EngineName } from './engine-table.ts';
export {
  type Exposition,
  type Family,
  type Labels,
  type PageOptions,
  parseExposition,
  type Sample,
} from './exposition.ts';
export { type Histogram, histogramSince, type Quantile, quantileOf } from './histogram.ts';
export { type PrometheusAnswer, readPrometheusAnswer } from './prometheus-answer.ts';
export { createTokenReader, type TokenReader, type TokenReading } from './token-reader.ts';
