// The signal of a metric by what the agents of a fleet report: a total, a percentile of latencies, or a mean of gauges.
import type { MetricTarget } from '@kubeai/policy';
import { elapsed } from '@kubeai/units';
import type { Fleet } from './fleet.ts';
import type { FleetTraffic } from './fleet-traffic.ts';
import { families, type LatencyFamily, type LatencyWindows } from './latency-windows.ts';
import { limits } from './limits.ts';
import { createMovingMean, type MovingMean } from './moving-mean.ts';
import { type Gauge, gaugeSource } from './pod-measures.ts';
import { gaugeAgeOf, gaugeOf, totalOf } from './pod-state.ts';
import type { Signal, Traffic } from './signal.ts';
import { missing, signal, unheard } from './signal-states.ts';
import { queueSlot, type Slot } from './totals.ts';

export interface AgentSignals {
  /** Looks of one fleet follow one another: gauges are averaged from look to look. */
  signalOf(metric: MetricTarget, fleet: Fleet, traffic: Traffic): Signal;
  /** What each pod carries of a share changes at once, by this factor. */
  scale(factor: number): void;
}

export function createAgentSignals(
  slots: readonly Slot[],
  gaugeNames: readonly Gauge[],
  totals: FleetTraffic,
  latencies: LatencyWindows,
): AgentSignals {
  /** Gauges and latencies that were known once: their absence is a loss and not a lack. */
  const everSeen = new Set<MetricTarget['name']>();
  const gaugeMeans: readonly MovingMean[] = gaugeNames.map(() => createMovingMean());

  return {
    signalOf: agentSignal,
    scale(factor) {
      for (const mean of gaugeMeans) mean.scale(factor);
    },
  };

  function agentSignal(metric: MetricTarget, fleet: Fleet, traffic: Traffic): Signal {
    const { name } = metric;
    const latency = families[name];
    if (latency !== undefined) return latencySignal(metric, latency, fleet, traffic);
    const gauge = gaugeNames.indexOf(name as Gauge);
    if (gauge !== -1) return gaugeSignal(metric, gauge, fleet);
    if (name === 'work') {
      const tokens = traffic.generatedTokensPerSecond + traffic.promptTokensPerSecond;
      return totalSignal(metric, fleet, tokens, undefined);
    }
    const slot = slots.findIndex((each) => each.name === name);
    if (slot !== -1) return totalSignal(metric, fleet, totals.steady(slot), slot);
    return missing(metric, fleet, metric.agentMetric === undefined ? 'NotConfigured' : 'UnknownAgentMetric', 'agent');
  }

  function totalSignal(metric: MetricTarget, fleet: Fleet, value: number, slot: number | undefined): Signal {
    const source = slot === queueSlot ? (fleet.fresh[0]?.queueSource ?? 'agent') : 'agent';
    if (fleet.fresh.length === 0) return unheard(metric, fleet, source, value);
    if (fleet.blind === fleet.fresh.length) return missing(metric, fleet, 'Unobserved', source, fleet.ageMs);
    let assumed = metric.target * fleet.blind;
    for (const state of fleet.silent) {
      assumed += Math.max(metric.target, slot === undefined || state === undefined ? 0 : totalOf(state, slot));
    }
    const state = fleet.idle ? 'idle' : 'value';
    return signal(
      metric,
      source,
      state,
      fleet.idle ? 0 : value,
      assumed,
      fleet.fresh.length - fleet.blind,
      fleet.silent.length + fleet.blind,
      fleet.ageMs,
    );
  }

  function latencySignal(
    metric: MetricTarget,
    { family, q }: { readonly family: LatencyFamily; readonly q: number },
    fleet: Fleet,
    traffic: Traffic,
  ): Signal {
    let source = 'agent';
    let value = latencies.quantile(family, q, fleet.now);
    if (value === undefined && family === 'timeToFirstTokenMs') {
      // Answers that are not streamed have no first token that could be seen; their first byte is what a user waits for.
      value = latencies.quantile('timeToFirstByteMs', q, fleet.now);
      source = 'agent/firstByte';
    }
    const { fresh, ageMs, idle, unobserved } = fleet;
    if (fresh.length === 0) return unheard(metric, fleet, source, value);
    if (!idle && unobserved === fresh.length) return missing(metric, fleet, 'Unobserved', source, ageMs);
    const measured = fresh.length - unobserved;
    const silent = fleet.silent.length + unobserved;
    if (value !== undefined && !idle) {
      everSeen.add(metric.name);
      return signal(metric, source, 'value', value, 0, measured, silent, ageMs);
    }
    if (idle || traffic.inFlight < 0.01) return signal(metric, source, 'idle', 0, 0, measured, silent, ageMs);
    const answered = latencies.mean('latencyMs', fleet.now) !== undefined;
    const cause = answered && !everSeen.has(metric.name) ? 'NotMeasured' : 'NoSamples';
    return { ...missing(metric, fleet, cause, source, ageMs), measured, silent };
  }

  function gaugeSignal(metric: MetricTarget, gauge: number, fleet: Fleet): Signal {
    let sum = 0;
    let measured = 0;
    let ageMs = 0;
    let source = 'agent';
    for (const state of fleet.fresh) {
      const value = gaugeOf(state, slots.length, gauge);
      if (Number.isNaN(value)) continue;
      sum += value;
      measured += 1;
      ageMs = Math.max(ageMs, elapsed(state.measuredAt, fleet.now) + gaugeAgeOf(state, slots.length, gauge));
      source = gaugeSource(gaugeNames[gauge]!, state.gpuSource);
    }
    if (measured === 0) {
      if (fleet.fresh.length === 0) return unheard(metric, fleet, source, undefined);
      return missing(metric, fleet, everSeen.has(metric.name) ? 'Lost' : 'NotMeasured', 'agent');
    }
    everSeen.add(metric.name);
    const mean = gaugeMeans[gauge]!;
    if (fleet.idle) mean.reset(sum / measured, fleet.now);
    else mean.add(sum / measured, fleet.now);
    const without = fleet.fresh.length - measured;
    const state = ageMs > limits.lostAfter ? 'stale' : 'value';
    return signal(metric, source, state, mean.steady(), 0, measured, fleet.silent.length + without, Math.round(ageMs));
  }
}
