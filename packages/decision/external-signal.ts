// The signal of a metric that a source outside the pods was asked about.
import type { MetricTarget } from '@kubeai/policy';
import { elapsed, type Instant } from '@kubeai/units';
import type { Fleet } from './fleet.ts';
import { limits } from './limits.ts';
import type { ExternalSample, MissingCause, Signal } from './signal.ts';
import { missing, signal } from './signal-states.ts';

export interface ReceivedSample {
  readonly sample: ExternalSample;
  readonly receivedAt: Instant;
}

/** Undefined where the metric has no source outside. `last`: its last answer. */
export function externalSignal(
  metric: MetricTarget,
  last: ReceivedSample | undefined,
  fleet: Fleet,
): Signal | undefined {
  if (metric.prometheusQuery === undefined && metric.source !== 'prometheus') return undefined;
  if (last === undefined) return missing(metric, fleet, 'NotAsked', 'prometheus');
  const { sample, receivedAt } = last;
  if (sample.kind === 'missing') return missing(metric, fleet, sample.cause, 'prometheus');
  const wrong = externalProblem(sample);
  if (wrong !== undefined) return missing(metric, fleet, wrong, 'prometheus');
  const ageMs = Math.round(Math.max(0, sample.ageMs) + elapsed(receivedAt, fleet.now));
  if (ageMs > limits.externalLostAfter) return missing(metric, fleet, 'Lost', 'prometheus', ageMs);
  const measured = Math.max(0, Math.min(fleet.serving, sample.pods ?? fleet.serving));
  const silent = fleet.serving - measured;
  const assumed = metric.shape === 'perReplica' ? silent * metric.target : 0;
  // No answer takes no time at all: this is how a query says that there was none to measure.
  const sound = metric.shape === 'latency' && sample.value === 0 ? 'idle' : 'value';
  const state = ageMs <= limits.externalStaleAfter ? sound : 'stale';
  return signal(metric, 'prometheus', state, sample.value, assumed, measured, silent, ageMs);
}

/** What makes a number from outside no measurement. */
export function externalProblem(sample: { readonly value: number; readonly ageMs: number }): MissingCause | undefined {
  if (Number.isNaN(sample.value) || Number.isNaN(sample.ageMs)) return 'NotANumber';
  if (!Number.isFinite(sample.value) || sample.value < 0 || sample.value > 1e15) return 'OutOfRange';
  if (sample.ageMs < -limits.futureTolerance) return 'FutureTimestamp';
  return undefined;
}
