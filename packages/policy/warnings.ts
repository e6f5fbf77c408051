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
  return [
    ...soleSignal(policy),
    ...targets(policy),
    ...algorithm(policy),
    ...bounds(policy),
    ...pace(policy),
    ...sharedTarget(policy, surroundings),
    ...presentSize(policy, surroundings),
  ];
}

/** A warning where it applies. */
const when = (applies: boolean, field: string, message: string): FieldProblem[] =>
  applies ? [{ field, message }] : [];

function soleSignal({ metrics, engine }: Policy): FieldProblem[] {
  const sole = metrics.length === 1 ? metrics[0]?.name : undefined;
  return [
    ...when(
      sole === 'gpuMemory' && preallocating.includes(engine),
      'spec.metrics.gpuMemory',
      'is the only signal, and engines that take all GPU memory at start never move it; add concurrency, work or kvCacheUtilization',
    ),
    ...when(
      sole === 'gpuUtilization',
      'spec.metrics.gpuUtilization',
      'is the only signal, and it says busy, not full; add latency, concurrency or work',
    ),
  ];
}

function targets({ metrics }: Policy): FieldProblem[] {
  const targetOf = (name: string) => metrics.find((metric) => metric.name === name)?.target ?? Number.NaN;
  return [
    ...['latency', 'timeToFirstToken', 'interTokenLatency'].flatMap((block) =>
      when(
        targetOf(`${block}P95`) > targetOf(`${block}P99`),
        `spec.metrics.${block}.targetP95Ms`,
        'is above targetP99Ms and can never matter',
      ),
    ),
    ...metrics.flatMap(({ name, target, shape, source, prometheusQuery }) => {
      const field = `spec.metrics.${Object.hasOwn(knownMetrics, name) ? knownMetrics[name as KnownMetricName].field : name}`;
      return [
        ...when(shape === 'latency' && target < 1, field, 'is under a millisecond: it is in milliseconds'),
        ...when(
          source === 'prometheus' && prometheusQuery === undefined,
          field,
          'has source prometheus and no prometheusQuery of its own (that of a block with two targets belongs to p99): it stays missing, and nothing shrinks',
        ),
      ];
    }),
  ];
}

const algorithm = ({ algorithm: { name, plugin } }: Policy): FieldProblem[] =>
  when(
    plugin === undefined && !ownAlgorithms.includes(name),
    'spec.algorithm.name',
    `is not one of ${ownAlgorithms.join(', ')}, and there is no plugin: MaxRatio is used`,
  );

function bounds({ schedule, minReplicas, maxReplicas }: Policy): FieldProblem[] {
  return [
    ...schedule.flatMap((entry, index) =>
      when(
        entry.maxReplicas === undefined && (entry.minReplicas ?? 0) > maxReplicas,
        `spec.schedule[${index}].minReplicas`,
        `is above maxReplicas (${maxReplicas}), which holds: set maxReplicas of the entry too`,
      ),
    ),
    ...when(
      minReplicas === 0,
      'spec.minReplicas',
      'is 0: the first request after an idle time waits until a replica has loaded its model',
    ),
    ...when(minReplicas === maxReplicas, 'spec.minReplicas', 'equals maxReplicas: the size is fixed'),
  ];
}

function pace({ scaleUp, scaleDown }: Policy): FieldProblem[] {
  return [
    ...when(scaleUp.selectPolicy === 'Disabled', 'spec.scaleUp.selectPolicy', 'is Disabled: the target never grows'),
    ...when(
      inSeconds(scaleUp.stabilizationWindow) > 300,
      'spec.scaleUp.stabilizationWindowSeconds',
      'delays growth by more than five minutes on top of the start-up time',
    ),
    ...when(
      inSeconds(scaleDown.stabilizationWindow) < 60,
      'spec.scaleDown.stabilizationWindowSeconds',
      'is under a minute: replicas that take minutes to start will be stopped and started again',
    ),
    ...when(
      scaleDown.tolerance === 0 || scaleUp.tolerance === 0,
      'spec.algorithm.tolerance',
      'is 0: every small change of load changes the size',
    ),
  ];
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
  return [
    ...when(
      policy.minReplicas > currentReplicas,
      'spec.minReplicas',
      `is above the ${currentReplicas} replicas of now: the target grows at once`,
    ),
    ...when(
      policy.maxReplicas < currentReplicas,
      'spec.maxReplicas',
      `is below the ${currentReplicas} replicas of now: the target shrinks`,
    ),
  ];
}
