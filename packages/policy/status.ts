// What the controller writes back: the sizes, the signals, the last decisions with their reasons, the conditions, and the
// little it must remember to be as careful after a restart as before it. Bounded everywhere; large or fast data is not
// here but in the journal and in /metrics. There is no phase: conditions say it better.
import { z } from 'zod';
import { limits } from './limits.ts';

const moment = z.iso.datetime({ offset: true });
const size = z.int().min(0);
const measured = z.number().optional();
const reason = z.string().max(63);
const message = z.string().max(limits.messageLength);
const open = { 'x-kubernetes-preserve-unknown-fields': true };

const decision = z
  .looseObject({
    at: moment.optional().describe('When it was made.'),
    from: size.optional().describe('Replicas before.'),
    to: size.optional().describe('Replicas wanted.'),
    reason: reason.optional().describe('One word of a closed list; the policy reference explains each.'),
    message: message.optional().describe('The same in a sentence.'),
  })
  .meta(open);

export const statusSchema = z
  .object({
    observedGeneration: z.int().optional().describe('The generation of the policy that this status is about.'),
    currentReplicas: size.optional().describe('Replicas the target asks for now.'),
    desiredReplicas: size.optional().describe('Replicas the last decision wants.'),
    readyReplicas: size.optional().describe('Replicas that serve.'),
    lastScaleTime: moment.optional().describe('When the size was last changed.'),
    lastAlgorithm: z
      .string()
      .max(63)
      .optional()
      .describe('The algorithm that made the last decision, after any fall-back.'),
    currentMetrics: z
      .object({
        latencyP99Ms: measured.describe('p99 of whole answers, in milliseconds.'),
        latencyP95Ms: measured.describe('p95 of whole answers, in milliseconds.'),
        timeToFirstTokenP99Ms: measured.describe('p99 of the wait for the first token, in milliseconds.'),
        timeToFirstTokenP95Ms: measured.describe('p95 of the wait for the first token, in milliseconds.'),
        interTokenLatencyP99Ms: measured.describe('p99 of the gap between tokens, in milliseconds.'),
        interTokenLatencyP95Ms: measured.describe('p95 of the gap between tokens, in milliseconds.'),
        gpuUtilizationPercent: measured.describe('Mean GPU utilisation.'),
        requestQueueDepth: measured.describe('Requests that wait, over all replicas.'),
        concurrency: measured.describe('Requests in flight, over all replicas.'),
        tokensPerSecond: measured.describe('Tokens a second, over all replicas.'),
        workPercent: measured.describe('Work that arrives, in percent of what the replicas can do.'),
        kvCacheUtilizationPercent: measured.describe('KV cache in use.'),
        gpuMemoryPercent: measured.describe('GPU memory in use.'),
        cpuUtilizationPercent: measured.describe('CPU of the container in use.'),
        memoryUtilizationPercent: measured.describe('Memory of the container in use.'),
      })
      .optional()
      .describe('What was measured last. A metric that is absent was not measured; absent is not zero.'),
    signals: z
      .array(
        z.object({
          name: z.string().max(80).describe('The metric.'),
          state: z.enum(['value', 'idle', 'stale', 'missing']).describe('Only a value and idle are fresh.'),
          value: measured.describe('In the unit of the target.'),
          target: measured.describe('What the policy asks for.'),
          ageMs: measured.describe('How old the value is.'),
          source: z.string().max(63).optional().describe('Where the value comes from.'),
          cause: z.string().max(limits.messageLength).optional().describe('Why there is no fresh value.'),
        }),
      )
      .max(limits.signals)
      .optional()
      .meta({
        description: 'Each metric of the policy, folded over its pods, with its age and source.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['name'],
      }),
    lastDecision: decision.optional().describe('The last decision, with each step of why.'),
    decisions: z
      .array(decision)
      .max(limits.decisions)
      .optional()
      .describe('The last decisions that changed something, newest first.'),
    conditions: z
      .array(
        z.object({
          type: z.string().max(316).describe('What it is about.'),
          status: z.enum(['True', 'False', 'Unknown']).describe('Whether it holds.'),
          observedGeneration: z.int().optional().describe('The generation of the policy that was looked at.'),
          lastTransitionTime: moment.describe('When the status last changed.'),
          reason: z.string().min(1).max(1_024).describe('Why, in one word.'),
          message: z.string().max(32_768).describe('Why, in a sentence.'),
        }),
      )
      .max(limits.conditions)
      .optional()
      .meta({
        description: 'Ready sums up the others.',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
      }),
    history: z
      .looseObject({
        recommendations: z
          .array(z.object({ at: moment.describe('When.'), replicas: size.describe('Replicas recommended.') }))
          .max(limits.recommendations)
          .optional()
          .describe('Unconstrained recommendations inside the stabilisation windows.'),
        scaleEvents: z
          .array(
            z.object({
              at: moment.describe('When.'),
              from: size.describe('Replicas before.'),
              to: size.describe('Replicas after.'),
            }),
          )
          .max(limits.scaleEvents)
          .optional()
          .describe('Changes of size inside the longest policy period and the cooldown.'),
        learnedStartup: z
          .object({
            p50Ms: z.number().describe('Median, in milliseconds.'),
            p90Ms: z.number().describe('90th percentile, in milliseconds.'),
            samples: z.int().describe('Starts that were seen.'),
          })
          .optional()
          .describe('How long replicas took from requested to serving.'),
      })
      .meta(open)
      .optional()
      .describe('What decisions need after a restart of the controller.'),
  })
  .meta({ description: 'What the controller found and did.' });

export type PolicyStatus = z.output<typeof statusSchema>;
