// The arithmetic of a Deployment, as kube-controller-manager does it: how many replicas each of its ReplicaSets should
// have next. Plain numbers in, plain numbers out; deployment.ts reads and writes the objects.
import type { Deployment, Port } from './objects.ts';

/** One ReplicaSet as far as the arithmetic looks at it. Oldest first wherever a list of them is asked for. */
export interface Generation {
  readonly name: string;
  readonly replicas: number;
  readonly available: number;
  /** How large all of them together might be when this size was set, as the ReplicaSet's annotation says. */
  readonly max?: number;
}

export interface Bounds {
  readonly surge: number;
  readonly unavailable: number;
}

/** Percentages round up for surge and down for unavailability; both zero would never move, so one may be missing. */
export function boundsOf({ spec }: Deployment): Bounds {
  if (spec.strategy?.type === 'Recreate') return { surge: 0, unavailable: 0 };
  const replicas = spec.replicas ?? 1;
  const { maxSurge = '25%', maxUnavailable = '25%' } = spec.strategy?.rollingUpdate ?? {};
  const surge = share(maxSurge, replicas, Math.ceil);
  const unavailable = share(maxUnavailable, replicas, Math.floor);
  const stuck = surge === 0 && unavailable === 0;
  return { surge, unavailable: Math.min(stuck ? 1 : unavailable, replicas) };
}

function share(value: Port, of: number, round: (value: number) => number): number {
  if (typeof value === 'number') return value;
  return round((Number.parseInt(value, 10) * of) / 100);
}

const total = (sets: readonly Generation[], field: 'replicas' | 'available'): number =>
  sets.reduce((sum, set) => sum + set[field], 0);

/** The next size of the newest ReplicaSet in a rolling update, when it is still `current` large. */
export function nextSizeOfNewest(desired: number, bounds: Bounds, current: number, old: readonly Generation[]): number {
  if (current >= desired) return desired;
  const room = desired + bounds.surge - (current + total(old, 'replicas'));
  return room <= 0 ? current : Math.min(current + room, desired);
}

/**
 * The next sizes of the older ReplicaSets in a rolling update, by name. Replicas that do not work go first, at no cost;
 * then as many as the available ones exceed the minimum. A newest ReplicaSet that does not become available holds both.
 */
export function nextSizesOfOld(
  desired: number,
  bounds: Bounds,
  newest: Generation,
  old: readonly Generation[],
): Map<string, number> {
  const sizes = new Map(old.map(({ name, replicas }) => [name, replicas]));
  const minimum = desired - bounds.unavailable;
  const missing = newest.replicas - newest.available;
  const mayGo = total(old, 'replicas') + newest.replicas - minimum - missing;
  if (total(old, 'replicas') === 0 || mayGo <= 0) return sizes;

  let cleaned = 0;
  for (const { name, replicas, available } of old) {
    const broken = Math.min(mayGo - cleaned, replicas - available);
    if (broken <= 0) continue;
    sizes.set(name, replicas - broken);
    cleaned += broken;
  }
  let spare = total(old, 'available') + newest.available - minimum;
  for (const { name } of old) {
    const size = sizes.get(name) ?? 0;
    const going = Math.max(0, Math.min(spare, size));
    sizes.set(name, size - going);
    spare -= going;
  }
  return sizes;
}

/**
 * New sizes when the Deployment was scaled in the middle of a rollout: the difference is spread in proportion to the
 * sizes, so that nobody's progress is lost. `sets` are the active ones; leftovers go to the largest.
 */
export function spreadScaling(desired: number, bounds: Bounds, sets: readonly Generation[]): Map<string, number> {
  const allowed = desired > 0 ? desired + bounds.surge : 0;
  const toAdd = allowed - total(sets, 'replicas');
  // Growing, the newer of two equal ones gains first; shrinking, the older one loses first.
  const largest = sets
    .map((set, index) => ({ ...set, index }))
    .sort((a, b) => b.replicas - a.replicas || (toAdd > 0 ? b.index - a.index : a.index - b.index));
  const sizes = new Map<string, number>();
  let added = 0;
  for (const set of largest) {
    const part = toAdd === 0 ? 0 : proportion(set, desired, bounds, toAdd, added);
    sizes.set(set.name, set.replicas + part);
    added += part;
  }
  const leader = largest[0];
  if (leader !== undefined && toAdd !== 0) {
    sizes.set(leader.name, Math.max(0, (sizes.get(leader.name) ?? 0) + toAdd - added));
  }
  return sizes;
}

function proportion(set: Generation, desired: number, bounds: Bounds, toAdd: number, added: number): number {
  const allowed = toAdd - added;
  if (set.replicas === 0 || allowed === 0) return 0;
  const fraction = fractionOf(set, desired, bounds);
  return toAdd > 0 ? Math.min(fraction, allowed) : Math.max(fraction, allowed);
}

function fractionOf(set: Generation, desired: number, bounds: Bounds): number {
  if (desired === 0) return -set.replicas;
  const before = set.max ?? desired + bounds.surge;
  if (before === 0) return 0;
  const size = (set.replicas * (desired + bounds.surge)) / before;
  return Math.sign(size) * Math.round(Math.abs(size)) - set.replicas;
}
