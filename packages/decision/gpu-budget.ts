// How many replicas a target may have when several share GPUs that are too few for all. Who runs keeps what it has; what is
// free goes to the policy of the highest priority first, and is kept for it even where it is not enough yet, or small
// replicas would starve a large one for ever.

/** What one policy has of a budget, and what it would have without one. */
export interface GpuClaim {
  /** Of the policy; of equal priorities the lower key goes first. */
  readonly key: string;
  /** Policies on one target use its GPUs once. */
  readonly target: string;
  readonly priority: number;
  readonly gpusPerReplica: number;
  readonly replicas: number;
  readonly wanted: number;
}

/**
 * The most replicas that the claimant may have now; never fewer than it has.
 * @param budget GPUs in all
 * @param claims of everybody in the budget, the claimant among them or not
 */
export function replicasWithin(budget: number, claims: readonly GpuClaim[], claimant: GpuClaim): number {
  const used = new Map([[claimant.target, claimant.replicas * claimant.gpusPerReplica]]);
  let kept = 0;
  for (const claim of claims) {
    if (claim.target === claimant.target) continue;
    const gpus = claim.replicas * claim.gpusPerReplica;
    used.set(claim.target, Math.max(gpus, used.get(claim.target) ?? 0));
    if (goesFirst(claim, claimant)) kept += Math.max(0, claim.wanted - claim.replicas) * claim.gpusPerReplica;
  }
  let free = budget - kept;
  for (const gpus of used.values()) free -= gpus;
  // Parts of a GPU add up to wholes that floats miss by a hair.
  return claimant.replicas + Math.max(0, Math.floor(free / claimant.gpusPerReplica + 1e-9));
}

const goesFirst = (claim: GpuClaim, than: GpuClaim): boolean =>
  claim.priority === than.priority ? claim.key < than.key : claim.priority > than.priority;
