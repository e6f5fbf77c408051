// One pass of the HorizontalPodAutoscaler (autoscaling/v2), as a rival to run beside our own decision and as the yardstick
// of the vectors.
import {
  averageRatio,
  averageUsage,
  clampDefault,
  limitRate,
  type PodsOfMetric,
  proposeByRatio,
  proposeByTotal,
  proposeByTotalPerReplica,
  type RateRules,
  type SizeChange,
  type SizeChanges,
  saturatingSum,
  stabilize,
  stabilizeDefault,
  type Tolerance,
  usagePerReplica,
  utilizationPercent,
  utilizationRatio,
  type Wish,
} from '@kubeai/decision';
import {
  type HpaPod,
  type HpaPodMetric,
  type PodTarget,
  type Problem,
  podsOfMetric,
  type ReadinessRules,
} from './hpa-pods.ts';

export interface HpaRules {
  readonly stabilizationWindowSeconds?: number | null;
  readonly selectPolicy?: 'Max' | 'Min' | 'Disabled' | null;
  readonly policies?:
    | readonly { readonly type: 'Pods' | 'Percent'; readonly value: number; readonly periodSeconds: number }[]
    | null;
}

export interface HpaMetric {
  readonly kind:
    | 'resource_utilization'
    | 'resource_average'
    | 'container_utilization'
    | 'pods_average'
    | 'object_value'
    | 'object_average'
    | 'external_value'
    | 'external_average'
    | 'invalid';
  readonly resource?: string;
  readonly target: bigint;
  readonly podValues: readonly HpaPodMetric[];
  readonly values: readonly bigint[];
  /** Reading this metric fails. */
  readonly error: boolean;
}

export interface HpaPass {
  readonly minReplicas: number;
  readonly maxReplicas: number;
  readonly specReplicas: number;
  readonly statusReplicas: number;
  readonly tolerance: Tolerance;
  readonly cpuInitializationSeconds: number;
  readonly initialReadinessDelaySeconds: number;
  readonly behavior: { readonly scaleUp?: HpaRules | null; readonly scaleDown?: HpaRules | null } | null;
  readonly defaultScaleUpLimit: { readonly factor: number; readonly minimum: number };
  readonly downscaleStabilizationSeconds: number;
  /** Null: this target is seen for the first time. */
  readonly recommendations: readonly Wish[] | null;
  readonly changes: SizeChanges;
  readonly scaleToZeroEnabled: boolean;
  readonly scaledToZeroBefore: boolean;
  readonly readScaleError: boolean;
  readonly writeScaleError: boolean;
  readonly pods: readonly HpaPod[];
  readonly metrics: readonly HpaMetric[];
}

export interface HpaOutcome {
  /** The size in force after the pass. */
  readonly desiredReplicas: number;
  readonly scaled: boolean;
  readonly error?: string;
  /** The raw proposal, to be remembered; absent when none was made. */
  readonly proposal?: number;
  /** It went to zero itself, and may come back by itself. */
  readonly wentToZero: boolean;
}

export interface MetricProposal {
  readonly replicas: number;
  readonly utilizationPercent?: bigint;
  readonly averageUsage?: bigint;
  readonly totalUsage?: bigint;
}

