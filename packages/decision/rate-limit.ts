// How fast a size may change, as HPA v2 has it: every policy looks back over its own period, and what was added or
// removed within it counts in both directions. Roundings favour movement: 10 % of 3 pods is one pod either way.

export interface RatePolicy {
  readonly type: 'Pods' | 'Percent';
  readonly value: number;
  readonly periodMs: number;
}

export interface RateRules {
  readonly selectPolicy: 'Max' | 'Min' | 'Disabled';
  readonly policies: readonly RatePolicy[];
}

/** A change of size; always positive, its direction is told by the list it stands in. */
export interface SizeChange {
  readonly change: number;
  readonly ageMs: number;
}

export interface SizeChanges {
  readonly up: readonly SizeChange[];
  readonly down: readonly SizeChange[];
}

export type LimitReason =
  | 'DesiredWithinRange'
  | 'ScaleUpLimit'
  | 'TooManyReplicas'
  | 'ScaleDownLimit'
  | 'TooFewReplicas';

export interface Limited {
  readonly replicas: number;
  readonly reason: LimitReason;
}

/** Sum of the changes younger than a period. */
export const changeWithin = (changes: readonly SizeChange[], periodMs: number): number =>
  changes.reduce((sum, { change, ageMs }) => (ageMs < periodMs ? sum + change : sum), 0);

const startOf = (current: number, changes: SizeChanges, periodMs: number): number =>
  current - changeWithin(changes.up, periodMs) + changeWithin(changes.down, periodMs);

const select = (rules: RateRules, current: number, limits: readonly number[], widest: 'highest' | 'lowest'): number => {
  if (rules.selectPolicy === 'Disabled' || limits.length === 0) return current;
  const high = (rules.selectPolicy === 'Max') === (widest === 'highest');
  return high ? Math.max(...limits) : Math.min(...limits);
};

/** The highest size the policies allow now, before it is raised to the current one. */
export function scaleUpLimit(current: number, rules: RateRules, changes: SizeChanges): number {
  const limits = rules.policies.map(({ type, value, periodMs }) => {
    const start = startOf(current, changes, periodMs);
    return type === 'Pods' ? start + value : Math.ceil(start * (1 + value / 100));
  });
  return select(rules, current, limits, 'highest');
}

/** The lowest size the policies allow now, before it is lowered to the current one. */
export function scaleDownLimit(current: number, rules: RateRules, changes: SizeChanges): number {
  const limits = rules.policies.map(({ type, value, periodMs }) => {
    const start = startOf(current, changes, periodMs);
    return type === 'Pods' ? start - value : Math.trunc(start * (1 - value / 100));
  });
  return select(rules, current, limits, 'lowest');
}

/** A stabilised size held to the policies and the bounds. A size that does not change is not looked at. */
export function limitRate(
  current: number,
  proposal: number,
  bounds: { readonly min: number; readonly max: number },
  rules: { readonly up: RateRules; readonly down: RateRules },
  changes: SizeChanges,
): Limited {
  if (proposal > current) {
    const limit = Math.max(current, scaleUpLimit(current, rules.up, changes));
    const cap = Math.min(bounds.max, limit);
    if (proposal <= cap) return { replicas: proposal, reason: 'DesiredWithinRange' };
    return { replicas: cap, reason: limit < bounds.max ? 'ScaleUpLimit' : 'TooManyReplicas' };
  }
  if (proposal < current) {
    const limit = Math.min(current, scaleDownLimit(current, rules.down, changes));
    const floor = Math.max(bounds.min, limit);
    if (proposal >= floor) return { replicas: proposal, reason: 'DesiredWithinRange' };
    return { replicas: floor, reason: limit > bounds.min ? 'ScaleDownLimit' : 'TooFewReplicas' };
  }
  return { replicas: proposal, reason: 'DesiredWithinRange' };
}

/** The form without a behaviour: into the bounds, and at most a factor of the current size (but to `minimum` at least). */
export function clampDefault(
  current: number,
  proposal: number,
  bounds: { readonly min: number; readonly max: number },
  growth: { readonly factor: number; readonly minimum: number },
): Limited {
  const limit = Math.max(growth.factor * current, growth.minimum);
  const cap = Math.min(bounds.max, limit);
  if (proposal < bounds.min) return { replicas: bounds.min, reason: 'TooFewReplicas' };
  if (proposal > cap) return { replicas: cap, reason: limit < bounds.max ? 'ScaleUpLimit' : 'TooManyReplicas' };
  return { replicas: proposal, reason: 'DesiredWithinRange' };
}
