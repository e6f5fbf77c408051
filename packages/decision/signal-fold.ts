// Folds what the pods of a target report into its signals. State is one closure per policy: a few numbers of each pod,
// means of the fleet's totals, and windows of latencies that are added up as reports arrive, so that deciding costs the
// same however much was measured, and no report is kept. Totals are averaged over the fleet and not pod by pod: when a
// replica joins, load moves between pods within a second, and means of single pods would count it twice.
import type { MetricName, MetricTarget, Policy } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { before, elapsed, type Instant, milliseconds } from '@kubeai/units';
import { createAgentSignals } from './agent-signal.ts';
import { externalSignal, type ReceivedSample } from './external-signal.ts';
import { type Fleet, fleetOf, forgetGone } from './fleet.ts';
import { createFleetTraffic } from './fleet-traffic.ts';
import { createLatencyWindows } from './latency-windows.ts';
import type { PodFacts } from './ledger.ts';
import { limits } from './limits.ts';
import { follows, never } from './moving-mean.ts';
import { type Gauge, gauges } from './pod-measures.ts';
import { newPodState, notAfter, type PodState, settleTotals, takeReport } from './pod-state.ts';
import type { ExternalSample, Folded, Signal, Traffic } from './signal.ts';
import { missing } from './signal-states.ts';
import { slotsOf } from './totals.ts';

export interface ReceivedReport {
  readonly report: Report;
  readonly receivedAt: Instant;
}

export interface SignalFold {
  /** Takes one report in. Replays of seconds that are no news any more are left out. */
  accept(report: Report, receivedAt: Instant): void;
  /** Takes an answer of a source outside the pods; the last one of a metric counts. */
  acceptExternal(sample: ExternalSample, receivedAt: Instant): void;
  /** The signals of the policy and the traffic of the target as known at `now`. Pods that are gone are forgotten. */
  fold(pods: readonly PodFacts[], now: Instant): Folded;
}

export function createSignalFold(policy: Policy): SignalFold {
  const pods = new Map<string, PodState>();
  const external = new Map<MetricName, ReceivedSample>();
  /** Pods that served at the last look. */
  let served = 0;
  let lookedAt: Instant = never;

  const slots = slotsOf(policy);
  const gaugeNames = policy.metrics.flatMap(({ name }) => (name in gauges ? [name as Gauge] : []));
  const latencies = createLatencyWindows(policy);
  const totals = createFleetTraffic(slots, latencies);
  const agents = createAgentSignals(slots, gaugeNames, totals, latencies);

  return {
    accept(report, receivedAt) {
      const measuredAt = before(receivedAt, milliseconds(Math.max(0, report.ageMs)));
      if (elapsed(measuredAt, receivedAt) > limits.staleAfter) return;
      latencies.add(report.traffic, receivedAt);
      let state = pods.get(report.pod.uid);
      if (state === undefined) {
        state = newPodState(slots, gaugeNames);
        pods.set(report.pod.uid, state);
      } else {
        notAfter(state, receivedAt);
        // A replay that comes late.
        if (measuredAt < state.measuredAt) return;
      }
      takeReport(state, report, measuredAt, slots, gaugeNames);
    },

    acceptExternal(sample, receivedAt) {
      external.set(sample.name, { sample, receivedAt });
    },

    fold(podFacts, now) {
      if (pods.size > podFacts.length) forgetGone(pods, podFacts);
      const span = follows(lookedAt, now) ? elapsed(lookedAt, now) : 0;
      lookedAt = now;
      for (const state of pods.values()) {
        notAfter(state, now);
        settleTotals(state, slots, span, now);
      }
      const fleet = fleetOf(podFacts, pods, now);
      // A mean per pod is no total: when replicas join, it would tell of the old crowd for a minute and buy twice.
      if (served > 0 && fleet.serving > 0 && fleet.serving !== served) agents.scale(served / fleet.serving);
      served = fleet.serving;
      const traffic = totals.follow(fleet, span);
      const signals = policy.metrics.map((metric) => signalOf(metric, fleet, traffic));
      return { signals, traffic };
    },
  };

  function signalOf(metric: MetricTarget, fleet: Fleet, traffic: Traffic): Signal {
    const fromOutside = externalSignal(metric, external.get(metric.name), fleet);
    if (metric.source === 'prometheus') return fromOutside ?? missing(metric, fleet, 'NotAsked', 'prometheus');
    const fromAgents = agents.signalOf(metric, fleet, traffic);
    if (fromAgents.state === 'value' || fromAgents.state === 'idle' || metric.source === 'agents') return fromAgents;
    return fromOutside?.state === 'value' || fromOutside?.state === 'idle' ? fromOutside : fromAgents;
  }
}

/**
 * The same from a list of reports, for callers that keep them: each pod's reports with the instants they arrived at.
 * @param pods the target's pods now
 */
export function foldSignals(
  policy: Policy,
  reports: Iterable<ReceivedReport>,
  pods: readonly PodFacts[],
  now: Instant,
  external: Iterable<{ readonly sample: ExternalSample; readonly receivedAt: Instant }> = [],
): Folded {
  const fold = createSignalFold(policy);
  const ordered = [...reports].sort(
    (left, right) =>
      left.receivedAt - right.receivedAt ||
      (left.report.pod.uid < right.report.pod.uid ? -1 : left.report.pod.uid > right.report.pod.uid ? 1 : 0) ||
      left.report.sequence - right.report.sequence,
  );
  for (let at = 0; at < ordered.length; at += 1) {
    const { report, receivedAt } = ordered[at]!;
    fold.accept(report, receivedAt);
    // Means follow the fleet's total from moment to moment: look whenever a moment's reports are complete.
    if (ordered[at + 1]?.receivedAt !== receivedAt) fold.fold(pods, receivedAt);
  }
  for (const { sample, receivedAt } of external) fold.acceptExternal(sample, receivedAt);
  return fold.fold(pods, now);
}
