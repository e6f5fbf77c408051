// The status of a policy: what was found, decided and must be remembered. Built whole each time; whether it is worth a
// write is a question of its own, because a fleet under steady load must not keep the API server busy with it.
import type { Decision, Forecast, History, Ledger, Signal, Snapshot } from '@kubeai/decision';
import { restoreHistory, sentenceOf, stepText } from '@kubeai/decision';
import { restoreSeason, type Season } from '@kubeai/forecast';
import { type Condition, type NewCondition, timeOf, withConditions } from '@kubeai/kube';
import { type Policy, type PolicyStatus, statusSchema } from '@kubeai/policy';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';

/** A decision as status, journal and dashboard show it. */
export interface DecisionSummary {
  readonly at: string;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
  readonly message: string;
}

const keptDecisions = 20;

export interface Decided {
  readonly policy: Policy;
  readonly snapshot: Snapshot;
  readonly decision: Decision;
  readonly history: History;
  /** What a forecast has learned of the days. */
  readonly season?: Season | undefined;
  readonly conditions: readonly NewCondition[];
}

/** How this decision is told in a line. */
export const summaryOf = (decision: Decision, signals: readonly Signal[], now: Instant): DecisionSummary => ({
  at: timeOf(now),
  from: decision.current,
  to: decision.replicas,
  reason: decision.reason,
  message: sentenceOf(decision, signals).slice(0, 1_024),
});

/** Status after a decision. `previous` is the last status known, ours or from before a restart. */
export function statusOf(previous: PolicyStatus, decided: Decided, now: Instant): PolicyStatus {
  const { policy, snapshot, decision, history } = decided;
  const summary = summaryOf(decision, snapshot.signals, now);
  const scaled = decision.replicas !== decision.current;
  const active = policy.mode === 'Active';
  return {
    observedGeneration: policy.generation,
    currentReplicas: decision.replicas,
    desiredReplicas: active ? decision.replicas : decision.recommended,
    readyReplicas: snapshot.ledger.counts.serving,
    ...lastScale(previous, scaled, now),
    lastAlgorithm: decision.algorithm.name,
    currentMetrics: currentMetricsOf(snapshot.signals),
    signals: snapshot.signals.map(signalStatusOf),
    lastDecision: {
      ...summary,
      proposal: decision.proposal,
      recommended: decision.recommended,
      ...(decision.winner === undefined ? {} : { winner: decision.winner }),
      proposals: decision.proposals,
      steps: decision.steps,
      words: decision.steps.map(stepText),
      bounds: decision.bounds,
      ledger: ledgerText(snapshot.ledger),
      ...(snapshot.forecast === undefined ? {} : { forecast: forecastText(snapshot.forecast) }),
    },
    decisions: scaled
      ? [{ ...summary }, ...(previous.decisions ?? [])].slice(0, keptDecisions)
      : (previous.decisions ?? []),
    conditions: conditionsAfter(previous, decided.conditions, now),
    history: { state: history, ...(decided.season === undefined ? {} : { season: decided.season }) },
  };
}

/** Status of a policy that cannot decide: everything known stays, the conditions say why. */
export function statusWhenBlocked(
  previous: PolicyStatus,
  generation: number,
  conditions: readonly NewCondition[],
  now: Instant,
): PolicyStatus {
  return { ...previous, observedGeneration: generation, conditions: conditionsAfter(previous, conditions, now) };
}

/** Reads a status back; what cannot be read is as if it had never been written. */
export function readStatus(object: unknown): {
  readonly status: PolicyStatus;
  readonly history: History | undefined;
  readonly season: Season | undefined;
} {
  const parsed = statusSchema.safeParse(object ?? {});
  if (!parsed.success) return { status: {}, history: undefined, season: undefined };
  const { state, season } = (parsed.data.history ?? {}) as { state?: unknown; season?: unknown };
  return { status: parsed.data, history: restoreHistory(state), season: restoreSeason(season) };
}

/**
 * Whether a status should be written in place of the one on the server.
 * @param since when that one was written; undefined if never
 * @param steadyFor how long the present reason and signal states have held, in milliseconds
 */
export function worthWriting(
  written: PolicyStatus | undefined,
  next: PolicyStatus,
  since: Instant | undefined,
  steadyFor: number,
  now: Instant,
): boolean {
  if (written === undefined || since === undefined) return true;
  if (important(written) !== important(next)) return true;
  const age = elapsed(since, now);
  if (telling(written) !== telling(next)) return age >= limits.statusReason && steadyFor >= limits.statusSteady;
  return age >= limits.statusValues && hasDrifted(written, next);
}

