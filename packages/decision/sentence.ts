// Decisions in words, once, for everybody who reads them: status, Events, log and dashboard say the same sentence.
import { type KnownMetricName, knownMetrics } from '@kubeai/policy';
import type { Decision, Step } from './decision.ts';
import { reasons } from './reasons.ts';
import { causes, type Signal } from './signal.ts';

/** `2 → 4: a metric asks for more replicas (latencyP99 is 1240 ms, target 800 ms)` */
export function sentenceOf(decision: Decision, signals: readonly Signal[]): string {
  const size =
    decision.replicas === decision.current ? `${decision.current}` : `${decision.current} → ${decision.replicas}`;
  const winner = signals.find(({ name }) => name === decision.winner);
  const detail = winner === undefined ? '' : ` (${signalText(winner)})`;
  return `${size}: ${reasons[decision.reason].sentence}${detail}`;
}

/** `latencyP99 is 1240 ms, target 800 ms` */
export function signalText(signal: Pick<Signal, 'name' | 'shape' | 'state' | 'value' | 'target' | 'cause'>): string {
  const unit = unitOf(signal);
  if (signal.state === 'missing') {
    return `${signal.name} is missing: ${signal.cause === undefined ? 'nothing was measured' : causes[signal.cause]}`;
  }
  if (signal.state === 'idle') return `${signal.name} is idle`;
  const value = signal.value === undefined ? 'unknown' : `${rounded(signal.value)}${unit}`;
  const per = signal.shape === 'perReplica' ? ' a replica' : '';
  const total = signal.shape === 'perReplica' ? ' in all' : '';
  const stale = signal.state === 'stale' ? ' (stale)' : '';
  return `${signal.name} is ${value}${total}${stale}, target ${rounded(signal.target)}${unit}${per}`;
}

/** `cooldown: 2 instead of 1, because the size changed a moment ago …` */
export function stepText({ stage, before, after, because }: Step): string {
  const size = before === after ? `${after}` : `${after} instead of ${before}`;
  return `${stage}: ${size}, because ${reasons[because].sentence}`;
}

export function unitOf({ name, shape }: { readonly name: string; readonly shape: string }): string {
  if (shape === 'latency') return ' ms';
  if (shape === 'utilization') return ' %';
  return name in knownMetrics && (name as KnownMetricName) === 'tokensPerSecond' ? ' tokens/s' : '';
}

const rounded = (value: number): string => {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
};
