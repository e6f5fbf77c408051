// From a spec that is right to the Policy that the decision core reads: presets and defaults are applied here and nowhere else.
import { milliseconds, seconds } from '@kubeai/units';
import type { z } from 'zod';
import { type KnownMetricName, knownMetricNames, knownMetrics, metricOfWeight, weightOrder } from './metric.ts';
import type {
  Algorithm,
  MetricTarget,
  Policy,
  PresetName,
  PrometheusSource,
  ScalingPolicy,
  ScalingRules,
} from './policy.ts';
import { presets } from './presets.ts';
import type { Unchecked } from './rules.ts';
import { type Spec, specSchema } from './schema.ts';

/** What HPA does when a policy says nothing about growing, and a gentler default for shrinking. */
const defaultScaling = {
  up: [
    { type: 'Pods', value: 4, period: seconds(15) },
    { type: 'Percent', value: 100, period: seconds(15) },
  ],
  down: [
    { type: 'Pods', value: 1, period: seconds(60) },
    { type: 'Percent', value: 25, period: seconds(60) },
  ],
} as const satisfies Record<string, readonly ScalingPolicy[]>;

export const defaults = {
  cooldownSeconds: 300,
  up: { windowSeconds: 0, tolerance: 0.1 },
  down: { windowSeconds: 300, tolerance: 0.2 },
} as const;

const presetSchema = specSchema.pick({ metrics: true, cooldownPeriod: true, scaleUp: true, scaleDown: true });
const parsedPresets = Object.fromEntries(
  Object.entries(presets).map(([name, preset]) => [name, presetSchema.parse(preset)]),
) as Record<PresetName, z.output<typeof presetSchema>>;

/** The spec with the preset's blocks where the user wrote none; scaling rules are merged field by field. */
export function withPreset(spec: Spec): Spec {
  if (spec.preset === undefined) return spec;
  const preset = parsedPresets[spec.preset];
  return {
    ...spec,
    metrics: { ...preset.metrics, ...spec.metrics },
    cooldownPeriod: spec.cooldownPeriod ?? preset.cooldownPeriod,
    scaleUp: { ...preset.scaleUp, ...spec.scaleUp },
    scaleDown: { ...preset.scaleDown, ...spec.scaleDown },
  };
}

export function policyOf(metadata: Pick<Policy, 'name' | 'namespace' | 'uid' | 'generation'>, spec: Spec): Policy {
  const fallback = spec.fallback ?? { failureThreshold: 3, behavior: 'hold' };
  const prediction = spec.prediction ?? { mode: 'Off' };
  const gpu = spec.gpu ?? { priority: 0 };
  return withoutAbsent<Policy>({
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    generation: metadata.generation,
    target: spec.targetRef,
    minReplicas: spec.minReplicas,
    maxReplicas: spec.maxReplicas,
    preset: spec.preset,
    metrics: metricTargets(spec.metrics ?? {}),
    prometheus: prometheusSource(spec.prometheus),
    algorithm: algorithmOf(spec.algorithm),
    cooldown: seconds(spec.cooldownPeriod ?? defaults.cooldownSeconds),
    scaleUp: scalingRules(spec.scaleUp, spec.algorithm?.tolerance, 'up'),
    scaleDown: scalingRules(spec.scaleDown, spec.algorithm?.tolerance, 'down'),
    fallback: withoutAbsent<Policy['fallback']>({
      failureThreshold: fallback.failureThreshold,
      behavior: fallback.behavior,
      replicas: fallback.behavior === 'hold' ? undefined : fallback.replicas,
    }),
    mode: spec.mode,
    paused: spec.paused ? pausedAs[spec.pausedDirection] : 'none',
    schedule: (spec.schedule ?? []).map((entry) =>
      withoutAbsent<Policy['schedule'][number]>({
        name: entry.name,
        cron: entry.cron,
        timeZone: entry.timeZone,
        duration: seconds(entry.durationSeconds),
        minReplicas: entry.minReplicas,
        maxReplicas: entry.maxReplicas,
      }),
    ),
    prediction: withoutAbsent<Policy['prediction']>({
      mode: prediction.mode,
      horizon: prediction.horizonSeconds === undefined ? undefined : seconds(prediction.horizonSeconds),
    }),
    drain: { maximum: seconds(spec.drain?.maxSeconds ?? 300) },
    gpu: withoutAbsent<Policy['gpu']>({ perReplica: gpu.perReplica, priority: gpu.priority, budget: gpu.budget }),
    engine: spec.engine,
  });
}

const pausedAs = { Both: 'both', Up: 'up', Down: 'down' } as const;

