// What every long-running process of ours needs from its machine: time, a log, configuration, a listener, an end.
export { type Clock, createClock, createManualClock, type ManualClock, type Timer } from './clock.ts';
export {
  type CommandLine,
  type CommandOperand,
  type CommandOption,
  type CommandOutcome,
  type CommandProcess,
  exitWith,
  type OptionValues,
  parseCommandLine,
  readCommandLine,
} from './command-line.ts';
export { type Environment, parseEnvironment } from './environment.ts';
export { createHealth, type Health, type HealthCheck } from './health.ts';
export {
  type ListenAddress,
  ListenError,
  type Listener,
  type ListenOptions,
  listenOn,
  type SecureListener,
  type ServingCertificate,
  serveHttp,
  serveHttps,
} from './listener.ts';
export { createLog, type Log, type LogFields, type LogLevel, type LogOptions, logLevels } from './log.ts';
export { createLogLines, type LogLines } from './log-lines.ts';
export { logLevelOption, optionalSecondsOption, portOption, secondsOption } from './option-schemas.ts';
export { onOutputLost } from './output-lost.ts';
export { processOptions } from './process-options.ts';
export { readInto } from './read-into.ts';
export { onShutdown, type Shutdown, type StoppableProcess } from './shutdown.ts';
