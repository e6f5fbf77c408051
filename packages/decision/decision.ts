// The answer, with each step of why.
import type { MetricName } from '@kubeai/policy';
import type { Reason } from './reasons.ts';

export interface Proposal {
  readonly name: MetricName;
  /** Replicas this metric asks for at least, in fractions; growth may follow it. Absent: it asks for nothing. */
  readonly needs?: number;
  /** What of `needs` the load of now asks for, without room for more; absent where there is no such room. */
  readonly load?: number;
  /** Replicas below which this metric would not have the target shrink. Absent: it does not let it shrink at all. */
  readonly keeps?: number;
  /** Why the number is what it is, where that is not simply the metric against its target. */
  readonly because?: Reason;
}

export const stages = [
  'tolerance',
  'survivors',
  'forecast',
  'fallback',
  'ledger',
  'history',
  'window',
  'rate',
  'cooldown',
  'bounds',
  'zero',
  'gpuBudget',
  'pause',
  'mode',
] as const;
export type Stage = (typeof stages)[number];

/** One stage that changed the number, or would have been the reason to. */
export interface Step {
  readonly stage: Stage;
  readonly before: number;
  readonly after: number;
  readonly because: Reason;
}

/** The algorithm that combined the proposals, and why it was not the wanted one. */
export interface AlgorithmUsed {
  readonly name: string;
  readonly valid: boolean;
  /** Present when not valid: what was wrong with the wanted one. */
  readonly problem?: string;
}

export interface Decision {
  readonly current: number;
  /** The size to put in force; `current` when nothing is to be done. */
  readonly replicas: number;
  /** The size that would be in force if the policy were active and not paused. */
  readonly recommended: number;
  /** The one reason to show; a word of `reasons`. */
  readonly reason: Reason;
  /** What the metrics alone ask for, before any constraint. */
  readonly proposal: number;
  /** The metric that decided; absent when none did. */
  readonly winner?: MetricName;
  readonly proposals: readonly Proposal[];
  readonly steps: readonly Step[];
  readonly algorithm: AlgorithmUsed;
  /** Bounds in force, with the schedule's. */
  readonly bounds: { readonly min: number; readonly max: number; readonly schedule?: string };
  /** Latency metrics whose target even an idle replica misses. */
  readonly infeasible: readonly MetricName[];
  /** Every enabled metric was fresh on a quorum. */
  readonly mayShrink: boolean;
}
