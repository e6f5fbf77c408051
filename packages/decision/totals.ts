// The numbers of single pods that are added up over the fleet: those that every target has, and custom metrics of its agents.
import type { Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { limits } from './limits.ts';
import { type AgentMetric, agentMetrics, completionsPerSecond, firstTokensPerSecond, levels } from './pod-measures.ts';

/** The fast mean of events a second covers twice its span, and so wanders less than a count. */
const rateSpread = 1 / Math.sqrt((2 * limits.fastMean) / 1_000);

/** A total over pods. */
export interface Slot {
  readonly name: string;
  readonly of: (report: Report) => number;
  /** See createMovingMean. */
  readonly spread: number;
  /** How many there are at the end of a window, a mean over it, or events a second of it. */
  readonly kind: 'level' | 'mean' | 'events';
}

/** Totals over pods that every target has; custom metrics of agents follow behind. */
const totals = [
  { name: 'concurrency', of: agentMetrics.concurrency, spread: 1, kind: 'mean' },
  { name: 'requestQueueDepth', of: agentMetrics.requestQueueDepth, spread: 1, kind: 'level' },
  { name: 'tokensPerSecond', of: agentMetrics.tokensPerSecond, spread: 1, kind: 'events' },
  { name: 'promptTokensPerSecond', of: agentMetrics.promptTokensPerSecond, spread: 1, kind: 'events' },
  { name: 'arrivals', of: agentMetrics.requestsPerSecond, spread: rateSpread, kind: 'events' },
  { name: 'completions', of: completionsPerSecond, spread: rateSpread, kind: 'events' },
  { name: 'firstTokens', of: firstTokensPerSecond, spread: rateSpread, kind: 'events' },
] as const satisfies readonly Slot[];
const slotOf = (name: (typeof totals)[number]['name']): number => totals.findIndex((total) => total.name === name);
export const inFlightSlot = slotOf('concurrency');
export const queueSlot = slotOf('requestQueueDepth');
export const tokensSlot = slotOf('tokensPerSecond');
export const promptSlot = slotOf('promptTokensPerSecond');
export const arrivalsSlot = slotOf('arrivals');
export const completionsSlot = slotOf('completions');
export const firstTokensSlot = slotOf('firstTokens');

/** The slots of a policy: `totals` and behind them its custom metrics. */
export function slotsOf(policy: Policy): readonly Slot[] {
  const customs = policy.metrics.flatMap(({ name, agentMetric }) => {
    const of = name.startsWith('custom:') ? agentMetrics[agentMetric as AgentMetric] : undefined;
    return of === undefined
      ? []
      : [{ name, of, spread: 1, kind: levels.has(agentMetric ?? '') ? 'level' : 'mean' } as const];
  });
  return [...totals, ...customs];
}
