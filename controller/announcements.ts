// What people are told by Events: changes of size, and conditions that turned for the worse or back.
import type { EventRecorder, EventSubject } from '@kubeai/kube';
import { apiVersion, kind, type PolicyStatus } from '@kubeai/policy';
import { elapsed, type Instant, instant } from '@kubeai/units';
import { limits } from './limits.ts';
import type { PolicyEntry } from './policy-book.ts';
import type { DecisionSummary } from './status.ts';

/** How each condition reads when all is well. A change to anything else is a warning. */
const good: Readonly<Record<string, 'True' | 'False'>> = {
  Ready: 'True',
  Conflict: 'False',
  AlgorithmValid: 'True',
  SLOInfeasible: 'False',
  ScalingLimited: 'False',
  Injected: 'True',
};

export function subjectOf({ object }: PolicyEntry): EventSubject {
  const { name, namespace = '', uid } = object.metadata;
  return { apiVersion, kind, namespace, name, uid };
}

/** An Event for a change of size. Its message begins with the reason's word, so that a search finds it. */
export function announceScaling(events: EventRecorder, entry: PolicyEntry, summary: DecisionSummary): void {
  const reason = summary.to > summary.from ? 'ScaledUp' : 'ScaledDown';
  events.record(subjectOf(entry), 'Normal', reason, `${summary.reason}: ${summary.message}`);
}

/**
 * Events for conditions that have settled in another status than the one announced last. A state of a few seconds (pods
 * that start, a new leader that waits for its first reports) is told by the status alone.
 * @param announced status by condition type; updated
 */
export function announceConditions(
  events: EventRecorder,
  entry: PolicyEntry,
  announced: Map<string, string>,
  status: PolicyStatus,
  now: Instant,
): void {
  for (const { type, status: state, reason, message, lastTransitionTime } of status.conditions ?? []) {
    const wanted = good[type];
    if (wanted === undefined || state === 'Unknown' || announced.get(type) === state) continue;
    if (elapsed(instant(Date.parse(lastTransitionTime)), now) < limits.announceAfter) continue;
    const well = state === wanted;
    // That all is well from the start is no news.
    const silent = well && !announced.has(type);
    announced.set(type, state);
    if (silent) continue;
    const text = message === '' ? `${type} is ${state}` : message;
    events.record(subjectOf(entry), well ? 'Normal' : 'Warning', reason, text);
  }
}
