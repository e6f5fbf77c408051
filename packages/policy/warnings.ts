// What is allowed and still likely a mistake. A warning never refuses a policy: it is shown by `kubectl apply`, once.
import { type FieldProblem, inSeconds } from '@kubeai/units';
import { type KnownMetricName, knownMetrics } from './metric.ts';
import type { Policy } from './policy.ts';

export interface ScaledTarget {
  readonly kind: string;
  readonly name: string;
}

/** What stands around a policy in its namespace. Everything may be empty or absent: unknown surroundings warn of nothing. */
export interface Surroundings {
  /** The other policies of the namespace. */
  readonly policies: readonly { readonly name: string; readonly target: ScaledTarget }[];
  /** HorizontalPodAutoscalers and ScaledObjects of the namespace. */
  readonly autoscalers: readonly { readonly kind: string; readonly name: string; readonly target: ScaledTarget }[];
  /** Replicas the target asks for now. */
  readonly currentReplicas?: number;
  /** False when the target was looked for and not found. */
  readonly targetExists?: boolean;
}

export const nothingAround: Surroundings = { policies: [], autoscalers: [] };

const preallocating = ['vllm', 'sglang', 'tensorrt-llm', 'nim', 'dynamo', 'auto'];

/** Those that need no plugin. */
const ownAlgorithms = ['MaxRatio', 'AverageRatio', 'WeightedRatio'];

/** Risky settings, each with the field it is about and what to do. */
export function warningsOf(policy: Policy, surroundings: Surroundings = nothingAround): FieldProblem[] {
  return [...ownRisks(policy), ...sharedTarget(policy, surroundings), ...presentSize(policy, surroundings)];
}

function ownRisks(policy: Policy): FieldProblem[] {
  const warnings: FieldProblem[] = [];
  const warn = (field: string, message: string) => warnings.push({ field, message });
  const target = (name: string) => policy.metrics.find((metric) => metric.name === name)?.target;
  const sole = policy.metrics.length === 1 ? policy.metrics[0]?.name : undefined;

  if (sole === 'gpuMemory' && preallocating.includes(policy.engine)) {
    warn(
      'spec.metrics.gpuMemory',
      'is the only signal, and engines that take all GPU memory at start never move it; add concurrency, work or kvCacheUtilization',
    );
  }
  if (sole === 'gpuUtilization') {
    warn(
      'spec.metrics.gpuUtilization',
      'is the only signal, and it says busy, not full; add latency, concurrency or work',
    );
  }
  for (const [block, metric] of [
    ['latency', 'latency'],
    ['timeToFirstToken', 'timeToFirstToken'],
    ['interTokenLatency', 'interTokenLatency'],
  ] as const) {
    const [p95, p99] = [target(`${metric}P95`), target(`${metric}P99`)];
    if (p95 !== undefined && p99 !== undefined && p95 > p99) {
      warn(`spec.metrics.${block}.targetP95Ms`, 'is above targetP99Ms and can never matter');
    }
  }
  for (const { name, target, shape, source, prometheusQuery } of policy.metrics) {
    const field = Object.hasOwn(knownMetrics, name) ? knownMetrics[name as KnownMetricName].field : name;
    if (shape === 'latency' && target < 1)
      warn(`spec.metrics.${field}`, 'is under a millisecond: it is in milliseconds');
    if (source === 'prometheus' && prometheusQuery === undefined) {
      warn(
        `spec.metrics.${field}`,
        'has source prometheus and no prometheusQuery of its own (that of a block with two targets belongs to p99): it stays missing, and nothing shrinks',
      );
    }
  }
  const { algorithm } = policy;
  if (algorithm.plugin === undefined && !ownAlgorithms.includes(algorithm.name))
    warn('spec.algorithm.name', `is not one of ${ownAlgorithms.join(', ')}, and there is no plugin: MaxRatio is used`);
  for (const [index, { minReplicas, maxReplicas }] of policy.schedule.entries()) {
    if (maxReplicas === undefined && minReplicas !== undefined && minReplicas > policy.maxReplicas)
      warn(
        `spec.schedule[${index}].minReplicas`,
        `is above maxReplicas (${policy.maxReplicas}), which holds: set maxReplicas of the entry too`,
      );
  }
  if (policy.minReplicas === 0) {
    warn('spec.minReplicas', 'is 0: the first request after an idle time waits until a replica has loaded its model');
  }
  if (policy.minReplicas === policy.maxReplicas) warn('spec.minReplicas', 'equals maxReplicas: the size is fixed');
  if (policy.scaleUp.selectPolicy === 'Disabled')
    warn('spec.scaleUp.selectPolicy', 'is Disabled: the target never grows');
  if (inSeconds(policy.scaleUp.stabilizationWindow) > 300) {
    warn(
      'spec.scaleUp.stabilizationWindowSeconds',
      'delays growth by more than five minutes on top of the start-up time',
    );
  }
  if (inSeconds(policy.scaleDown.stabilizationWindow) < 60) {
    warn(
      'spec.scaleDown.stabilizationWindowSeconds',
      'is under a minute: replicas that take minutes to start will be stopped and started again',
    );
  }
  if (policy.scaleDown.tolerance === 0 || policy.scaleUp.tolerance === 0) {
    warn('spec.algorithm.tolerance', 'is 0: every small change of load changes the size');
  }
  return warnings;
}

const sameTarget = (one: ScaledTarget, other: ScaledTarget) => one.kind === other.kind && one.name === other.name;

function sharedTarget(policy: Policy, { policies, autoscalers }: Surroundings): FieldProblem[] {
  const { kind, name } = policy.target;
  const rivals = [
    ...policies.filter((other) => other.name !== policy.name).map((other) => ({ ...other, kind: 'policy' })),
    ...autoscalers,
  ];
  return rivals
    .filter((rival) => sameTarget(rival.target, policy.target))
    .map((rival) => ({
      field: 'spec.targetRef',
      message: `${rival.kind} ${rival.name} also scales ${kind} ${name}: two writers undo each other, delete one`,
    }));
}

function presentSize(policy: Policy, { currentReplicas, targetExists }: Surroundings): FieldProblem[] {
  const { kind, name } = policy.target;
  if (targetExists === false) {
    return [
      { field: 'spec.targetRef', message: `${kind} ${name} does not exist in namespace ${policy.namespace} yet` },
    ];
  }
  if (currentReplicas === undefined) return [];
  if (policy.minReplicas > currentReplicas) {
    return [
      {
        field: 'spec.minReplicas',
        message: `is above the ${currentReplicas} replicas of now: the target grows at once`,
      },
    ];
  }
  if (policy.maxReplicas < currentReplicas) {
    return [
      { field: 'spec.maxReplicas', message: `is below the ${currentReplicas} replicas of now: the target shrinks` },
    ];
  }
  return [];
}
