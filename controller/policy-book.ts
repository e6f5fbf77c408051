// All policies as they are now, parsed once a version, and who else claims the same target.
import { type KubeObject, keyOf, nameOf, type Reflector } from '@kubeai/kube';
import { apiVersion, kind, type Policy, parsePolicy } from '@kubeai/policy';
import type { FieldProblem } from '@kubeai/units';
import { targetKey } from './targets.ts';

export interface PolicyObject extends KubeObject {
  readonly spec?: unknown;
  readonly status?: unknown;
}

export interface PolicyEntry {
  readonly key: string;
  readonly object: PolicyObject;
  readonly policy: Policy | undefined;
  /** What is wrong with it; empty when `policy` is there. */
  readonly problems: readonly FieldProblem[];
}

export interface HorizontalPodAutoscaler extends KubeObject {
  readonly spec?: {
    readonly scaleTargetRef?: { readonly apiVersion?: string; readonly kind?: string; readonly name?: string };
  };
}

export interface PolicyBook {
  read(key: string): PolicyEntry | undefined;
  keys(): IterableIterator<string>;
  /** Why this policy must leave its target alone, in a sentence; undefined when it is the one to scale it. */
  conflictOf(entry: PolicyEntry): string | undefined;
  /** The policies that name a target. */
  claimants(target: string): readonly string[];
  /** The policies that count their GPUs in a budget. */
  inBudget(budget: string): Iterable<PolicyEntry>;
}

/** @param changed told about each policy whose spec, conflicts or existence changed */
export function createPolicyBook(
  reflector: Reflector<PolicyObject>,
  autoscalers: Reflector<HorizontalPodAutoscaler> | undefined,
  changed: (key: string) => void,
): PolicyBook {
  const entries = new Map<string, PolicyEntry>();
  const claims = new Map<string, Set<string>>();
  const budgets = new Map<string, Map<string, PolicyEntry>>();
  const rivals = new Map<string, Set<string>>();

  const targetOf = ({ policy }: PolicyEntry): string | undefined =>
    policy === undefined ? undefined : targetKey({ ...policy.target, namespace: policy.namespace });

  const enterBudget = (entry: PolicyEntry) => {
    const budget = entry.policy?.gpu.budget;
    if (budget === undefined) return;
    const members = budgets.get(budget) ?? new Map();
    budgets.set(budget, members.set(entry.key, entry));
  };

  const withdraw = (entry: PolicyEntry) => {
    const budget = entry.policy?.gpu.budget;
    if (budget !== undefined && budgets.get(budget)?.delete(entry.key) && budgets.get(budget)?.size === 0) {
      budgets.delete(budget);
    }
    const target = targetOf(entry);
    if (target === undefined) return;
    const others = claims.get(target);
    others?.delete(entry.key);
    if (others?.size === 0) claims.delete(target);
    for (const other of others ?? []) changed(other);
  };

  reflector.subscribe({
    upsert(object, old) {
      const key = keyOf(object.metadata);
      const known = entries.get(key);
      // Our own status writes come back as changes; the spec's generation stands still then.
      const sameSpec =
        old?.metadata.generation === object.metadata.generation && object.metadata.generation !== undefined;
      if (known !== undefined && sameSpec && old?.metadata.uid === object.metadata.uid) {
        entries.set(key, { ...known, object });
        return;
      }
      if (known !== undefined) withdraw(known);
      const entry = entryOf(key, object);
      entries.set(key, entry);
      enterBudget(entry);
      const target = targetOf(entry);
      if (target !== undefined) claims.set(target, (claims.get(target) ?? new Set()).add(key));
      for (const other of target === undefined ? [] : (claims.get(target) ?? [])) changed(other);
      changed(key);
    },
    remove(object) {
      const key = keyOf(object.metadata);
      const entry = entries.get(key);
      entries.delete(key);
      if (entry !== undefined) withdraw(entry);
      changed(key);
    },
  });

  const move = (autoscaler: HorizontalPodAutoscaler, present: boolean) => {
    const { apiVersion = '', kind: targetKind = '', name = '' } = autoscaler.spec?.scaleTargetRef ?? {};
    const namespace = autoscaler.metadata.namespace ?? '';
    const target = targetKey({ apiVersion, kind: targetKind, name, namespace });
    const names = rivals.get(target) ?? new Set();
    if (present) rivals.set(target, names.add(autoscaler.metadata.name));
    else names.delete(autoscaler.metadata.name);
    if (names.size === 0) rivals.delete(target);
    for (const key of claims.get(target) ?? []) changed(key);
  };
  autoscalers?.subscribe({
    upsert(autoscaler, old) {
      if (old !== undefined) move(old, false);
      move(autoscaler, true);
    },
    remove: (autoscaler) => move(autoscaler, false),
  });

  return {
    read: (key) => entries.get(key),
    keys: () => entries.keys(),
    claimants: (target) => [...(claims.get(target) ?? [])],
    inBudget: (budget) => budgets.get(budget)?.values() ?? [],
    conflictOf(entry) {
      const target = targetOf(entry);
      // Whoever only watches or recommends is in nobody's way: so a policy is tried beside what scales today.
      if (target === undefined || entry.policy?.mode !== 'Active') return undefined;
      const [rival] = rivals.get(target) ?? [];
      // An HPA does not know of us and would scale against whatever we do, so age does not matter here.
      if (rival !== undefined)
        return `the HorizontalPodAutoscaler ${rival} scales the same target: delete one of the two`;
      for (const key of claims.get(target) ?? []) {
        const other = entries.get(key);
        if (other?.policy?.mode === 'Active' && key !== entry.key && isOlder(other, entry)) {
          return `the older policy ${nameOf(key).name} scales the same target: delete one of the two`;
        }
      }
      return undefined;
    },
  };
}

function entryOf(key: string, object: PolicyObject): PolicyEntry {
  const parsed = parsePolicy({ apiVersion, kind, ...object });
  return parsed.ok
    ? { key, object, policy: parsed.value, problems: [] }
    : { key, object, policy: undefined, problems: parsed.problems };
}

/** The older object scales; of two made in the same second, the one whose name comes first. */
function isOlder(one: PolicyEntry, other: PolicyEntry): boolean {
  const [a, b] = [one.object.metadata.creationTimestamp ?? '', other.object.metadata.creationTimestamp ?? ''];
  return a === b ? one.key < other.key : a < b;
}
