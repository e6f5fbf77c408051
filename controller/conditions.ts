// The conditions of a policy, from what is known about it. Pure. `Ready` sums up the others: it is what `kubectl wait` and
// people look at first.
import { type Decision, reasons, type Signal, signalText } from '@kubeai/decision';
import type { NewCondition } from '@kubeai/kube';
import type { Policy } from '@kubeai/policy';
import type { FieldProblem } from '@kubeai/units';
import { type CoverageReason, coverageReasons } from './repair-plan.ts';

/** Why a policy cannot do its job: beside the decision's own reasons, the words of `Ready` and of warning Events. */
export const obstacles = {
  InvalidPolicy: 'the policy has fields that cannot be used',
  TargetNotFound: 'what the policy scales does not exist',
  TargetNotScalable: 'what the policy scales has no scale subresource',
  Conflict: 'somebody else scales the same target',
  ScaleFailed: 'the API server refused the new size',
} as const;
export type Obstacle = keyof typeof obstacles;

export interface Blocked {
  readonly obstacle: Obstacle;
  readonly message: string;
}

export interface Decisive {
  readonly policy: Policy;
  readonly decision: Decision;
  readonly signals: readonly Signal[];
}

export const problemText = (problems: readonly FieldProblem[]): string =>
  problems
    .map(({ field, message }) => `${field} ${message}`.trim())
    .join('; ')
    .slice(0, 1_024);

/** Conditions of a policy that cannot decide. The others say Unknown, so that nobody reads an old answer as a new one. */
export function conditionsWhenBlocked({ obstacle, message }: Blocked, generation: number): NewCondition[] {
  const of = (type: string, status: 'False' | 'True' | 'Unknown', reason: string, text: string): NewCondition => ({
    type,
    status,
    reason,
    message: text,
    observedGeneration: generation,
  });
  const conflict = obstacle === 'Conflict';
  return [
    of('Ready', 'False', obstacle, message),
    of('Active', 'Unknown', obstacle, message),
    of('Conflict', conflict ? 'True' : 'False', conflict ? obstacle : 'NoRival', conflict ? message : ''),
  ];
}

/** Conditions after a decision. */
export function conditionsOf({ policy, decision, signals }: Decisive): NewCondition[] {
  const of = (type: string, holds: boolean | 'Unknown', reason: string, message: string): NewCondition => ({
    type,
    status: holds === 'Unknown' ? 'Unknown' : holds ? 'True' : 'False',
    reason,
    message,
    observedGeneration: policy.generation,
  });
  const usable = signals.filter(({ state }) => state === 'value' || state === 'idle');
  const lacking = signals.filter(({ state }) => state === 'missing' || state === 'stale');
  const blind = usable.length === 0;
  const limited = decision.reason === 'AtMaximum' || decision.reason === 'GpuBudget';
  const paused = policy.paused !== 'none';

  const ready = blind
    ? of('Ready', false, 'NoFreshSignals', lacking.map(signalText).join('; '))
    : of('Ready', true, 'Scaling', lacking.length === 0 ? 'all metrics are known' : lacking.map(signalText).join('; '));
  return [
    ready,
    blind
      ? of('Active', 'Unknown', 'NoFreshSignals', reasons.NoFreshSignals.sentence)
      : signals.some(({ state }) => state === 'value')
        ? of('Active', true, 'Measured', 'the target has load')
        : of('Active', false, 'Idle', reasons.Idle.sentence),
    of('Conflict', false, 'NoRival', ''),
    of('Paused', paused, paused ? 'Paused' : 'NotPaused', paused ? `scaling is paused: ${policy.paused}` : ''),
    of(
      'AlgorithmValid',
      decision.algorithm.valid,
      decision.algorithm.valid ? 'Used' : 'FellBack',
      decision.algorithm.valid ? '' : `${decision.algorithm.problem ?? 'unusable'}; ${decision.algorithm.name} is used`,
    ),
    of(
      'SLOInfeasible',
      decision.infeasible.length > 0,
      decision.infeasible.length > 0 ? 'SLOInfeasible' : 'Feasible',
      decision.infeasible.length > 0 ? `${decision.infeasible.join(', ')}: ${reasons.SLOInfeasible.sentence}` : '',
    ),
    of(
      'ScalingLimited',
      limited,
      limited ? decision.reason : 'WithinBounds',
      limited ? reasons[decision.reason].sentence : '',
    ),
  ];
}

/**
 * Whether the webhook has looked at every pod of the target; a pod that it missed has no agent and is not measured.
 * @param missed how many it has not
 */
export function injectedCondition(reason: CoverageReason, missed: number, generation: number): NewCondition {
  const status = reason === 'EveryPodSeen' ? 'True' : reason === 'NamespaceNotLabelled' ? 'Unknown' : 'False';
  const count = missed === 0 ? '' : `${missed} ${missed === 1 ? 'pod has' : 'pods have'} no agent: `;
  return {
    type: 'Injected',
    status,
    reason,
    message: `${count}${coverageReasons[reason]}`,
    observedGeneration: generation,
  };
}
