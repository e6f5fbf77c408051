// What one pod may say about its own agent. A value that makes no sense costs a warning, never a pod: the safe default
// is taken instead.
import { annotations } from './names.ts';
import { annotationOf, type Pod } from './pod.ts';
import { namesPort } from './serving-port.ts';

export const reaches = ['auto', 'port', 'redirect', 'none'] as const;
export type Reach = (typeof reaches)[number];

export interface PodSettings {
  readonly reach: Reach;
  readonly engine: string;
  readonly gpuSource: string;
  /** Requests the engine is given at once; 0 means no limit. */
  readonly concurrencyLimit: number;
  readonly logLevel: string;
  /** Kubernetes quantities. */
  readonly cpu: string;
  readonly memory: string;
}

const engines = [
  'auto',
  'none',
  'vllm',
  'sglang',
  'tgi',
  'tei',
  'triton',
  'tensorrt-llm',
  'llama-cpp',
  'ollama',
  'nim',
  'dynamo',
];
const gpuSources = ['auto', 'dcgm', 'nvidia-smi', 'none'];
const logLevels = ['trace', 'debug', 'info', 'warn', 'error'];
const quantity = /^(?:\d{1,9}(?:\.\d{1,3})?)(?:m|k|M|G|Ki|Mi|Gi)?$/;

/**
 * The settings of a pod over the defaults, and a sentence for each value that was not taken. `dcgmAvailable`: agents are
 * told where the dcgm-exporter of their node answers.
 */
export function podSettingsOf(
  pod: Pod,
  defaults: PodSettings,
  dcgmAvailable: boolean,
): { readonly settings: PodSettings; readonly warnings: readonly string[] } {
  const warnings: string[] = [];

  /** The annotation's value when `valid` accepts it, else the default, with a warning. */
  const choose = (annotation: string, fallback: string, valid: (text: string) => boolean, expected: string): string => {
    const text = annotationOf(pod, annotation);
    if (text === undefined || valid(text)) return text ?? fallback;
    warnings.push(`annotation ${annotation} must be ${expected}, not "${text.slice(0, 64)}"; using ${fallback}`);
    return fallback;
  };
  const oneOf = (annotation: string, fallback: string, words: readonly string[]) =>
    choose(annotation, fallback, (text) => words.includes(text), `one of ${words.join(', ')}`);

  const settings: PodSettings = {
    reach: oneOf(annotations.reach, defaults.reach, reaches) as Reach,
    engine: oneOf(annotations.engine, defaults.engine, engines),
    gpuSource: oneOf(
      annotations.gpuSource,
      defaults.gpuSource,
      dcgmAvailable ? gpuSources : gpuSources.filter((source) => source !== 'dcgm'),
    ),
    concurrencyLimit: Number(
      choose(
        annotations.concurrencyLimit,
        String(defaults.concurrencyLimit),
        (text) => /^\d{1,6}$/.test(text),
        'a whole number',
      ),
    ),
    logLevel: oneOf(annotations.logLevel, defaults.logLevel, logLevels),
    cpu: choose(annotations.agentCpu, defaults.cpu, isCpu, 'a CPU quantity between 10m and 8'),
    memory: choose(annotations.agentMemory, defaults.memory, isMemory, 'a memory quantity between 48Mi and 8Gi'),
  };

  const port = annotationOf(pod, annotations.port);
  if (port !== undefined && !namesPort(pod, port)) {
    warnings.push(
      `annotation ${annotations.port} must be a port number or the name of a TCP port of this pod, not "${port.slice(0, 64)}"; choosing one`,
    );
  }
  const inject = annotationOf(pod, annotations.inject);
  if (inject !== undefined && inject !== 'true' && inject !== 'false') {
    warnings.push(
      `annotation ${annotations.inject} must be "true" or "false", not "${inject.slice(0, 64)}"; ignoring it`,
    );
  }
  return { settings, warnings };
}

const factors: Readonly<Record<string, number>> = {
  '': 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
};

/** A quantity as a number, or undefined when it is none that we accept. */
export function quantityOf(text: string): number | undefined {
  if (!quantity.test(text)) return undefined;
  const unit = /[a-zA-Z]*$/.exec(text)![0];
  return Number(text.slice(0, text.length - unit.length)) * factors[unit]!;
}

// An agent starved of CPU slows the very requests it measures; one with less memory than Node needs never starts.
const isCpu = (text: string) => isWithin(quantityOf(text), 0.01, 8) && /^[\d.]+m?$/.test(text);
const isMemory = (text: string) => isWithin(quantityOf(text), 48 * 2 ** 20, 8 * 2 ** 30);
const isWithin = (value: number | undefined, least: number, most: number) =>
  value !== undefined && value >= least && value <= most;
