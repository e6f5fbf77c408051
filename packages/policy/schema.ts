// The one schema of an AIInferenceAutoscalerPolicy. The TypeScript types, the parser, the webhook's answers and the
// CustomResourceDefinition all come from it, so they cannot disagree. Descriptions are what `kubectl explain aiap.spec`
// prints. A default stands here only where no preset may change it; the others are applied by the parser, because a
// default written into the stored object could no longer be told from a user's wish.
import { z } from 'zod';
import { limits } from './limits.ts';
import { celOf, type Rule, rules } from './rules.ts';

const withRules = (list: readonly Rule[]) => ({ 'x-kubernetes-validations': celOf(list) });

const replicas = (least: number) => z.int().min(least).max(limits.replicas);
const windowSeconds = z.int().min(0).max(limits.windowSeconds);
const latencyMs = z.number().gt(0).max(limits.latencyMs);
const percentage = z.number().min(1).max(100);
const name = z.string().min(1).max(limits.nameLength);
const query = z
  .string()
  .min(1)
  .max(limits.queryLength)
  .describe('PromQL that gives one number: a scalar, or a vector of one series.');
const source = z
  .enum(['auto', 'agents', 'prometheus'])
  .default('auto')
  .describe('Where the value comes from. auto prefers the agents and takes Prometheus where they are silent.');
const enabled = (byDefault: boolean) =>
  z.boolean().default(byDefault).describe('Whether this metric takes part in decisions.');
const secretKey = z.object({
  name: name.describe("A Secret in the policy's namespace."),
  key: z.string().min(1).max(limits.secretKeyLength).describe('A key of that Secret.'),
});

const latencyBlock = (what: string) =>
  z
    .object({
      enabled: enabled(true),
      targetP99Ms: latencyMs.optional().describe(`What 99 of 100 requests must stay below: ${what}, in milliseconds.`),
      targetP95Ms: latencyMs.optional().describe(`What 95 of 100 requests must stay below: ${what}, in milliseconds.`),
      prometheusQuery: query.optional(),
      source,
    })
    .meta(withRules(rules.latencyTarget));

const utilizationBlock = (what: string) =>
  z
    .object({
      enabled: enabled(true),
      targetPercentage: percentage.optional().describe(`${what}, in percent.`),
      prometheusQuery: query.optional(),
      source,
    })
    .meta(withRules(rules.percentageTarget));

const perReplicaBlock = (what: string) =>
  z
    .object({
      enabled: enabled(true),
      targetPerReplica: z.number().gt(0).max(1e9).optional().describe(what),
      prometheusQuery: query.optional(),
      source,
    })
    .meta(withRules(rules.perReplicaTarget));

const metrics = z.object({
  latency: latencyBlock('the whole request')
    .optional()
    .describe('Latency of whole requests, from the first byte in to the last byte out.'),
  timeToFirstToken: latencyBlock('time to the first token')
    .optional()
    .describe('How long a user looks at an empty answer: from the request to its first token.'),
  interTokenLatency: latencyBlock('time between two tokens')
    .optional()
    .describe('How fast an answer reads: the gap between two tokens.'),
  gpuUtilization: z
    .object({
      enabled: enabled(true),
      targetPercentage: percentage.default(80).describe('Mean GPU utilisation to hold, in percent.'),
      prometheusQuery: query.optional(),
      source,
    })
    .optional()
    .describe(
      'Share of time in which the GPU ran at least one kernel. It says busy, not full: prefer work or concurrency for language models.',
    ),
  requestQueueDepth: z
    .object({
      enabled: enabled(false),
      targetDepth: z
        .number()
        .min(0)
        .max(1e9)
        .default(10)
        .describe('Requests that may wait, per replica. 0 counts as 1: a queue that is always empty cannot be bought.'),
      prometheusQuery: query.optional(),
      source,
    })
    .optional()
    .describe('Requests that wait for a place in the engine.'),
  concurrency: perReplicaBlock('Requests in flight that one replica carries.')
    .optional()
    .describe('Requests in flight, waiting ones included.'),
  tokensPerSecond: perReplicaBlock('Generated tokens a second that one replica delivers.')
    .optional()
    .describe('Tokens generated a second.'),
  work: z
    .object({
      enabled: enabled(true),
      targetUtilization: percentage
        .default(80)
        .describe("Share of a replica's time that arriving work may fill, in percent."),
      source,
    })
    .optional()
    .describe(
      'Token work: learned prefill and decode seconds a token, times the tokens that arrive, plus the backlog.',
    ),
  kvCacheUtilization: utilizationBlock('Mean use of the KV cache to hold')
    .optional()
    .describe("Use of the engine's KV cache."),
  gpuMemory: utilizationBlock('Mean GPU memory in use to hold')
    .optional()
    .describe(
      'GPU memory in use. Means nothing for engines that take all memory at start (vLLM, SGLang, TensorRT-LLM).',
    ),
  cpuUtilization: utilizationBlock("Mean use of the container's CPU limit to hold")
    .optional()
    .describe('CPU of the serving container.'),
  memoryUtilization: utilizationBlock("Mean use of the container's memory limit to hold")
    .optional()
    .describe('Memory of the serving container.'),
  custom: z
    .array(
      z
        .object({
          name: z
            .string()
            .min(1)
            .max(63)
            .regex(/^[a-zA-Z][a-zA-Z0-9_-]*$/)
            .describe('A name of your own; it appears as custom:NAME in status and explanations.'),
          prometheusQuery: query.optional(),
          agentMetric: z
            .string()
            .min(1)
            .max(limits.nameLength)
            .optional()
            .describe('A metric that the agents report, by name.'),
          target: z.number().gt(0).max(1e15).describe('The value to hold, in the unit of the metric.'),
          type: z
            .enum(['Value', 'AverageValue'])
            .default('AverageValue')
            .describe(
              'AverageValue: the total, divided by replicas, is held at the target. Value: the value itself is.',
            ),
        })
        .meta(withRules(rules.customMetric)),
    )
    .max(limits.customMetrics)
    .optional()
    .meta({
      description: 'Metrics of your own.',
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    }),
});

