// The flags of the model server, and the configuration they add up to.
import {
  type CommandLine,
  type CommandOption,
  logLevelOption,
  type OptionValues,
  portOption,
  secondsOption,
} from '@kubeai/daemon';
import type { FieldProblem, Result } from '@kubeai/units';
import { type ZodType, z } from 'zod';
import { blockTokens, kvBlocksOf } from './kv-memory.ts';
import type { ModelServerConfig } from './model-server.ts';
import { type Hardware, knownHardware, serviceTimes } from './service-times.ts';

const namesOf = (key: 'model' | 'gpu') => [...new Set(knownHardware.map((hardware) => hardware[key]))];

const numberOption = (must: string, fits: (value: number) => boolean) =>
  z
    .string()
    .refine((text) => text.trim() !== '' && fits(Number(text)), must)
    .transform(Number);

const atLeast = (least: number) =>
  numberOption(`must be a whole number of at least ${least}`, (value) => Number.isSafeInteger(value) && value >= least);

const factor: ZodType<number> = numberOption(
  'must be a factor above 0, at most 1000',
  (value) => value > 0 && value <= 1_000,
).default(1);

export const modelServerLine = {
  name: 'model-server',
  summary: 'An OpenAI-compatible server that spends the measured times of a model on GPUs and writes filler text.',
  options: {
    host: {
      value: 'ADDRESS',
      describe: 'where to listen',
      schema: z.string().default('0.0.0.0'),
      environment: 'HOST',
      fallback: '0.0.0.0',
    },
    port: {
      value: 'PORT',
      describe: 'where to listen; 0 lets the system choose',
      schema: portOption(8_000),
      environment: 'PORT',
      fallback: '8000',
    },
    model: {
      value: 'NAME',
      describe: `whose times to spend: ${namesOf('model').join(' or ')}`,
      schema: z.string().default('llama2-70b'),
      environment: 'MODEL',
      fallback: 'llama2-70b',
    },
    servedModelName: {
      value: 'NAME',
      describe: 'what requests and metrics call the model',
      schema: z.string().min(1).optional(),
      environment: 'SERVED_MODEL_NAME',
      fallback: '--model',
    },
    gpu: {
      value: 'NAME',
      describe: `on which cards: ${namesOf('gpu').join(' or ')}`,
      schema: z.string().default('h100'),
      environment: 'GPU',
      fallback: 'h100',
    },
    tensorParallel: {
      value: 'COUNT',
      describe: 'how many cards share the model',
      schema: atLeast(1).default(8),
      environment: 'TENSOR_PARALLEL',
      fallback: '8',
    },
    maxBatch: {
      value: 'COUNT',
      describe: 'sequences that run together',
      schema: atLeast(1).default(32),
      environment: 'MAX_BATCH',
      fallback: '32',
    },
    maxQueue: {
      value: 'COUNT',
      describe: 'requests that may wait; one more is answered 429',
      schema: atLeast(0).default(1_024),
      environment: 'MAX_QUEUE',
      fallback: '1024',
    },
    maxBatchedTokens: {
      value: 'COUNT',
      describe: 'tokens in one step; longer prompts are read in chunks',
      schema: atLeast(1).default(2_048),
      environment: 'MAX_BATCHED_TOKENS',
      fallback: '2048',
    },
    maxModelLength: {
      value: 'TOKENS',
      describe: 'prompt and answer together',
      schema: atLeast(2).default(16_384),
      environment: 'MAX_MODEL_LENGTH',
      fallback: '16384',
    },
    kvBlocks: {
      value: 'COUNT',
      describe: `KV memory in blocks of ${blockTokens} tokens`,
      schema: atLeast(1).optional(),
      environment: 'KV_BLOCKS',
      fallback: 'what the cards leave free',
    },
    startupSeconds: {
      value: 'SECONDS',
      describe: 'how long the model loads; /health answers 503 meanwhile',
      schema: secondsOption(0),
      environment: 'STARTUP_SECONDS',
      fallback: '0',
    },
    speed: {
      value: 'FACTOR',
      describe: 'makes everything so many times faster, loading included',
      schema: factor,
      environment: 'SPEED',
      fallback: '1',
    },
    seed: {
      value: 'NUMBER',
      describe: 'which requests the error rates of /admin/fault hit',
      schema: atLeast(0).default(1),
      environment: 'SEED',
      fallback: '1',
    },
    drainSeconds: {
      value: 'SECONDS',
      describe: 'how long answers under way may take after SIGTERM',
      schema: secondsOption(60),
      environment: 'DRAIN_SECONDS',
      fallback: '60',
    },
    logLevel: {
      value: 'LEVEL',
      describe: 'how much to say',
      schema: logLevelOption('info'),
      environment: 'LOG_LEVEL',
      fallback: 'info',
    },
  },
} as const satisfies CommandLine<Record<string, CommandOption>>;

export type ModelServerOptions = OptionValues<(typeof modelServerLine)['options']>;

/** Checks what no single flag can know: that somebody measured this model on these cards, and that the batch fits. */
export function configOf(options: ModelServerOptions): Result<ModelServerConfig, FieldProblem> {
  const { model, maxBatch, maxBatchedTokens } = options;
  const times = serviceTimes(options);
  const problems: FieldProblem[] = [];
  if (times === undefined) {
    const asked = `${model} on ${options.tensorParallel} × ${options.gpu}`;
    problems.push({
      field: '--model',
      message: `${asked} was not measured; there is ${knownHardware.map(say).join(', ')}`,
    });
  }
  if (maxBatchedTokens < maxBatch) {
    problems.push({ field: '--max-batched-tokens', message: `must not be below --max-batch (${maxBatch})` });
  }
  if (times === undefined || problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    value: {
      model: options.servedModelName ?? model,
      maxModelLength: options.maxModelLength,
      startup: options.startupSeconds,
      seed: options.seed,
      engine: {
        times,
        maxBatch,
        maxQueue: options.maxQueue,
        maxBatchedTokens,
        kvBlocks: options.kvBlocks ?? kvBlocksOf(options),
        blockTokens,
        speed: options.speed,
      },
    },
  };
}

const say = ({ model, gpu, tensorParallel }: Hardware) => `${model} on ${tensorParallel} × ${gpu}`;
