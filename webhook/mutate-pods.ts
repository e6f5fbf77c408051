// The answer to the creation of a pod. Pure, and it always says yes: losing an agent is a smaller harm than losing a pod.
import jsonPatch from 'fast-json-patch';
import { type AdmissionResponse, allowed, patched, type Review } from './admission-review.ts';
import type { InjectionConfig } from './agent-container.ts';
import { eligibility, type NamespaceView, type SkipReason, skipReasons } from './eligibility.ts';
import { injectAgent, markSkipped } from './inject-agent.ts';
import { parsePod } from './pod.ts';
import type { EffectiveReach } from './reach.ts';

export interface PodVerdict {
  readonly response: AdmissionResponse;
  /** For metrics and the log: the reach of an injected pod, or why there is no agent. */
  readonly outcome:
    | { readonly kind: 'injected'; readonly reach: EffectiveReach }
    | { readonly kind: 'skipped'; readonly reason: SkipReason };
}

/** These pods are not even annotated: nobody asked us about them, or they cannot change. */
const untouched: readonly SkipReason[] = [
  'NotAPodCreation',
  'InvalidPod',
  'SystemNamespace',
  'NamespaceNotLabelled',
  'MirrorPod',
  'AlreadyInjected',
];

/** What to do with a pod: the pod to make of it, what happened, and what its owner should hear. */
export function admitPod(object: unknown, namespace: NamespaceView, ownNamespace: string, config: InjectionConfig) {
  const parsed = parsePod(object);
  if (!parsed.ok)
    return { pod: object, outcome: { kind: 'skipped', reason: 'InvalidPod' } as const, warnings: [parsed.problem] };
  const { pod } = parsed;
  const verdict = eligibility(pod, namespace, ownNamespace, config.nativeSidecars);
  if (!verdict.inject) {
    const { reason } = verdict;
    const marked = untouched.includes(reason) ? pod : markSkipped(pod, reason, config.version);
    const silent = untouched.includes(reason) || reason === 'OptedOut' || reason === 'JobLike';
    return {
      pod: marked,
      outcome: { kind: 'skipped', reason } as const,
      warnings: silent ? [] : [`no agent: ${skipReasons[reason]}`],
    };
  }
  const injected = injectAgent(pod, verdict, namespace, config);
  return {
    pod: injected.pod,
    outcome: { kind: 'injected', reach: injected.reach } as const,
    warnings: injected.warnings,
  };
}

/**
 * Answers one review of the mutating webhook. The patch is the difference of two values, which cannot forget a change;
 * because everything we add stands at the end of its list, the difference never rewrites a neighbour.
 */
export function mutatePod(
  review: Review,
  namespace: NamespaceView,
  ownNamespace: string,
  config: InjectionConfig,
): PodVerdict {
  if (review.kind !== 'Pod' || review.operation !== 'CREATE' || review.subresource !== '') {
    return { response: allowed(review.uid), outcome: { kind: 'skipped', reason: 'NotAPodCreation' } };
  }
  const { pod, outcome, warnings } = admitPod(review.object, namespace, ownNamespace, config);
  if (pod === review.object) return { response: allowed(review.uid), outcome };
  return {
    response: patched(review.uid, jsonPatch.compare(review.object as object, pod as object), warnings),
    outcome,
  };
}
