// A model server without a model: an engine that spends measured times, behind the API that real engines have.
export {
  createEngine,
  type Emission,
  type Engine,
  type EngineConfig,
  type EngineState,
  type Sequence,
  type SequenceRequest,
  type Step,
} from './engine.ts';
export { blockTokens, kvBlocksOf } from './kv-memory.ts';
export { createModelServer, type ModelServer, type ModelServerConfig } from './model-server.ts';
export { type Hardware, knownHardware, type ServiceTimes, serviceTimes } from './service-times.ts';
