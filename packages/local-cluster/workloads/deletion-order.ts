// Which pods a ReplicaSet gives up first: the order of kube-controller-manager's ActivePodsWithRanks, rule by rule,
// because a scale-down that drops other pods than a real cluster would is a rehearsal of something else.
import { conditionOf, isActive, isReady, type Pod, restartsAlways } from './objects.ts';

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };

/**
 * `pods`, the ones to delete first in front. `related` are all pods of the ReplicaSets with the same owner: a pod on
 * a node that already carries many of them goes earlier. `now` is in milliseconds.
 */
export function deletionOrder(pods: readonly Pod[], related: readonly Pod[], now: number): Pod[] {
  const onNode = new Map<string, number>();
  for (const pod of related.filter(isActive)) {
    const node = pod.spec.nodeName ?? '';
    onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const neighbours = (pod: Pod) => onNode.get(pod.spec.nodeName ?? '') ?? 0;
  return [...pods].sort((a, b) => compare(a, b, neighbours, now));
}

function compare(a: Pod, b: Pod, neighbours: (pod: Pod) => number, now: number): number {
  const readyBoth = isReady(a) && isReady(b);
  return (
    Number(isAssigned(a)) - Number(isAssigned(b)) ||
    rankOfPhase(a) - rankOfPhase(b) ||
    Number(isReady(a)) - Number(isReady(b)) ||
    deletionCost(a) - deletionCost(b) ||
    neighbours(b) - neighbours(a) ||
    (readyBoth ? youngerFirst(a, b, readySince(a), readySince(b), now) : 0) ||
    restarts(b, 'containers') - restarts(a, 'containers') ||
    restarts(b, 'sidecars') - restarts(a, 'sidecars') ||
    youngerFirst(a, b, instantOf(a.metadata.creationTimestamp), instantOf(b.metadata.creationTimestamp), now)
  );
}

const isAssigned = (pod: Pod): boolean => (pod.spec.nodeName ?? '') !== '';
const rankOfPhase = (pod: Pod): number => phaseRank[pod.status?.phase ?? 'Pending'] ?? 0;
const instantOf = (time: string | undefined): number => (time === undefined ? 0 : Date.parse(time));
const readySince = (pod: Pod): number => instantOf(conditionOf(pod.status?.conditions, 'Ready')?.lastTransitionTime);

/** An annotation that is no 32-bit integer counts as 0; the API server warns about it, nobody fails. */
export function deletionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.['controller.kubernetes.io/pod-deletion-cost'];
  if (text === undefined || !/^(?:0|-?[1-9]\d*)$/.test(text)) return 0;
  const cost = Number(text);
  return cost >= -(2 ** 31) && cost < 2 ** 31 ? cost : 0;
}

// Ages are compared by their logarithm, so that among pods of about the same age the choice is arbitrary (by uid)
// and the newest node's pods are not always the ones that go. An unknown time counts as younger than everything.
function youngerFirst(a: Pod, b: Pod, first: number, second: number, now: number): number {
  if (first === second) return 0;
  if (first === 0 || second === 0) return first - second;
  const difference = magnitude(now - first) - magnitude(now - second);
  if (difference !== 0) return difference;
  return (a.metadata.uid ?? '') < (b.metadata.uid ?? '') ? -1 : 1;
}

const nanosecondsPerMillisecond = 1e6;
const magnitude = (age: number): number => (age > 0 ? Math.floor(Math.log2(age * nanosecondsPerMillisecond)) : -1);

function restarts(pod: Pod, of: 'containers' | 'sidecars'): number {
  if (of === 'containers') return most(pod.status?.containerStatuses);
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(restartsAlways).map(({ name }) => name));
  return most(pod.status?.initContainerStatuses?.filter(({ name }) => sidecars.has(name)));
}

const most = (statuses: readonly { restartCount: number }[] = []): number =>
  statuses.reduce((worst, { restartCount }) => Math.max(worst, restartCount), 0);