export const hpaDefaults = {
  scaleUp: {
    stabilizationWindowSeconds: 0,
    selectPolicy: 'Max',
    policies: [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
  },
  scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
} as const;

/** The rules of a direction with the defaults where nothing is said. */
export function rulesOf(direction: 'up' | 'down', rules: HpaRules | null | undefined): RateRules {
  const fallback = direction === 'up' ? hpaDefaults.scaleUp : hpaDefaults.scaleDown;
  return {
    selectPolicy: rules?.selectPolicy ?? fallback.selectPolicy,
    policies: (rules?.policies ?? fallback.policies).map(({ type, value, periodSeconds }) => ({
      type,
      value,
      periodMs: periodSeconds * 1_000,
    })),
  };
}

/** A proposal by a metric of single pods. */
export function proposeByPods(
  current: number,
  pods: readonly HpaPod[],
  metrics: readonly HpaPodMetric[],
  target: PodTarget,
  tolerance: Tolerance,
  rules: ReadinessRules,
): MetricProposal | Problem {
  const sets = podsOfMetric(pods, metrics, target, rules);
  if ('error' in sets) return sets;
  const ratioOf = target.kind === 'utilization' ? utilizationRatio(target.percent) : averageRatio(target.value);
  return { replicas: proposeByRatio(current, sets, ratioOf, tolerance), ...reported(sets, target) };
}

function reported({ measured }: PodsOfMetric, target: PodTarget): Omit<MetricProposal, 'replicas'> {
  const percent = target.kind === 'utilization' ? utilizationPercent(measured) : undefined;
  return { averageUsage: averageUsage(measured), ...(percent === undefined ? {} : { utilizationPercent: percent }) };
}

/** A proposal by a total that the target as a whole should hold. */
export function proposeByValue(
  current: number,
  values: readonly bigint[],
  target: bigint,
  pods: readonly HpaPod[],
  tolerance: Tolerance,
): MetricProposal {
  const total = saturatingSum(values);
  const ready = pods.filter((pod) => pod.phase === 'Running' && pod.ready === true).length;
  return { replicas: proposeByTotal(current, total, target, ready, tolerance), totalUsage: total };
}

/** A proposal by a total of which each replica may carry the target. */
export function proposeByAverage(
  replicas: number,
  values: readonly bigint[],
  target: bigint,
  tolerance: Tolerance,
): MetricProposal {
  const total = saturatingSum(values);
  return {
    replicas: proposeByTotalPerReplica(replicas, total, target, tolerance),
    averageUsage: usagePerReplica(total, replicas),
  };
}

const failures: Readonly<Record<HpaMetric['kind'], string>> = {
  resource_utilization: 'FailedGetResourceMetric',
  resource_average: 'FailedGetResourceMetric',
  container_utilization: 'FailedGetContainerResourceMetric',
  pods_average: 'FailedGetPodsMetric',
  object_value: 'FailedGetObjectMetric',
  object_average: 'FailedGetObjectMetric',
  external_value: 'FailedGetExternalMetric',
  external_average: 'FailedGetExternalMetric',
  invalid: 'InvalidMetricSourceType',
};

function proposeByMetric(metric: HpaMetric, pass: HpaPass): MetricProposal | Problem {
  const failed = { error: failures[metric.kind] };
  if (metric.error || metric.kind === 'invalid') return failed;
  const { specReplicas, statusReplicas, pods, tolerance } = pass;
  switch (metric.kind) {
    case 'object_value':
    case 'external_value':
      return metric.values.length === 0
        ? failed
        : proposeByValue(specReplicas, metric.values, metric.target, pods, tolerance);
    case 'object_average':
    case 'external_average':
      return metric.values.length === 0
        ? failed
        : proposeByAverage(statusReplicas, metric.values, metric.target, tolerance);
    default: {
      const isUtilization = metric.kind === 'resource_utilization' || metric.kind === 'container_utilization';
      const target: PodTarget = isUtilization
        ? { kind: 'utilization', percent: metric.target }
        : { kind: 'average', value: metric.target };
      const rules = { ...pass, resource: metric.kind === 'pods_average' ? '' : (metric.resource ?? '') };
      const proposal = proposeByPods(specReplicas, pods, metric.podValues, target, tolerance, rules);
      return 'error' in proposal ? failed : proposal;
    }
  }
}

const isExternal = ({ kind }: HpaMetric): boolean => kind.startsWith('object_') || kind.startsWith('external_');

/** One whole pass: bounds, metrics, stabilisation, rates, write. */
export function reconcileHpa(pass: HpaPass): HpaOutcome {
  const { specReplicas: current, minReplicas, maxReplicas } = pass;
  const stay = (error?: string): HpaOutcome => ({
    desiredReplicas: current,
    scaled: false,
    wentToZero: current === 0 && pass.scaledToZeroBefore,
    ...(error === undefined ? {} : { error }),
  });
  if (pass.readScaleError) return stay('FailedGetScale');
  const cameFromZero = current === 0 && pass.scaleToZeroEnabled && pass.scaledToZeroBefore;
  if (current === 0 && !(cameFromZero && (minReplicas !== 0 || pass.metrics.some(isExternal)))) return stay();
  if (current > maxReplicas) return write(pass, maxReplicas);
  if (current < minReplicas) return write(pass, minReplicas);

  const proposals = pass.metrics.map((metric) => proposeByMetric(metric, pass));
  const error = proposals.flatMap((each) => ('error' in each ? [each.error] : []))[0];
  const sizes = proposals.flatMap((each) => ('error' in each ? [] : [each.replicas]));
  if (sizes.length === 0) return stay(error);
  const proposal = Math.max(...sizes);
  // One blind metric blocks shrinking.
  if (error !== undefined && proposal < current) return stay(error);

  const size = hold(pass, current, proposal);
  const desired = cameFromZero ? Math.max(size, minReplicas) : size;
  const outcome = desired === current ? stay(error) : write(pass, desired, error);
  return { ...outcome, proposal };
}

/** Stabilised and limited, with or without a behaviour. */
function hold(pass: HpaPass, current: number, proposal: number): number {
  const wishes = pass.recommendations ?? [{ replicas: current, ageMs: 0 }];
  const bounds = { min: pass.minReplicas, max: pass.maxReplicas };
  const window = pass.downscaleStabilizationSeconds * 1_000;
  if (pass.behavior === null) {
    return clampDefault(current, stabilizeDefault(proposal, wishes, window), bounds, pass.defaultScaleUpLimit).replicas;
  }
  const { scaleUp, scaleDown } = pass.behavior;
  const stable = stabilize(current, proposal, wishes, {
    upMs: 1_000 * (scaleUp?.stabilizationWindowSeconds ?? hpaDefaults.scaleUp.stabilizationWindowSeconds),
    downMs: 1_000 * (scaleDown?.stabilizationWindowSeconds ?? pass.downscaleStabilizationSeconds),
  });
  const rules = { up: rulesOf('up', scaleUp), down: rulesOf('down', scaleDown) };
  return limitRate(current, stable, bounds, rules, pass.changes).replicas;
}

function write(pass: HpaPass, size: number, error?: string): HpaOutcome {
  if (pass.writeScaleError) {
    return {
      desiredReplicas: pass.specReplicas,
      scaled: false,
      error: 'FailedUpdateScale',
      wentToZero: pass.scaledToZeroBefore,
    };
  }
  const wentToZero = size === 0 && pass.minReplicas === 0 && pass.scaleToZeroEnabled && pass.metrics.some(isExternal);
  return { desiredReplicas: size, scaled: true, wentToZero, ...(error === undefined ? {} : { error }) };
}

export interface StoredEvent {
  readonly change: number;
  readonly outdated: boolean;
}

/** Enters a change of size; the slot of an event older than every period is used again. Without policies nothing is kept. */
export function storeEvent(
  events: readonly SizeChange[],
  change: number,
  rules: RateRules | undefined,
): readonly StoredEvent[] {
  if (rules === undefined) return events.map((event) => ({ change: event.change, outdated: false }));
  const longest = Math.max(0, ...rules.policies.map(({ periodMs }) => periodMs));
  const stored = events.map((event) => ({ change: event.change, outdated: event.ageMs > longest }));
  const slot = stored.findLastIndex(({ outdated }) => outdated);
  const added = { change, outdated: false };
  return slot === -1 ? [...stored, added] : stored.with(slot, added);
}

/** Enters a raw proposal; the slot of one too old for every window is used again. */
export function storeRecommendation(
  wishes: readonly Wish[],
  replicas: number,
  isOld: (wish: Wish) => boolean,
): readonly Wish[] {
  const slot = wishes.findLastIndex(isOld);
  const added = { replicas, ageMs: 0 };
  return slot === -1 ? [...wishes, added] : wishes.with(slot, added);
}

/** A target may be scaled when it selects pods, and no other autoscaler's target selects them too. */
export function targetConflict(
  selector: string | null,
  podLabels: Readonly<Record<string, string>>,
  others: readonly string[],
): 'InvalidSelector' | 'AmbiguousSelector' | undefined {
  if (selector === null || parseSelector(selector) === undefined) return 'InvalidSelector';
  const claims = (text: string) => parseSelector(text)?.every((matches) => matches(podLabels)) === true;
  return others.some(claims) ? 'AmbiguousSelector' : undefined;
}

type LabelTest = (labels: Readonly<Record<string, string>>) => boolean;

const requirement = /^(!?)([A-Za-z0-9._/-]+)(?:(==|=|!=)([A-Za-z0-9._-]*)| (in|notin) \(([^()]*)\))?$/;

/** The textual form of a label selector: `a=b`, `a!=b`, `a in (b, c)`, `a notin (b)`, `a`, `!a`, joined by commas. */
function parseSelector(text: string): readonly LabelTest[] | undefined {
  if (text.trim() === '') return undefined;
  const tests: LabelTest[] = [];
  for (const part of text.split(/,(?![^(]*\))/)) {
    const found = requirement.exec(part.trim().replace(/\s+/g, ' '));
    if (found === null) return undefined;
    const [, negated, key = '', operator, value = '', set, list = ''] = found;
    const among = list.split(',').map((each) => each.trim());
    if (set === 'in') tests.push((labels) => labels[key] !== undefined && among.includes(labels[key]));
    else if (set === 'notin') tests.push((labels) => labels[key] === undefined || !among.includes(labels[key]));
    else if (operator === '!=') tests.push((labels) => labels[key] !== value);
    else if (operator !== undefined) tests.push((labels) => labels[key] === value);
    else tests.push((labels) => (labels[key] !== undefined) === (negated !== '!'));
  }
  return tests;
}