type MetricsSpec = NonNullable<Spec['metrics']>;

/** Every enabled metric as one flat list, in the order of `knownMetrics`, then the custom ones. */
function metricTargets(metrics: MetricsSpec): MetricTarget[] {
  const known = knownMetricNames.flatMap((name) => knownTarget(name, metrics));
  const custom = (metrics.custom ?? []).map((metric) =>
    withoutAbsent<MetricTarget>({
      name: `custom:${metric.name}`,
      shape: metric.type === 'Value' ? 'value' : 'perReplica',
      target: metric.target,
      source: metric.prometheusQuery === undefined ? 'agents' : 'prometheus',
      prometheusQuery: metric.prometheusQuery,
      agentMetric: metric.agentMetric,
    }),
  );
  return [...known, ...custom];
}

function knownTarget(name: KnownMetricName, metrics: MetricsSpec): MetricTarget[] {
  const { field, shape } = knownMetrics[name];
  const [block, targetField] = field.split('.') as [Exclude<keyof MetricsSpec, 'custom'>, string];
  const settings = metrics[block] as
    | ({ enabled: boolean; prometheusQuery?: string; source: MetricTarget['source'] } & Unchecked)
    | undefined;
  const target = settings?.[targetField];
  if (settings?.enabled !== true || typeof target !== 'number') return [];
  return [
    withoutAbsent<MetricTarget>({
      name,
      shape,
      // No fleet is large enough for a queue of zero; one waiting request per replica is the smallest target with an answer.
      target: name === 'requestQueueDepth' ? Math.max(target, 1) : target,
      source: settings.source,
      prometheusQuery: queryFor(name, settings.prometheusQuery, metrics),
    }),
  ];
}

/** One query serves one percentile: with both targets set it is that of p99, which the upstream examples query. */
function queryFor(name: KnownMetricName, query: string | undefined, metrics: MetricsSpec): string | undefined {
  const block = knownMetrics[name].field.split('.')[0] as 'latency' | 'timeToFirstToken' | 'interTokenLatency';
  const shadowed = name.endsWith('P95') && metrics[block]?.targetP99Ms !== undefined;
  return shadowed ? undefined : query;
}

function scalingRules(spec: Spec['scaleUp'], tolerance: number | undefined, direction: 'up' | 'down'): ScalingRules {
  const byDefault = defaults[direction];
  const policies = spec?.policies?.map(({ type, value, periodSeconds }) => ({
    type,
    value,
    period: seconds(periodSeconds),
  }));
  return {
    stabilizationWindow: seconds(spec?.stabilizationWindowSeconds ?? byDefault.windowSeconds),
    tolerance: spec?.tolerance ?? tolerance ?? byDefault.tolerance,
    selectPolicy: spec?.selectPolicy ?? 'Max',
    policies: policies === undefined || policies.length === 0 ? defaultScaling[direction] : policies,
  };
}

function algorithmOf(spec: Spec['algorithm']): Algorithm {
  const plugin = spec?.plugin;
  const timeout = milliseconds((plugin?.timeoutSeconds ?? 1) * 1_000);
  return withoutAbsent<Algorithm>({
    name: spec?.name ?? 'MaxRatio',
    weights: weightsOf(spec?.weights),
    plugin:
      plugin?.module !== undefined
        ? { kind: 'module', path: plugin.module, timeout }
        : plugin?.url !== undefined
          ? { kind: 'http', url: plugin.url, timeout }
          : undefined,
  });
}

function weightsOf(weights: NonNullable<Spec['algorithm']>['weights']): Algorithm['weights'] {
  if (weights === undefined) return {};
  const named: readonly (readonly [string, number])[] = Array.isArray(weights)
    ? weights.map((weight, position) => [weightOrder[position]!, weight])
    : Object.entries(weights);
  return Object.fromEntries(named.map(([name, weight]) => [metricOfWeight(name)!, weight]));
}

function prometheusSource(spec: Spec['prometheus']): PrometheusSource {
  return withoutAbsent<PrometheusSource>({
    url: spec?.url,
    interval: seconds(spec?.intervalSeconds ?? 15),
    timeout: seconds(spec?.timeoutSeconds ?? 5),
    bearerToken: spec?.bearerToken,
    basicAuth: spec?.basicAuth,
    certificateAuthority: spec?.certificateAuthority,
  });
}

/** The object without the keys whose value is undefined, so that absent means absent in JSON and in tests alike. */
function withoutAbsent<Shape extends object>(object: { [Key in keyof Shape]: Shape[Key] | undefined }): Shape {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Shape;
}
