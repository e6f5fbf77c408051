import type { Report } from '@kubeai/protocol';
import { createSketch } from '@kubeai/sketch';
import { type Instant, instant } from '@kubeai/units';
import type { PodFacts } from '../ledger.ts';

export interface Measured {
  readonly concurrency?: number;
  readonly queue?: number;
  readonly latencyMs?: number;
  readonly firstTokenMs?: number;
  readonly interTokenMs?: number;
  readonly perSecond?: number;
  readonly tokens?: number;
  readonly gpuPercent?: number;
  readonly kvRatio?: number;
  readonly cpuRatio?: number;
  readonly ageMs?: number;
  /** No request passes the agent. */
  readonly unobserved?: true;
  /** What the engine says that it runs. */
  readonly running?: number;
}

const sketch = createSketch();

const sketchOf = (value: number | undefined, times: number) => {
  sketch.clear();
  if (value !== undefined && times > 0) sketch.record(value, times);
  return sketch.encode();
};

/** A report of one second as an agent would send it. */
export function reportOf(pod: string, sequence: number, measured: Measured): Report {
  const concurrency = measured.concurrency ?? 0;
  const perSecond = measured.perSecond ?? (concurrency > 0 ? 1 : 0);
  return {
    version: 1,
    run: pod,
    sequence,
    ageMs: measured.ageMs ?? 0,
    windowMs: 1_000,
    pod: { namespace: 'models', name: pod, uid: pod },
    traffic: {
      inFlight: Math.round(concurrency),
      waitingFirstByte: 0,
      concurrency,
      started: perSecond,
      finished: perSecond > 0 ? { '2xx': perSecond } : {},
      failed: 0,
      aborted: 0,
      rejected: 0,
      generatedTokens: measured.tokens ?? 0,
      latencyMs: sketchOf(measured.latencyMs, perSecond),
      timeToFirstByteMs: sketchOf(measured.firstTokenMs, perSecond),
      timeToFirstTokenMs: sketchOf(measured.firstTokenMs, perSecond),
      interTokenMs: sketchOf(measured.interTokenMs, perSecond),
      unobservedConnections: 0,
    },
    queue: { length: measured.queue ?? 0, source: 'engine' },
    ...(measured.unobserved === undefined ? {} : { unobserved: true as const }),
    ...engineOf(measured),
    ...(measured.gpuPercent === undefined
      ? {}
      : {
          gpu: { source: 'dcgm' as const, ageMs: 0, devices: [], utilizationPercent: measured.gpuPercent, marks: [] },
        }),
    ...(measured.cpuRatio === undefined
      ? {}
      : { container: { ageMs: 0, cpuCores: measured.cpuRatio, cpuLimitCores: 1 } }),
    absent: {},
  };
}

function engineOf({ kvRatio, running }: Measured): Pick<Report, 'engine'> {
  if (kvRatio === undefined && running === undefined) return {};
  const gauges = {
    ...(kvRatio === undefined ? {} : { kvCacheRatio: kvRatio }),
    ...(running === undefined ? {} : { running, waiting: 0 }),
  };
  return { engine: { name: 'vllm', ageMs: 0, ...gauges } };
}

/** A pod that has served for long, unless said otherwise. */
export function podOf(
  name: string,
  now: Instant,
  facts: Partial<PodFacts> & { readonly readyFor?: number } = {},
): PodFacts {
  const { readyFor = 3_600_000, ...rest } = facts;
  return {
    name,
    uid: name,
    phase: 'Running',
    createdAt: instant(now - readyFor - 60_000),
    conditions: [
      { type: 'PodScheduled', status: 'True' },
      { type: 'Ready', status: 'True', since: instant(now - readyFor) },
    ],
    containers: [{ name: 'model', ready: true, started: true, restarts: 0, state: 'running' }],
    ...rest,
  };
}

/** The same pod once its node has not been heard of for long: what the node controller writes, and nothing else. */
export const lostOf = (pod: PodFacts): PodFacts => ({
  ...pod,
  conditions: [
    { type: 'PodScheduled', status: 'True' },
    { type: 'ContainersReady', status: 'True' },
    { type: 'Ready', status: 'False' },
  ],
});
