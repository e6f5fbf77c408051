// The states a signal can be in, made in one place: a value (or idle, or stale), and missing with its cause.
import type { MetricTarget } from '@kubeai/policy';
import { elapsed } from '@kubeai/units';
import type { Fleet } from './fleet.ts';
import { limits } from './limits.ts';
import type { MissingCause, Signal } from './signal.ts';
import { significant } from './significant.ts';

export function signal(
  { name, shape, target }: MetricTarget,
  source: string,
  state: 'value' | 'idle' | 'stale',
  value: number,
  assumed: number,
  measured: number,
  silent: number,
  ageMs: number,
): Signal {
  return {
    name,
    shape,
    target,
    source,
    state,
    value: significant(value),
    assumed: significant(assumed),
    measured,
    silent,
    ageMs,
  };
}

export function missing(
  { name, shape, target }: MetricTarget,
  fleet: Fleet,
  cause: MissingCause,
  source: string,
  ageMs?: number,
): Signal {
  const found = {
    name,
    shape,
    target,
    source,
    state: 'missing',
    cause,
    assumed: 0,
    measured: 0,
    silent: fleet.serving,
  } as const;
  return ageMs === undefined ? found : { ...found, ageMs: Math.round(ageMs) };
}

/** No serving pod is fresh: stale for a while, then missing. */
export function unheard(metric: MetricTarget, fleet: Fleet, source: string, last: number | undefined): Signal {
  let youngest = Number.POSITIVE_INFINITY;
  for (const state of fleet.silent) {
    if (state !== undefined) youngest = Math.min(youngest, elapsed(state.measuredAt, fleet.now));
  }
  if (youngest <= limits.lostAfter && last !== undefined) {
    return signal(metric, source, 'stale', last, 0, 0, fleet.silent.length, youngest);
  }
  const cause = fleet.serving === 0 ? 'NoPods' : fleet.lostReport ? 'Lost' : 'NoReports';
  return missing(metric, fleet, cause, source, Number.isFinite(youngest) ? youngest : undefined);
}
