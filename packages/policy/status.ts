// What the controller writes back: the sizes, the signals, the last decisions with their reasons, the conditions, and the
// little it must remember to be as careful after a restart as before it. Bounded everywhere; large or fast data is not
// here but in the journal and in /metrics. There is no phase: conditions say it better.
import { z } from 'zod';
import { limits } from './limits.ts';

const moment = z.iso.datetime({ offset: true });
const size = z.int().min(0);
const measured = z.number().optional();
const reason = z.string().max(63).describe('One word of a closed list; the policy reference explains each.');
const message = z.string().max(limits.messageLength);
const open = { 'x-kubernetes-preserve-unknown-fields': true };

const decision = z
  .looseObject({
    at: moment.optional().describe('When it was made.'),
    from: size.optional().describe('Replicas before.'),
    to: size.optional().describe('Replicas wanted.'),
    reason: reason.optional(),
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
        latencyP99Ms: measured,
        latencyP95Ms: measured,
        timeToFirstTokenP99Ms: measured,
        timeToFirstTokenP95Ms: measured,
        interTokenLatencyP99Ms: measured,
        interTokenLatencyP95Ms: measured,
        gpuUtilizationPercent: measured,
        requestQueueDepth: measured,
        concurrency: measured,
        tokensPerSecond: measured,
        workPercent: measured,
        kvCacheUtilizationPercent: measured,
        gpuMemoryPercent: measured,
        cpuUtilizationPercent: measured,
        memoryUtilizationPercent: measured,
      })
      .optional()
      .describe('What was measured last. A metric that is absent was not measured; absent is not zero.'),
    signals: z
      .array(
        z.object({
          name: z.string().max(80),
          state: z.enum(['value', 'idle', 'stale', 'missing']),
          value: measured,
          target: measured,
          ageMs: measured,
          source: z.string().max(63).optional(),
          cause: z.string().max(limits.messageLength).optional(),
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
          type: z.string().max(316),
          status: z.enum(['True', 'False', 'Unknown']),
          observedGeneration: z.int().optional(),
          lastTransitionTime: moment,
          reason: z.string().min(1).max(1_024),
          message: z.string().max(32_768),
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
          .array(z.object({ at: moment, replicas: size }))
          .max(limits.recommendations)
          .optional()
          .describe('Unconstrained recommendations inside the stabilisation windows.'),
        scaleEvents: z
          .array(z.object({ at: moment, from: size, to: size }))
          .max(limits.scaleEvents)
          .optional()
          .describe('Changes of size inside the longest policy period and the cooldown.'),
        learnedStartup: z
          .object({ p50Ms: z.number(), p90Ms: z.number(), samples: z.int() })
          .optional()
          .describe('How long replicas took from requested to serving.'),
      })
      .meta(open)
      .optional()
      .describe('What decisions need after a restart of the controller.'),
  })
  .meta({ description: 'What the controller found and did.' });

export type PolicyStatus = z.output<typeof statusSchema>;
