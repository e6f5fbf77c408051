// What one word stands for. A preset is a set of defaults in the very fields a user would write; whatever the policy says
// itself wins, block by block: `metrics.work` given by the user replaces the preset's, `{ enabled: false }` removes it.
//
// interactive  people wait for words: first token and reading speed are promises, room is kept for what chance and bursts did
//              lately, and given back soon after.
// throughput   programs wait for answers: keep every replica well filled, tolerate a short queue.
// batch        nobody waits: replicas are as full as they get, and leave late because starting them is the dear part.

import type { PresetName } from './policy.ts';
import type { SpecInput } from './schema.ts';

export type PresetDefaults = Pick<SpecInput, 'metrics' | 'cooldownPeriod' | 'scaleUp' | 'scaleDown'>;

export const presets: Readonly<Record<PresetName, PresetDefaults>> = {
  interactive: {
    metrics: {
      timeToFirstToken: { targetP95Ms: 2_000 },
      interTokenLatency: { targetP95Ms: 200 },
      work: { targetUtilization: 95 },
    },
    cooldownPeriod: 60,
    scaleUp: { stabilizationWindowSeconds: 0 },
    scaleDown: { stabilizationWindowSeconds: 180 },
  },
  throughput: {
    metrics: { requestQueueDepth: { enabled: true, targetDepth: 8 }, work: { targetUtilization: 85 } },
    cooldownPeriod: 300,
    scaleUp: { stabilizationWindowSeconds: 30 },
    scaleDown: { stabilizationWindowSeconds: 300 },
  },
  batch: {
    metrics: { requestQueueDepth: { enabled: true, targetDepth: 64 }, work: { targetUtilization: 95 } },
    cooldownPeriod: 600,
    scaleUp: {
      stabilizationWindowSeconds: 60,
      policies: [{ type: 'Percent', value: 50, periodSeconds: 60 }],
    },
    scaleDown: { stabilizationWindowSeconds: 900 },
  },
};
