// Where a pod fits: requests against what a node still has. Pure; scheduler.ts reads the world and binds.

import { quantityOf } from '../api-server/quantity.ts';
import { podsPerNode } from './limits.ts';
import { type Container, type Node, type Pod, type Quantities, restartsAlways } from './objects.ts';

export type Amounts = Readonly<Record<string, number>>;

/** A node with what the pods bound to it have asked for. */
export interface NodeLoad {
  readonly node: Node;
  readonly requested: Amounts;
  readonly pods: number;
}

export type Placement =
  | { readonly kind: 'bound'; readonly node: string }
  | { readonly kind: 'unschedulable'; readonly message: string };

/**
 * What a pod asks for: its containers and native sidecars together, or its largest init container with the sidecars
 * started before it, whichever is more.
 */
export function requestsOf({ spec }: Pod): Amounts {
  let sidecars: Amounts = {};
  let peak: Amounts = {};
  for (const container of spec.initContainers ?? []) {
    if (restartsAlways(container)) {
      sidecars = add(sidecars, requested(container));
      peak = larger(peak, sidecars);
    } else {
      peak = larger(peak, add(sidecars, requested(container)));
    }
  }
  const steady = spec.containers.map(requested).reduce(add, sidecars);
  return add(larger(peak, steady), amountsOf(spec.overhead ?? {}));
}

// An extended resource is often given as a limit alone; the API server's defaulting makes it a request as well.
const requested = ({ resources }: Container): Amounts => amountsOf({ ...resources?.limits, ...resources?.requests });

export const amountsOf = (quantities: Quantities): Amounts =>
  Object.fromEntries(Object.entries(quantities).map(([resource, quantity]) => [resource, quantityOf(quantity) ?? 0]));

const names = (a: Amounts, b: Amounts): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])];

export const add = (a: Amounts, b: Amounts): Amounts =>
  Object.fromEntries(names(a, b).map((name) => [name, (a[name] ?? 0) + (b[name] ?? 0)]));

const larger = (a: Amounts, b: Amounts): Amounts =>
  Object.fromEntries(names(a, b).map((name) => [name, Math.max(a[name] ?? 0, b[name] ?? 0)]));

/** The least loaded node that takes the pod, or why none does, in the scheduler's usual words. */
export function place(pod: Pod, nodes: readonly NodeLoad[]): Placement {
  const requests = requestsOf(pod);
  const refusals = new Map<string, number>();
  const fitting: NodeLoad[] = [];
  for (const load of nodes) {
    const reasons = refusalsOf(pod, requests, load);
    if (reasons.length === 0) fitting.push(load);
    for (const reason of reasons) refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
  }
  const best = fitting.sort((a, b) => loadOf(a) - loadOf(b) || a.pods - b.pods)[0];
  if (best !== undefined) return { kind: 'bound', node: best.node.metadata.name };
  if (nodes.length === 0) return { kind: 'unschedulable', message: 'no nodes available to schedule pods' };
  const reasons = [...refusals].map(([reason, count]) => `${count} ${reason}`).sort();
  const head = `0/${nodes.length} nodes are available: ${reasons.join(', ')}.`;
  const tail = `preemption: 0/${nodes.length} nodes are available: ${nodes.length} No preemption victims found for incoming pod.`;
  return { kind: 'unschedulable', message: `${head} ${tail}` };
}

function refusalsOf(pod: Pod, requests: Amounts, { node, requested: taken, pods }: NodeLoad): string[] {
  if (node.spec?.unschedulable === true) return ['node(s) were unschedulable'];
  const selector = Object.entries(pod.spec.nodeSelector ?? {});
  if (!selector.every(([label, value]) => node.metadata.labels?.[label] === value)) {
    return ["node(s) didn't match Pod's node affinity/selector"];
  }
  const taint = (node.spec?.taints ?? []).find((candidate) => !isTolerated(candidate, pod));
  if (taint !== undefined) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  const allocatable = amountsOf(node.status?.allocatable ?? {});
  const insufficient = Object.entries(requests)
    .filter(([resource, amount]) => amount > 0 && amount + (taken[resource] ?? 0) > (allocatable[resource] ?? 0))
    .map(([resource]) => `Insufficient ${resource}`);
  return pods + 1 > (allocatable.pods ?? podsPerNode) ? ['Too many pods', ...insufficient] : insufficient;
}

function isTolerated(taint: { key: string; value?: string; effect: string }, { spec }: Pod): boolean {
  if (taint.effect === 'PreferNoSchedule') return true;
  return (spec.tolerations ?? []).some((toleration) => {
    if (toleration.effect && toleration.effect !== taint.effect) return false;
    if (toleration.operator === 'Exists') return !toleration.key || toleration.key === taint.key;
    return toleration.key === taint.key && (toleration.value ?? '') === (taint.value ?? '');
  });
}

/** The share of the fullest resource that is taken, as the scheduler's least-allocated score. */
function loadOf({ node, requested: taken }: NodeLoad): number {
  const allocatable = amountsOf(node.status?.allocatable ?? {});
  const shares = ['cpu', 'memory', 'nvidia.com/gpu'].map(
    (resource) => (taken[resource] ?? 0) / (allocatable[resource] || 1),
  );
  return Math.max(...shares);
}
