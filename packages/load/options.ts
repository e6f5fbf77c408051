// The flags of `load`.
import { type CommandLine, type CommandOption, optionalSecondsOption, secondsOption } from '@kubeai/daemon';
import { z } from 'zod';

const number = (must: string, fits: (value: number) => boolean) =>
  z
    .string()
    .refine((text) => text.trim() !== '' && fits(Number(text)), must)
    .transform(Number);

const positive = number('must be a number above 0', (value) => value > 0 && Number.isFinite(value));
const whole = (least: number) =>
  number(`must be a whole number of at least ${least}`, (value) => Number.isSafeInteger(value) && value >= least);

const serverUrl = z
  .string()
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'http:', 'must be a URL that begins with http://');

/** Which part of a trace is replayed, and how fast: the same words for every command that replays. */
export const replayOptions = {
  speed: { value: 'FACTOR', describe: 'so many times faster', schema: positive.default(1), fallback: '1' },
  thin: {
    value: 'SHARE',
    describe: 'keeps this share of the requests, chosen by --seed',
    schema: number('must be a share above 0, at most 1', (value) => value > 0 && value <= 1).default(1),
    fallback: '1',
  },
  seed: { value: 'NUMBER', describe: 'which requests --thin keeps', schema: whole(0).default(1), fallback: '1' },
  limit: { value: 'COUNT', describe: 'at most so many requests', schema: whole(1).optional() },
  duration: { value: 'SECONDS', describe: 'sends nothing after so long', schema: optionalSecondsOption() },
} as const satisfies Record<string, CommandOption>;

export const loadLine = {
  name: 'load',
  summary: 'Replays recorded arrivals against an OpenAI-compatible server and reports what its users would have seen.',
  options: {
    trace: { value: 'FILE', describe: 'CSV or JSON lines, plain or .gz (see README.md)', schema: z.string() },
    url: { value: 'URL', describe: 'the server, such as http://127.0.0.1:8000', schema: serverUrl },
    model: { value: 'NAME', describe: 'what requests call the model', schema: z.string().optional() },
    ...replayOptions,
    timeout: {
      value: 'SECONDS',
      describe: 'gives up an answer after so long',
      schema: secondsOption(300, 0.001),
      fallback: '300',
    },
    json: {
      value: 'FILE',
      describe: 'writes the report with every request to this file',
      schema: z.string().optional(),
    },
  },
} as const satisfies CommandLine<Record<string, CommandOption>>;
