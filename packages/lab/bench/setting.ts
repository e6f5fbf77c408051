// What every case of the bench has in common: one kind of replica, one promise, and clients that leave.
import { serviceTimes } from '@kubeai/model-server';
import type { StudyOptions } from '../study.ts';
import { usualWire } from '../wire.ts';

const hardware = { model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 };

export const setting = {
  hardware,
  times: serviceTimes(hardware)!,
  maxBatch: 32,
  maxReplicas: 100,
  nodes: { standing: 100, arrivalMs: 0 },
  wire: usualWire,
  balancer: 'leastRequests',
  patienceMs: 60_000,
  promise: { firstTokenMs: 2_000, perTokenMs: 200 },
  curves: false,
} as const satisfies Partial<StudyOptions>;
