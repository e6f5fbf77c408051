// The latencies of a target by kind, each over the last seconds of all its pods. Kept are those that something asks for.
import type { MetricName, Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import type { Instant } from '@kubeai/units';
import { createLatencyWindow, type LatencyWindow } from './latency-window.ts';

export type LatencyFamily = 'latencyMs' | 'timeToFirstTokenMs' | 'timeToFirstByteMs' | 'interTokenMs';

export const families: Readonly<Partial<Record<MetricName, { readonly family: LatencyFamily; readonly q: number }>>> = {
  latencyP99: { family: 'latencyMs', q: 0.99 },
  latencyP95: { family: 'latencyMs', q: 0.95 },
  timeToFirstTokenP99: { family: 'timeToFirstTokenMs', q: 0.99 },
  timeToFirstTokenP95: { family: 'timeToFirstTokenMs', q: 0.95 },
  interTokenLatencyP99: { family: 'interTokenMs', q: 0.99 },
  interTokenLatencyP95: { family: 'interTokenMs', q: 0.95 },
};

export interface LatencyWindows {
  add(traffic: Report['traffic'], receivedAt: Instant): void;
  /** Undefined without values, and for a family that nothing asks for. */
  quantile(family: LatencyFamily, q: number, now: Instant): number | undefined;
  mean(family: LatencyFamily, now: Instant): number | undefined;
}

export function createLatencyWindows(policy: Policy): LatencyWindows {
  const windows = windowsOf(policy);
  const latencies = windows.get('latencyMs')!;
  const firstTokens = windows.get('timeToFirstTokenMs');
  const firstBytes = windows.get('timeToFirstByteMs');
  const interTokens = windows.get('interTokenMs');
  return {
    add(traffic, receivedAt) {
      latencies.add(traffic.latencyMs, receivedAt);
      firstTokens?.add(traffic.timeToFirstTokenMs, receivedAt);
      if (traffic.timeToFirstTokenMs.bins.length === 0) firstBytes?.add(traffic.timeToFirstByteMs, receivedAt);
      interTokens?.add(traffic.interTokenMs, receivedAt);
    },
    quantile: (family, q, now) => windows.get(family)?.quantile(q, now),
    mean: (family, now) => windows.get(family)?.mean(now),
  };
}

/** Only the families that something asks for; whole latencies always, for the time an answer takes. */
function windowsOf(policy: Policy): ReadonlyMap<LatencyFamily, LatencyWindow> {
  const asks = (family: LatencyFamily) =>
    policy.metrics.some(({ name }) => families[name]?.family === family || name === 'work');
  const windows = new Map<LatencyFamily, LatencyWindow>([['latencyMs', createLatencyWindow()]]);
  if (asks('timeToFirstTokenMs')) {
    windows.set('timeToFirstTokenMs', createLatencyWindow());
    windows.set('timeToFirstByteMs', createLatencyWindow());
  }
  if (asks('interTokenMs')) windows.set('interTokenMs', createLatencyWindow());
  return windows;
}
