// The flags of `lab` and `recommend`.
import { type CommandLine, type CommandOption, secondsOption } from '@kubeai/daemon';
import { replayOptions } from '@kubeai/load';
import { knownHardware } from '@kubeai/model-server';
import { z } from 'zod';
import { isRival, type RivalName, rivalNames } from './contenders.ts';
import { shapeNames } from './shapes.ts';
import { usualWire } from './wire.ts';

const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .refine((text) => /^\d+$/.test(text) && Number(text) >= least && Number(text) <= most, {
      error: `must be a whole number between ${least} and ${most}`,
    })
    .transform(Number);

const share = z
  .string()
  .refine((text) => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 1, {
    error: 'must be a share from 0 to 1',
  })
  .transform(Number);

const rivals = z
  .string()
  .transform((text) => text.split(',').filter((name) => name !== ''))
  .superRefine((names, context) => {
    for (const name of names.filter((each) => !isRival(each))) {
      context.addIssue({ code: 'custom', message: `knows no "${name}"; there are ${rivalNames.join(', ')}` });
    }
  })
  .transform((names) => names as RivalName[]);

const namesOf = (key: 'model' | 'gpu') => [...new Set(knownHardware.map((hardware) => hardware[key]))].join(' or ');

/** What is played. */
export const traceOptions = {
  trace: {
    value: 'FILE',
    describe: `requests, rates, counts or a journal (see README.md), or ${shapeNames.join(', ')}`,
    schema: z.string(),
  },
  tokens: { value: 'FILE', describe: 'token lengths beside a file of rates', schema: z.string().optional() },
  of: {
    value: 'POLICY',
    describe: 'whose decisions, where --trace is the journal of several policies: NAMESPACE/NAME',
    schema: z.string().optional(),
  },
} as const satisfies Record<string, CommandOption>;

/** In which world. */
export const settingOptions = {
  model: {
    value: 'NAME',
    describe: namesOf('model'),
    schema: z.string().default('llama2-70b'),
    fallback: 'llama2-70b',
  },
  gpu: { value: 'NAME', describe: namesOf('gpu'), schema: z.string().default('h100'), fallback: 'h100' },
  tensorParallel: {
    value: 'COUNT',
    describe: 'GPUs a replica',
    schema: wholeNumber(1, 64).default(8),
    fallback: '8',
  },
  maxBatch: {
    value: 'COUNT',
    describe: 'sequences that run together',
    schema: wholeNumber(1, 512).default(32),
    fallback: '32',
  },
  maxReplicas: {
    value: 'COUNT',
    describe: 'replicas for which there are GPUs',
    schema: wholeNumber(1, 1_000).default(100),
    fallback: '100',
  },
  standing: {
    value: 'COUNT',
    describe: 'of them, those whose nodes stand ready; for each further one a node must come first',
    schema: wholeNumber(0, 1_000).optional(),
    fallback: 'all',
  },
  nodeArrival: {
    value: 'SECONDS',
    describe: 'from a replica without GPUs to its node, before its own start begins',
    schema: secondsOption(180, 1),
    fallback: '180',
  },
  reportLoss: {
    value: 'SHARE',
    describe:
      "agents' reports that find their connection broken, and come when there is a new one; at 1 none ever comes",
    schema: share.default(usualWire.lossShare),
    fallback: String(usualWire.lossShare),
  },
  reportDelay: {
    value: 'SECONDS',
    describe: 'what a report takes on average; single ones half to twice of it',
    schema: secondsOption(usualWire.delayMs / 1_000),
    fallback: String(usualWire.delayMs / 1_000),
  },
  startUp: {
    value: 'SECONDS',
    describe: 'from a new pod to its readiness',
    schema: secondsOption(120, 1),
    fallback: '120',
  },
  balancer: {
    value: 'NAME',
    describe: 'leastRequests or roundRobin',
    schema: z
      .enum(['leastRequests', 'roundRobin'], { error: 'must be leastRequests or roundRobin' })
      .default('leastRequests'),
    fallback: 'leastRequests',
  },
  patience: {
    value: 'SECONDS',
    describe: 'a client without a token leaves after so long',
    schema: secondsOption(60, 1),
    fallback: '60',
  },
  firstToken: {
    value: 'SECONDS',
    describe: 'what is promised: the first token',
    schema: secondsOption(2, 0.01),
    fallback: '2',
  },
  perToken: {
    value: 'SECONDS',
    describe: 'and each further one, on average',
    schema: secondsOption(0.2, 0.001),
    fallback: '0.2',
  },
  from: {
    value: 'SECONDS',
    describe: 'leaves out the beginning of the trace',
    schema: secondsOption(0),
    fallback: '0',
  },
  warmUp: {
    value: 'SECONDS',
    describe: 'at the beginning everybody plays and nobody is judged',
    schema: secondsOption(0),
    fallback: '0',
  },
  copies: {
    value: 'COUNT',
    describe: 'copies of each request, moved by up to 30 s',
    schema: wholeNumber(1, 1_000).default(1),
    fallback: '1',
  },
  ...replayOptions,
  seed: {
    ...replayOptions.seed,
    describe: 'chance: what --thin keeps, what is drawn from rates, how long each start takes',
  },
} as const satisfies Record<string, CommandOption>;

/** Requests from which on single values of a grid are dear enough to be searched for. */
export const longTrace = 500_000;

export const labLine = {
  name: 'kubeai lab',
  summary: 'Plays recorded traffic against a policy and its rivals on a virtual clock, and shows misses and cost.',
  options: {
    ...traceOptions,
    policy: {
      value: 'FILES',
      describe: 'policies to judge, YAML, separated by commas',
      schema: z
        .string()
        .transform((text) => text.split(','))
        .optional(),
      fallback: 'preset interactive',
    },
    rivals: {
      value: 'NAMES',
      describe: `who else: ${rivalNames.join(', ')}`,
      schema: rivals.default(['hpa-concurrency', 'keda', 'kpa', 'static', 'clairvoyant']),
      fallback: 'hpa-concurrency,keda,kpa,static,clairvoyant',
    },
    ...settingOptions,
    curves: {
      describe: "also tries other targets of work, for the policies' own curves; --html does so by itself",
      schema: z.stringbool().default(false),
    },
    wholeGrids: {
      describe: `plays every value of each rival's knob; beyond ${longTrace} requests only those are played that tell something`,
      schema: z.stringbool().default(false),
    },
    html: { value: 'FILE', describe: 'writes one self-contained page', schema: z.string().optional() },
    json: { value: 'FILE', describe: 'writes everything measured', schema: z.string().optional() },
  },
} as const satisfies CommandLine<Record<string, CommandOption>>;

export const recommendLine = {
  name: 'kubeai recommend',
  summary: 'Proposes a policy for recorded traffic, with what it may be expected to keep and to cost, as YAML.',
  options: {
    ...traceOptions,
    goal: {
      value: 'SHARE',
      describe: 'requests that must be within the promise',
      schema: share.default(0.99),
      fallback: '0.99',
    },
    target: {
      value: 'NAME',
      describe: 'the Deployment that the policy is for',
      schema: z
        .string()
        .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'must be the name of a Deployment: lower case, digits and -')
        .default('model-server'),
      fallback: 'model-server',
    },
    output: {
      value: 'FILE',
      describe: 'writes the policy there instead of printing it',
      schema: z.string().optional(),
    },
    ...settingOptions,
  },
} as const satisfies CommandLine<Record<string, CommandOption>>;
