// What a target needs now, for whoever foresees what it will need.
import type { Decision } from './decision.ts';

/** In fractions of replicas. */
export interface Need {
  /** For the load of now alone. */
  readonly load: number;
  /** With the room for more that is asked for without a forecast. */
  readonly planned: number;
}

/**
 * By work where the policy has it: it asks by what arrives, which neither a backlog nor a start in progress moves. Else by
 * the metric that asks for most. Undefined while it is not known.
 */
export function needOf({ proposals }: Pick<Decision, 'proposals'>): Need | undefined {
  const work = proposals.find(({ name }) => name === 'work');
  if (work !== undefined) {
    const { because, needs, load } = work;
    return because === 'LearningWork' || needs === undefined ? undefined : { load: load ?? needs, planned: needs };
  }
  const needs = proposals.flatMap((proposal) => proposal.needs ?? []);
  if (needs.length === 0) return undefined;
  const most = Math.max(...needs);
  return { load: most, planned: most };
}