/** Conditions that come and go with the load. */
const fickle = ['Active', 'ScalingLimited'];

/** What somebody may be waiting for: sizes, the status of each lasting condition, the spec that was seen. */
const important = (status: PolicyStatus): string =>
  JSON.stringify([
    status.observedGeneration,
    status.currentReplicas,
    status.readyReplicas,
    status.lastScaleTime,
    status.conditions
      ?.filter(({ type }) => !fickle.includes(type))
      .map(({ type, status: state, observedGeneration }) => [type, state, observedGeneration]),
  ]);

/** What explains it: reasons and signal states. Under noise these flicker, so they have to hold for a while. */
export const telling = (status: PolicyStatus): string =>
  JSON.stringify([
    status.desiredReplicas,
    status.lastAlgorithm,
    status.lastDecision?.reason,
    status.conditions?.map(({ status: state, reason }) => [state, reason]),
    status.signals?.map(({ name, state, cause }) => [name, state, cause]),
  ]);

function hasDrifted(written: PolicyStatus, next: PolicyStatus): boolean {
  const before = new Map((written.signals ?? []).map(({ name, value }) => [name, value ?? 0]));
  return (next.signals ?? []).some(({ name, value = 0 }) => {
    const old = before.get(name) ?? 0;
    return Math.abs(value - old) > limits.statusDrift * Math.max(Math.abs(old), Math.abs(value));
  });
}

const lastScale = (previous: PolicyStatus, scaled: boolean, now: Instant): Pick<PolicyStatus, 'lastScaleTime'> => {
  if (scaled) return { lastScaleTime: timeOf(now) };
  return previous.lastScaleTime === undefined ? {} : { lastScaleTime: previous.lastScaleTime };
};

const conditionsAfter = (previous: PolicyStatus, conditions: readonly NewCondition[], now: Instant) => [
  ...withConditions((previous.conditions ?? []) as readonly Condition[], conditions, now),
];

const statusNames: Readonly<Record<string, string>> = {
  latencyP99: 'latencyP99Ms',
  latencyP95: 'latencyP95Ms',
  timeToFirstTokenP99: 'timeToFirstTokenP99Ms',
  timeToFirstTokenP95: 'timeToFirstTokenP95Ms',
  interTokenLatencyP99: 'interTokenLatencyP99Ms',
  interTokenLatencyP95: 'interTokenLatencyP95Ms',
  gpuUtilization: 'gpuUtilizationPercent',
  work: 'workPercent',
  kvCacheUtilization: 'kvCacheUtilizationPercent',
  gpuMemory: 'gpuMemoryPercent',
  cpuUtilization: 'cpuUtilizationPercent',
  memoryUtilization: 'memoryUtilizationPercent',
};

/** By the field names that upstream uses. What was not measured is absent. */
function currentMetricsOf(signals: readonly Signal[]): NonNullable<PolicyStatus['currentMetrics']> {
  return Object.fromEntries(
    signals
      .filter((signal) => isMeasured(signal) && !signal.name.startsWith('custom:'))
      .map(({ name, value }) => [statusNames[name] ?? name, value]),
  );
}

/** Whether the value was measured. A latency while nothing happens was not; nobody waiting was. */
export const isMeasured = ({ state, shape, value }: Signal): boolean =>
  value !== undefined && state !== 'missing' && (state !== 'idle' || shape === 'perReplica');

const signalStatusOf = ({ name, state, value, target, ageMs, source, cause }: Signal) => ({
  name,
  state,
  target,
  source,
  ...(value === undefined ? {} : { value }),
  ...(ageMs === undefined ? {} : { ageMs }),
  ...(cause === undefined ? {} : { cause }),
});

/** A forecast as it is shown: `{ replicas: 4.2, score: 0.7, model: 'holt' }`. */
export const forecastText = ({ replicas, score, model }: Forecast): Forecast => ({
  replicas: Number(replicas.toPrecision(3)),
  score: Number(score.toPrecision(3)),
  ...(model === undefined ? {} : { model }),
});

/** The states that have replicas, such as `{ serving: 2, loading: 1 }`. */
export const ledgerText = (ledger: Ledger): Record<string, number> =>
  Object.fromEntries(Object.entries(ledger.counts).filter(([, count]) => count > 0));
