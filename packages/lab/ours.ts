// Our own controller as a contender: reports through the real fold and ledger into the real `decide`, each second.
import { createSignalFold, decide, emptyHistory, type History, ledgerOf, needOf } from '@kubeai/decision';
import { createForecaster } from '@kubeai/forecast';
import { type MetricTarget, type Policy, parsePolicy } from '@kubeai/policy';
import { after, type Milliseconds } from '@kubeai/units';
import type { Contender } from './contender.ts';
import { epoch } from './simulated-time.ts';

/** `preset: interactive` and nothing else. */
export function defaultPolicy(): Policy {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'default', namespace: 'lab' },
    spec: {
      targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
      maxReplicas: 1_000,
      preset: 'interactive',
    },
  });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
  return parsed.value;
}

/** The same policy with another target of `work`, its main knob. */
export const withWork = (policy: Policy, target: number): Policy => ({
  ...policy,
  metrics: policy.metrics.map((metric): MetricTarget => (metric.name === 'work' ? { ...metric, target } : metric)),
});

export function ours(name: string, policy: Policy): Contender {
  const work = policy.metrics.find((metric) => metric.name === 'work');
  return {
    name,
    knob: work === undefined ? 'as given' : 'work %',
    value: work?.target ?? Number.NaN,
    everyMs: 1_000,
    sees: 'reports',
    create({ min, max, initial }) {
      const bounded: Policy = {
        ...policy,
        minReplicas: Math.max(min, policy.minReplicas),
        maxReplicas: Math.min(max, policy.maxReplicas),
      };
      const fold = createSignalFold(bounded);
      const forecaster = policy.prediction.mode === 'Off' ? undefined : createForecaster();
      let history: History = emptyHistory(initial, epoch);
      return {
        look({ now: at, replicas, reports, facts }) {
          const now = after(epoch, at as Milliseconds);
          for (const { report, receivedAt } of reports) fold.accept(report, receivedAt);
          const pods = facts();
          const { signals, traffic } = fold.fold(pods, now);
          const ledger = ledgerOf(replicas, pods, history, now);
          const forecast = forecaster?.forecast((policy.prediction.horizon ?? ledger.startupP90Ms) as Milliseconds);
          const snapshot = { replicas, ledger, signals, traffic, ...(forecast === undefined ? {} : { forecast }) };
          const decided = decide(bounded, snapshot, history, now);
          history = decided.history;
          const need = needOf(decided.decision);
          if (need !== undefined) forecaster?.record(now, need.load, need.planned);
          const { decision } = decided;
          return {
            replicas: decision.replicas,
            why: `${decision.reason}${decision.winner === undefined ? '' : ` (${decision.winner})`}`,
          };
        },
      };
    },
  };
}
