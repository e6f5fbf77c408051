// Stabilisation windows as HPA v2 has them: growing follows the lowest wish of its window, shrinking the highest of its
// own, and a size between the two stays. Wishes are raw proposals; remembering stabilised ones would never come down.

export interface Wish {
  readonly replicas: number;
  readonly ageMs: number;
}

/**
 * With a window for each direction. A wish exactly as old as its window does not count any more.
 * @returns the size to go for
 */
export function stabilize(
  current: number,
  proposal: number,
  wishes: Iterable<Wish>,
  windows: { readonly upMs: number; readonly downMs: number },
): number {
  let lowest = proposal;
  let highest = proposal;
  for (const { replicas, ageMs } of wishes) {
    if (ageMs < windows.upMs) lowest = Math.min(lowest, replicas);
    if (ageMs < windows.downMs) highest = Math.max(highest, replicas);
  }
  const raised = Math.max(current, lowest);
  return Math.min(raised, highest);
}

/** The form without a behaviour: shrinking only, and a wish exactly as old as the window still counts. */
export function stabilizeDefault(proposal: number, wishes: Iterable<Wish>, windowMs: number): number {
  let highest = proposal;
  for (const { replicas, ageMs } of wishes) if (ageMs <= windowMs) highest = Math.max(highest, replicas);
  return highest;
}
