// Something outside that is sampled now and then: an engine, GPUs, a cgroup, the host. A source never throws and never
// waits; it says what it knows and how old that is, or why it knows nothing.
import type { Absence } from '@kubeai/protocol';
import { maxSampleAge } from './limits.ts';

export type Reading<Sample> =
  | { readonly kind: 'sample'; readonly sample: Sample; readonly ageMs: number }
  | { readonly kind: 'absent'; readonly because: Absence };

export interface Source<Sample> {
  latest(now: number): Reading<Sample>;
  stop(): void;
}

/** What a source keeps: the newest sample, until it is too old, and the newest trouble. */
export interface Kept<Sample> {
  put(sample: Sample, at: number): void;
  /** From now on a sample is missing for this reason; the last one stays until it is too old. */
  miss(because: Absence): void;
  latest(now: number): Reading<Sample>;
}

export function createKept<Sample>(): Kept<Sample> {
  let newest: { readonly sample: Sample; readonly at: number } | undefined;
  let trouble: Absence = 'NotYet';
  return {
    put(sample, at) {
      newest = { sample, at };
    },
    miss(because) {
      trouble = because;
      if (because === 'NotSupported' || because === 'NotAsked') newest = undefined;
    },
    latest(now) {
      if (newest === undefined) return { kind: 'absent', because: trouble };
      const ageMs = Math.max(0, Math.round(now - newest.at));
      return ageMs <= maxSampleAge
        ? { kind: 'sample', sample: newest.sample, ageMs }
        : { kind: 'absent', because: trouble === 'NotYet' ? 'Unreachable' : trouble };
    },
  };
}

/** A source that was switched off, or that cannot exist here. */
export const absentSource = (because: Absence): Source<never> => ({
  latest: () => ({ kind: 'absent', because }),
  stop: () => undefined,
});