const scalingRules = (direction: 'up' | 'down', byDefault: string) =>
  z.object({
    stabilizationWindowSeconds: windowSeconds
      .optional()
      .describe(
        direction === 'up'
          ? 'The lowest recommendation of this long counts before growing. Default 0: grow at once.'
          : 'The highest recommendation of this long counts before shrinking. Default 300.',
      ),
    tolerance: z
      .number()
      .min(0)
      .max(1)
      .optional()
      .describe(
        direction === 'up'
          ? 'Share by which a metric may be off its target without any change; of work less where replicas take more than a minute and a half to start. Default 0.1.'
          : 'Share by which a metric may be off its target without any change. Default 0.2.',
      ),
    selectPolicy: z
      .enum(['Max', 'Min', 'Disabled'])
      .optional()
      .describe(
        'Which of the policies holds: the one that allows most (Max), least (Min), or no change in this direction (Disabled). Default Max.',
      ),
    policies: z
      .array(
        z.object({
          type: z.enum(['Pods', 'Percent']).describe('Whether value counts pods or percent of the current size.'),
          value: z.int().min(1).max(limits.replicas).describe('How much may change within the period.'),
          periodSeconds: z.int().min(1).max(1_800).describe('The period, in seconds.'),
        }),
      )
      .max(limits.scalingPolicies)
      .optional()
      .describe(`How fast the size may change. Default: ${byDefault}.`),
  });

