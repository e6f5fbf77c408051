// Whether a pod may be evicted: the budget that selects it has to have a healthy pod to spare. A real cluster has a
// controller that counts and a server that reads its count; here the pods are counted when they are asked for.
import { ApiError } from './api-error.ts';
import { isObject, type KubeObject, valueAt } from './kube-object.ts';
import { matchesSelector } from './selectors.ts';

/**
 * Why this pod may not be evicted now; undefined when it may.
 * @param budgets the PodDisruptionBudgets of its namespace
 * @param pods the pods of its namespace
 */
export function evictionRefusal(
  pod: KubeObject,
  budgets: readonly KubeObject[],
  pods: readonly KubeObject[],
): ApiError | undefined {
  const phase = valueAt(pod, 'status', 'phase');
  // What does not run yet, or not any more, is nobody's capacity.
  if (phase !== 'Running' || pod.metadata.deletionTimestamp !== undefined) return undefined;
  const selecting = budgets.filter((budget) => selects(budget, pod));
  const [budget] = selecting;
  if (budget === undefined) return undefined;
  if (selecting.length > 1) {
    const message = 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.';
    return new ApiError(500, 'InternalError', message);
  }
  const counted = pods.filter((each) => selects(budget, each) && !hasEnded(each));
  const healthy = counted.filter(isHealthy).length;
  const desired = desiredOf(budget, counted.length);
  const always = valueAt(budget, 'spec', 'unhealthyPodEvictionPolicy') === 'AlwaysAllow';
  if (isHealthy(pod) ? healthy > desired : always || healthy >= desired) return undefined;
  const message = "Cannot evict pod as it would violate the pod's disruption budget.";
  const why = `The disruption budget ${budget.metadata.name} needs ${desired} healthy pods and has ${healthy} currently`;
  return new ApiError(429, 'TooManyRequests', message, { causes: [{ reason: 'DisruptionBudget', message: why }] });
}

/** An empty selector selects all, none at all nothing. */
const selects = (budget: KubeObject, pod: KubeObject): boolean => {
  const selector = valueAt(budget, 'spec', 'selector');
  return isObject(selector) && matchesSelector(selector, pod.metadata.labels);
};

const hasEnded = (pod: KubeObject): boolean =>
  ['Succeeded', 'Failed'].includes(String(valueAt(pod, 'status', 'phase')));

function isHealthy(pod: KubeObject): boolean {
  const conditions = valueAt(pod, 'status', 'conditions');
  if (pod.metadata.deletionTimestamp !== undefined || !Array.isArray(conditions)) return false;
  return conditions.some(
    (condition) => isObject(condition) && condition.type === 'Ready' && condition.status === 'True',
  );
}

/** Healthy pods that must stay. Shares round up, both ways. */
function desiredOf(budget: KubeObject, expected: number): number {
  const least = valueAt(budget, 'spec', 'minAvailable');
  if (least !== undefined) return countOf(least, expected);
  return Math.max(0, expected - countOf(valueAt(budget, 'spec', 'maxUnavailable') ?? 0, expected));
}

function countOf(value: unknown, expected: number): number {
  const percent = /^(\d+)%$/.exec(String(value))?.[1];
  return percent === undefined ? Number(value) : Math.ceil((Number(percent) / 100) * expected);
}
