// The GPU budgets of this controller and who has how much of them. Claims are noted as decisions are made, so that two
// policies that are looked at in the same second do not both take the last GPU.
import { type Decision, type GpuClaim, replicasWithin } from '@kubeai/decision';
import type { Policy } from '@kubeai/policy';
import type { PolicyBook, PolicyEntry } from './policy-book.ts';
import { targetKey } from './targets.ts';

export interface GpuBudgets {
  /**
   * The most replicas that a policy may have while its target has so many; undefined without a budget. A budget that the
   * controller does not know has nothing to give, and nobody grows before every claim on it is known.
   */
  mostReplicas(key: string, policy: Policy, replicas: number): number | undefined;
  note(key: string, decision: Decision): void;
  /** What the policy names has no replicas, or is somebody else's to scale. */
  noteNothing(key: string): void;
  forget(key: string): void;
}

interface Noted {
  readonly replicas: number;
  readonly wanted: number;
}

/** @param budgets GPUs by the budget's name */
export function createGpuBudgets(budgets: ReadonlyMap<string, number>, policies: PolicyBook): GpuBudgets {
  const noted = new Map<string, Noted>();

  const claimOf = ({ key, policy }: { readonly key: string; readonly policy: Policy }, has: Noted): GpuClaim => ({
    key,
    target: targetKey({ ...policy.target, namespace: policy.namespace }),
    priority: policy.gpu.priority,
    gpusPerReplica: policy.gpu.perReplica ?? 1,
    replicas: has.replicas,
    // Whoever only recommends takes none.
    wanted: policy.mode === 'Active' ? has.wanted : has.replicas,
  });

  return {
    mostReplicas(key, policy, replicas) {
      const { budget } = policy.gpu;
      if (budget === undefined) return undefined;
      const claims: GpuClaim[] = [];
      for (const entry of policies.inBudget(budget)) {
        const has = noted.get(entry.key);
        if (entry.key === key) continue;
        if (has === undefined) return replicas;
        claims.push(claimOf(entry as PolicyEntry & { policy: Policy }, has));
      }
      return replicasWithin(budgets.get(budget) ?? 0, claims, claimOf({ key, policy }, { replicas, wanted: replicas }));
    },
    note(key, { replicas, recommended, steps }) {
      const held = steps.find(({ stage }) => stage === 'gpuBudget');
      noted.set(key, { replicas, wanted: held?.before ?? recommended });
    },
    noteNothing: (key) => void noted.set(key, { replicas: 0, wanted: 0 }),
    forget: (key) => void noted.delete(key),
  };
}
