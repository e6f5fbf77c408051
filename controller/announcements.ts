// What people are told by Events: changes of size, and conditions that turned for the worse or back.
import type { EventRecorder, EventSubject } from '@kubeai/kube';
import { apiVersion, kind, type PolicyStatus } from '@kubeai/policy';
import type { PolicyEntry } from './policy-book.ts';
import type { DecisionSummary } from './status.ts';

/** How each condition reads when all is well. A change to anything else is a warning. */
const good: Readonly<Record<string, 'True' | 'False'>> = {
  Ready: 'True',
  Conflict: 'False',
  AlgorithmValid: 'True',
  SLOInfeasible: 'False',
  ScalingLimited: 'False',
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

/** Events for conditions that changed between two statuses. The first status of a policy only announces what is wrong. */
export function announceConditions(
  events: EventRecorder,
  entry: PolicyEntry,
  before: PolicyStatus,
  after: PolicyStatus,
): void {
  const old = new Map((before.conditions ?? []).map((condition) => [condition.type, condition]));
  for (const { type, status, reason, message } of after.conditions ?? []) {
    const wanted = good[type];
    if (wanted === undefined || status === 'Unknown' || old.get(type)?.status === status) continue;
    const well = status === wanted;
    if (well && old.get(type) === undefined) continue;
    const text = message === '' ? `${type} is ${status}` : message;
    events.record(subjectOf(entry), well ? 'Normal' : 'Warning', reason, text);
  }
}
