// JSON lines, one event a line, written synchronously so that the last words of a dying process are not lost. The
// message comes first (`log.info('Scaled the target', { from, to })`) because it is what a reader searches for.
import { type DestinationStream, pino, stdSerializers } from 'pino';
import { createLogLines } from './log-lines.ts';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with these fields on every line. */
  child(fields: LogFields): Log;
  /** Changes the level of this log and of the children made from now on. */
  setLevel(level: LogLevel): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** The process or part that speaks. */
  readonly name: string;
  /** Where lines go: a file descriptor (default 1, stdout; lines that it does not take are lost) or a stream. */
  readonly destination?: number | DestinationStream;
}

// Secrets reach logs inside request headers, kubeconfigs and configuration objects, never deeper than this.
const secretNames = ['token', 'authorization', 'password', 'bearerToken', 'tls.key', 'privateKey', 'cookie'];
const redacted = secretNames.flatMap((name) => {
  const part = name.includes('.') ? `["${name}"]` : name;
  const join = (prefix: string) => (part.startsWith('[') ? prefix + part : `${prefix}.${part}`);
  return [part, join('*'), join('*.*')];
});

/** A log of JSON lines: `level` as a word, `time` in milliseconds, `name`, `msg`, and the fields given. */
export function createLog(options: LogOptions): Log {
  const to = options.destination ?? 1;
  const stream = typeof to === 'number' ? createLogLines(to) : to;
  const logger = pino(
    {
      name: options.name,
      level: options.level,
      base: { name: options.name },
      formatters: { level: (label) => ({ level: label }) },
      serializers: { cause: errorFields, error: errorFields },
      redact: { paths: redacted, censor: '[redacted]' },
    },
    stream,
  );
  return wrap(logger);
}

function wrap(logger: pino.Logger): Log {
  const none: LogFields = {};
  return {
    debug: (message, fields) => logger.debug(fields ?? none, message),
    info: (message, fields) => logger.info(fields ?? none, message),
    warn: (message, fields) => logger.warn(fields ?? none, message),
    error: (message, fields) => logger.error(fields ?? none, message),
    child: (fields) => wrap(logger.child(fields)),
    setLevel(level) {
      logger.level = level;
    },
  };
}

/** Something thrown, as a field: an error keeps its type, message, stack and causes; anything else stays itself. */
function errorFields(thrown: unknown): unknown {
  return thrown instanceof Error ? stdSerializers.errWithCause(thrown) : thrown;
}
