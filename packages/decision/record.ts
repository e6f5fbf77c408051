// A decision with everything it was made from, so that it can be explained later and made again. Twenty of these have to
// fit into the status of a policy, so what `decide` never looks at is left out, and the encoding is compact.
import type { MetricTarget, Policy } from '@kubeai/policy';
import { type Instant, seconds } from '@kubeai/units';
import { pack, unpack } from './compact-json.ts';
import { boundsOf } from './constraints.ts';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import { type History, restoreHistory } from './history.ts';
import type { Signal } from './signal.ts';
import type { Snapshot } from './snapshot.ts';

export interface DecisionRecord {
  readonly now: Instant;
  /** As far as it mattered: queries, addresses and secrets are not kept, and of the schedule only what held. */
  readonly policy: Policy;
  readonly snapshot: Snapshot;
  /** As it was before the decision. */
  readonly history: History;
  readonly decision: Decision;
}

const format = 1;

/** Puts together what a decision was made from and what came out. */
export const recordOf = (
  policy: Policy,
  snapshot: Snapshot,
  history: History,
  now: Instant,
  decision: Decision,
): DecisionRecord => ({ now, policy: whatMattered(policy, snapshot, now), snapshot, history, decision });

/** Makes the decision of a record again. */
export const replay = (record: DecisionRecord): Decision =>
  decide(record.policy, record.snapshot, record.history, record.now).decision;

/** One line of JSON. Its proposals and steps are not in it: a replay gives them back. */
export function encodeRecord({ now, policy, snapshot, history, decision }: DecisionRecord): string {
  const { current, replicas, recommended, reason } = decision;
  return JSON.stringify([
    format,
    now,
    pack({ policy, snapshot, history, outcome: { current, replicas, recommended, reason } }, now),
  ]);
}

/**
 * Reads a record back, with its decision made anew.
 * @returns undefined when the text is no record, or one whose replay differs from what it says came out
 */
export function decodeRecord(text: string): DecisionRecord | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined; // JSON.parse has no other way to say that a text is none
  }
  if (!Array.isArray(parsed) || parsed[0] !== format || !Number.isFinite(parsed[1])) return undefined;
  const now = parsed[1] as Instant;
  const body = unpack(parsed[2], now) as (DecisionRecord & { outcome: Partial<Decision> }) | undefined;
  if (body?.policy === undefined || body.snapshot === undefined || restoreHistory(body.history) === undefined)
    return undefined;
  const { snapshot, history, outcome } = body;
  const policy = { ...body.policy, metrics: metricsOf(snapshot.signals) };
  const { decision } = decide(policy, snapshot, history, now);
  if (decision.replicas !== outcome.replicas || decision.reason !== outcome.reason) return undefined;
  return { now, policy, snapshot, history, decision };
}

function whatMattered(policy: Policy, snapshot: Snapshot, now: Instant): Policy {
  const { min, max, schedule } = boundsOf(policy, now);
  const { plugin, ...algorithm } = policy.algorithm;
  const always = { cron: '* * * * *', timeZone: 'UTC', duration: seconds(86_400), minReplicas: min, maxReplicas: max };
  return {
    ...policy,
    metrics: metricsOf(snapshot.signals),
    prometheus: { interval: policy.prometheus.interval, timeout: policy.prometheus.timeout },
    algorithm:
      plugin === undefined
        ? policy.algorithm
        : { ...algorithm, plugin: { kind: 'module', path: '', timeout: plugin.timeout } },
    schedule: schedule === undefined ? [] : [{ name: schedule, ...always }],
  };
}

/** Signals say all that is left of a metric; so the text does not tell them twice. */
const metricsOf = (signals: readonly Signal[]): readonly MetricTarget[] =>
  signals.map(({ name, shape, target }) => ({ name, shape, target, source: 'auto' }));
