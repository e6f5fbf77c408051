// Status conditions as the API conventions want them: a map by type whose transition time changes with the status only.
import type { Instant } from '@kubeai/units';
import { timeOf } from './micro-time.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

export type NewCondition = Omit<Condition, 'lastTransitionTime'>;

/** The conditions with these in place of those of the same type; others and the order stay. */
export function withConditions(
  present: readonly Condition[],
  changes: readonly NewCondition[],
  now: Instant,
): readonly Condition[] {
  const byType = new Map(present.map((condition) => [condition.type, condition]));
  for (const change of changes) {
    const old = byType.get(change.type);
    const lastTransitionTime = old !== undefined && old.status === change.status ? old.lastTransitionTime : timeOf(now);
    byType.set(change.type, { ...change, lastTransitionTime });
  }
  return [...byType.values()];
}
