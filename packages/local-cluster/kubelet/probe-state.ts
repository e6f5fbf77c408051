// What a row of probe outcomes means: a result changes only after enough outcomes of one kind in a row. Pure.
import type { Probe } from '../workloads/objects.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export type Outcome = 'success' | 'failure';

export interface ProbeState {
  readonly result: Outcome | 'unknown';
  readonly last: Outcome | undefined;
  /** How many times `last` came in a row. */
  readonly run: number;
}

const initial = { startup: 'unknown', liveness: 'success', readiness: 'failure' } as const;

export const freshProbe = (kind: ProbeKind): ProbeState => ({ result: initial[kind], last: undefined, run: 0 });

export function observe(state: ProbeState, probe: Probe, outcome: Outcome): ProbeState {
  const run = state.last === outcome ? state.run + 1 : 1;
  const enough = run >= (outcome === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3));
  return { result: enough ? outcome : state.result, last: outcome, run };
}
