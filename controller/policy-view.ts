// A policy as the API and the dashboard show it: the present, with every number explained. Plain JSON.
import { type Forecast, reasons, replicaStates, signalText, stepText, unitOf } from '@kubeai/decision';
import { nameOf } from '@kubeai/kube';
import type { Memory } from './memory.ts';
import type { PolicyEntry } from './policy-book.ts';
import { forecastText, ledgerText } from './status.ts';
import type { TrailEvent, TrailPoint } from './trail.ts';

export interface PolicyView {
  readonly namespace: string;
  readonly name: string;
  readonly target: string;
  readonly mode: string;
  readonly paused: string;
  /** The `Ready` condition. */
  readonly ready: { readonly status: string; readonly reason: string; readonly message: string };
  readonly replicas?: {
    readonly current: number;
    readonly desired: number;
    /** What it would be if the policy were active and not paused. */
    readonly recommended: number;
    readonly min: number;
    readonly max: number;
    /** Of the schedule's entries in force. */
    readonly schedule?: string;
    /** States that have replicas. */
    readonly ledger: Readonly<Record<string, number>>;
    readonly startupP90Ms: number;
  };
  readonly signals: readonly SignalView[];
  readonly traffic?: {
    readonly inFlight: number;
    readonly queue: number;
    readonly arrivalsPerSecond: number;
    readonly completionsPerSecond: number;
    readonly pods: number;
    readonly silentPods: number;
    readonly meanLatencyMs?: number;
  };
  readonly forecast?: Forecast;
  readonly decision?: {
    readonly at: string;
    readonly reason: string;
    readonly message: string;
    readonly action: string;
    readonly winner?: string;
    readonly proposal: number;
    readonly algorithm: string;
    readonly steps: readonly {
      readonly stage: string;
      readonly before: number;
      readonly after: number;
      readonly text: string;
    }[];
  };
  readonly events: readonly TrailEvent[];
  readonly point?: TrailPoint;
}

interface SignalView {
  readonly name: string;
  readonly unit: string;
  readonly shape: string;
  readonly state: string;
  readonly target: number;
  readonly value?: number;
  readonly ageMs?: number;
  readonly source: string;
  readonly text: string;
}

export const trailStates = replicaStates;

export function policyView(entry: PolicyEntry, memory: Memory | undefined): PolicyView {
  const { name, namespace = '' } = nameOf(entry.key);
  const ready = memory?.status.conditions?.find(({ type }) => type === 'Ready');
  const { policy } = entry;
  const base = {
    namespace,
    name,
    target: policy === undefined ? '' : `${policy.target.kind}/${policy.target.name}`,
    mode: policy?.mode ?? '',
    paused: policy?.paused ?? 'none',
    ready: {
      status: ready?.status ?? 'Unknown',
      reason: ready?.reason ?? 'NotLookedAtYet',
      message: ready?.message ?? '',
    },
    events: memory?.trail?.events() ?? [],
  };
  if (memory?.last === undefined) return { ...base, signals: [] };
  const { decision, snapshot, summary } = memory.last;
  const { traffic, ledger } = snapshot;
  const point = memory.trail?.points().at(-1);
  return {
    ...base,
    replicas: {
      current: decision.current,
      desired: decision.replicas,
      recommended: decision.recommended,
      ...decision.bounds,
      ledger: ledgerText(ledger),
      startupP90Ms: ledger.startupP90Ms,
    },
    signals: snapshot.signals.map((signal) => ({
      name: signal.name,
      unit: unitOf(signal).trim(),
      shape: signal.shape,
      state: signal.state,
      target: signal.target,
      ...(signal.value === undefined ? {} : { value: signal.value }),
      ...(signal.ageMs === undefined ? {} : { ageMs: signal.ageMs }),
      source: signal.source,
      text: signalText(signal),
    })),
    traffic: {
      inFlight: traffic.inFlight,
      queue: traffic.queue,
      arrivalsPerSecond: traffic.arrivalsPerSecond,
      completionsPerSecond: traffic.completionsPerSecond,
      pods: traffic.measured,
      silentPods: traffic.silent,
      ...(traffic.meanLatencyMs === undefined ? {} : { meanLatencyMs: traffic.meanLatencyMs }),
    },
    ...(snapshot.forecast === undefined ? {} : { forecast: forecastText(snapshot.forecast) }),
    decision: {
      at: summary.at,
      reason: decision.reason,
      message: summary.message,
      action: reasons[decision.reason].action,
      ...(decision.winner === undefined ? {} : { winner: decision.winner }),
      proposal: decision.proposal,
      algorithm: decision.algorithm.name,
      steps: decision.steps.map((step) => ({
        stage: step.stage,
        before: step.before,
        after: step.after,
        text: stepText(step),
      })),
    },
    ...(point === undefined ? {} : { point }),
  };
}

/** The last decisions, as /metrics reads them. */
export function* policyMetrics(memories: ReadonlyMap<string, Memory>) {
  for (const [key, { last }] of memories) {
    if (last === undefined) continue;
    const { name, namespace = '' } = nameOf(key);
    yield { namespace, name, decision: last.decision, snapshot: last.snapshot };
  }
}