export const specSchema = z
  .object({
    targetRef: z
      .object({
        apiVersion: z.string().min(1).max(limits.nameLength).default('apps/v1').describe('API version of the target.'),
        kind: z.string().min(1).max(63).describe('Deployment, StatefulSet, or any kind with a /scale subresource.'),
        name: name.describe('Name of the target, in the namespace of the policy.'),
      })
      .describe('What is scaled.'),
    minReplicas: replicas(0).default(1).describe('Never fewer replicas than this. 0 allows scaling to zero.'),
    maxReplicas: replicas(1).describe('Never more replicas than this.'),
    preset: z
      .enum(['interactive', 'throughput', 'batch'])
      .optional()
      .describe('Defaults for everything below from one word. What the policy says itself wins over the preset.'),
    metrics: metrics
      .optional()
      .describe(
        'What is measured and what it should be. At least one metric must be enabled, unless there is a preset.',
      ),
    cooldownPeriod: windowSeconds
      .optional()
      .describe(
        'Seconds after a change of size in which the target does not shrink. Growth is never held back. Default 300.',
      ),
    scaleUp: scalingRules('up', 'the larger of 4 pods and 100 % in 15 s').optional().describe('How the target grows.'),
    scaleDown: scalingRules('down', 'the larger of 1 pod and 25 % in 60 s')
      .optional()
      .describe('How the target shrinks.'),
    algorithm: z
      .object({
        name: z
          .string()
          .min(1)
          .max(63)
          .default('MaxRatio')
          .describe(
            'MaxRatio, AverageRatio, WeightedRatio or the name of a plugin. An unknown name falls back to MaxRatio with a condition.',
          ),
        tolerance: z
          .number()
          .min(0)
          .max(1)
          .optional()
          .describe('Tolerance of both directions, where scaleUp.tolerance and scaleDown.tolerance say nothing.'),
        weights: z
          .union([z.array(z.number().min(0).max(1e6)).max(4), z.record(z.string().max(80), z.number().min(0).max(1e6))])
          .optional()
          .meta({
            description:
              'Weights for WeightedRatio: a map by metric name, or a list in the order latencyP99, latencyP95, gpuUtilization, requestQueueDepth. A missing metric does not shift the list.',
            'x-kubernetes-preserve-unknown-fields': true,
          }),
        plugin: z
          .object({
            module: z
              .string()
              .min(1)
              .max(limits.urlLength)
              .optional()
              .describe("Path of an ES module on the controller's file system."),
            url: z
              .url({ protocol: /^https?$/ })
              .max(limits.urlLength)
              .optional()
              .describe('An HTTP endpoint that takes the signals and answers with replicas.'),
            timeoutSeconds: z
              .number()
              .gt(0)
              .max(10)
              .default(1)
              .describe('How long an answer may take before MaxRatio decides.'),
          })
          .meta(withRules(rules.plugin))
          .optional()
          .describe('Where the algorithm comes from when it is not one of ours.'),
      })
      .optional()
      .describe('How the proposals of several metrics become one number.'),
    prediction: z
      .object({
        mode: z
          .enum(['Off', 'Observe', 'On'])
          .default('Off')
          .describe('Observe computes and shows a forecast; On also uses it, as a floor only.'),
        horizonSeconds: z
          .int()
          .min(1)
          .max(limits.windowSeconds)
          .optional()
          .describe('How far to look ahead. Default: the learned start-up time.'),
      })
      .optional()
      .describe('Forecasting.'),
    fallback: z
      .object({
        failureThreshold: z
          .int()
          .min(1)
          .max(1_000)
          .default(3)
          .describe('Rounds in a row without a usable signal before the behaviour takes hold.'),
        behavior: z
          .enum(['hold', 'static', 'staticIfHigher'])
          .default('hold')
          .describe('hold keeps the size; static takes replicas; staticIfHigher takes replicas if that is more.'),
        replicas: replicas(0).optional().describe('The size that static and staticIfHigher take.'),
      })
      .meta(withRules(rules.fallback))
      .optional()
      .describe('What to do when every signal is lost.'),
    mode: z
      .enum(['Observe', 'Recommend', 'Active'])
      .default('Active')
      .describe('Observe only measures; Recommend also decides and says so in status; Active also scales.'),
    paused: z.boolean().default(false).describe('Holds the size where it is while true.'),
    pausedDirection: z.enum(['Both', 'Up', 'Down']).default('Both').describe('Which direction paused holds.'),
    schedule: z
      .array(
        z
          .object({
            name: z.string().min(1).max(63).describe('A name of your own, shown where the entry is the reason.'),
            cron: z.string().min(1).max(120).describe('When the entry starts to hold: five cron fields.'),
            timeZone: z.string().min(1).max(64).default('UTC').describe('IANA time zone of cron.'),
            durationSeconds: z.int().min(60).max(limits.scheduleSeconds).describe('How long the entry holds.'),
            minReplicas: replicas(0).optional().describe('Replaces minReplicas while the entry holds.'),
            maxReplicas: replicas(1).optional().describe('Replaces maxReplicas while the entry holds.'),
          })
          .meta(withRules(rules.scheduleEntry)),
      )
      .max(limits.scheduleEntries)
      .optional()
      .meta({
        description:
          'Other bounds at other times. Where entries overlap, the highest minimum and the lowest maximum hold.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    drain: z
      .object({
        maxSeconds: z
          .int()
          .min(0)
          .max(limits.windowSeconds)
          .default(300)
          .describe('How long a leaving replica may take to finish its streams.'),
      })
      .optional()
      .describe('How replicas leave.'),
    gpu: z
      .object({
        perReplica: z.number().gt(0).max(1_024).optional().describe('GPUs that one replica takes. Default 1.'),
        priority: z
          .int()
          .min(-1_000_000)
          .max(1_000_000)
          .default(0)
          .describe('Who grows first when a budget is short: the higher number. Nothing that runs is taken away.'),
        budget: name
          .optional()
          .describe(
            'Name of the budget that these GPUs are counted in, of those that the controller is started with (--gpu-budgets).',
          ),
      })
      .optional()
      .describe('GPUs, where they are short.'),
    engine: z
      .string()
      .min(1)
      .max(63)
      .regex(/^[a-z0-9][a-z0-9-]*$/)
      .default('auto')
      .describe(
        'Which engine serves: auto, or vllm, sglang, tgi, triton, tensorrt-llm, llama-cpp, ollama, nim, dynamo.',
      ),
    prometheus: z
      .object({
        url: z
          .url({ protocol: /^https?$/ })
          .max(limits.urlLength)
          .optional()
          .describe("Another server than the controller's own."),
        intervalSeconds: z.number().min(1).max(3_600).default(15).describe('How often the queries run.'),
        timeoutSeconds: z.number().gt(0).max(60).default(5).describe('How long one query may take.'),
        bearerToken: secretKey.optional().describe('A bearer token.'),
        basicAuth: z
          .object({ username: secretKey.describe('The user.'), password: secretKey.describe('The password.') })
          .optional()
          .describe('Basic authentication.'),
        certificateAuthority: secretKey
          .optional()
          .describe('The certificate authority (PEM) that the server must be signed by.'),
      })
      .meta(withRules(rules.prometheus))
      .optional()
      .describe('Where and how the prometheusQuery of this policy runs.'),
  })
  .meta({
    description: 'What the user asks for.',
    ...withRules(rules.spec),
  });

export type SpecInput = z.input<typeof specSchema>;
export type Spec = z.output<typeof specSchema>;
