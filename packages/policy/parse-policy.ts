// The door: an object as the API server or a file holds it becomes a Policy, or a list of everything that is wrong with
// it, each by the field its author wrote. Presets and defaults are applied here and nowhere else.
import { type FieldProblem, milliseconds, type Result, seconds } from '@kubeai/units';
import { Cron } from 'croner';
import { z } from 'zod';
import { type KnownMetricName, knownMetricNames, knownMetrics, weightAliases, weightOrder } from './metric.ts';
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
import { asObject, type Rule, rules, type Unchecked } from './rules.ts';
import { type Spec, specSchema } from './schema.ts';

export const apiGroup = 'kubeai.io';
export const apiVersion = 'kubeai.io/v1alpha1';
export const kind = 'AIInferenceAutoscalerPolicy';

/** The whole object. Unknown fields are not refused (an older controller must live with a newer definition); see `warningsOf`. */
export const policySchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  metadata: z.object({
    name: z.string().min(1).max(253),
    namespace: z.string().min(1).max(63).default('default'),
    uid: z.string().max(128).default(''),
    generation: z.int().min(0).default(0),
  }),
  spec: specSchema,
});

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

/**
 * Reads a policy from whatever JSON holds it.
 * @returns the policy with every default and preset applied, or every problem by field (`spec.metrics.latency`). Never throws.
 */
export function parsePolicy(input: unknown): Result<Policy, FieldProblem> {
  if (asObject(input) === undefined)
    return { ok: false, problems: [{ field: '', message: `must be an object of kind ${kind}` }] };
  const parsed = policySchema.safeParse(input, { reportInput: true });
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, []))),
    ...brokenRules(asObject((input as Unchecked)['spec'])),
  ];
  if (!parsed.success || problems.length > 0) return { ok: false, problems: withoutRepeats(problems) };
  const policy = policyOf(parsed.data.metadata, withPreset(parsed.data.spec));
  if (policy.metrics.length > 0) return { ok: true, value: policy };
  return { ok: false, problems: [{ field: 'spec.metrics', message: 'must leave at least one metric enabled' }] };
}

// ---- Problems -----------------------------------------------------------------------------------------------------

const pathOf = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, part) =>
      typeof part === 'number' ? `${text}[${part}]` : text === '' ? String(part) : `${text}.${String(part)}`,
    '',
  );

function problemsOf(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): FieldProblem[] {
  const path = [...prefix, ...issue.path];
  // A union failed in every branch: say what the branch of the right outer type complains about, else what is expected.
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.find((branch) =>
      branch.every(({ code, path }) => code !== 'invalid_type' || path.length > 0),
    );
    if (inner !== undefined && inner.length > 0) return inner.flatMap((each) => problemsOf(each, path));
    return [{ field: pathOf(path), message: 'must be a list of numbers or a map from metric name to number' }];
  }
  return [{ field: pathOf(path), message: messageOf(issue) }];
}

const articled = (noun: string) => `${/^[aeio]/.test(noun) ? 'an' : 'a'} ${noun}`;

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      if (issue.input === undefined) return 'is required';
      return `must be ${articled(issue.expected === 'int' ? 'whole number' : issue.expected)}`;
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map(String).join(', ')}`;
    case 'too_small':
      if (issue.origin === 'string') return 'must not be empty';
      return `must be ${issue.inclusive === false ? 'greater than' : 'at least'} ${issue.minimum}`;
    case 'too_big':
      if (issue.origin === 'string') return `must have at most ${issue.maximum} characters`;
      if (issue.origin === 'array') return `must have at most ${issue.maximum} entries`;
      return `must be at most ${issue.maximum}`;
    case 'invalid_format':
      return issue.format === 'url' ? 'must be an http or https URL' : `must match ${issue.pattern ?? issue.format}`;
    default:
      return issue.message;
  }
}

/** What each block needs when it is on; those with a default target need nothing. */
const targetRules: Readonly<Record<string, readonly Rule[]>> = {
  latency: rules.latencyTarget,
  timeToFirstToken: rules.latencyTarget,
  interTokenLatency: rules.latencyTarget,
  concurrency: rules.perReplicaTarget,
  tokensPerSecond: rules.perReplicaTarget,
  kvCacheUtilization: rules.percentageTarget,
  gpuMemory: rules.percentageTarget,
  cpuUtilization: rules.percentageTarget,
  memoryUtilization: rules.percentageTarget,
};

/** Problems between fields, found on unchecked input so that one bad field hides no other problem. */
function brokenRules(spec: Unchecked | undefined): FieldProblem[] {
  if (spec === undefined) return [];
  const metrics = asObject(spec['metrics']) ?? {};
  const algorithm = asObject(spec['algorithm']) ?? {};
  return [
    ...broken(rules.spec, spec, 'spec'),
    ...Object.entries(targetRules).flatMap(([name, list]) => broken(list, metrics[name], `spec.metrics.${name}`)),
    ...each(metrics['custom'], (entry, index) => broken(rules.customMetric, entry, `spec.metrics.custom[${index}]`)),
    ...repeatedNames(metrics['custom'], 'spec.metrics.custom'),
    ...broken(rules.fallback, spec['fallback'], 'spec.fallback'),
    ...broken(rules.plugin, algorithm['plugin'], 'spec.algorithm.plugin'),
    ...broken(rules.prometheus, spec['prometheus'], 'spec.prometheus'),
    ...weightProblems(algorithm['weights']),
    ...each(spec['schedule'], (entry, index) => [
      ...broken(rules.scheduleEntry, entry, `spec.schedule[${index}]`),
      ...cronProblems(asObject(entry), `spec.schedule[${index}]`),
    ]),
    ...repeatedNames(spec['schedule'], 'spec.schedule'),
  ];
}

function broken(list: readonly Rule[], value: unknown, at: string): FieldProblem[] {
  const self = asObject(value);
  if (self === undefined) return [];
  return list
    .filter((rule) => rule.broken(self))
    .map(({ field, message }) => ({ field: field === '' ? at : `${at}.${field}`, message }));
}

const each = <Found>(list: unknown, visit: (entry: unknown, index: number) => Found[]): Found[] =>
  Array.isArray(list) ? list.flatMap(visit) : [];

function repeatedNames(list: unknown, at: string): FieldProblem[] {
  const seen = new Set<unknown>();
  return each(list, (entry, index) => {
    const name = asObject(entry)?.['name'];
    if (name === undefined || !seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [{ field: `${at}[${index}].name`, message: `must be unique: ${String(name)} stands twice` }];
  });
}

function weightProblems(weights: unknown): FieldProblem[] {
  return Object.keys(asObject(weights) ?? {})
    .filter((name) => metricOfWeight(name) === undefined)
    .map((name) => ({
      field: `spec.algorithm.weights.${name}`,
      message: `names no metric: use ${knownMetricNames.join(', ')} or custom:NAME`,
    }));
}

function cronProblems(entry: Unchecked | undefined, at: string): FieldProblem[] {
  const [cron, timeZone] = [entry?.['cron'], entry?.['timeZone'] ?? 'UTC'];
  const problems: FieldProblem[] = [];
  if (typeof timeZone === 'string' && !isTimeZone(timeZone)) {
    problems.push({ field: `${at}.timeZone`, message: 'must be an IANA time zone such as Europe/Berlin' });
  }
  if (typeof cron === 'string' && !isCron(cron)) {
    problems.push({ field: `${at}.cron`, message: 'must be five cron fields such as "0 8 * * 1-5"' });
  }
  return problems;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false; // the constructor throws exactly when the zone is unknown
  }
}

function isCron(text: string): boolean {
  if (text.trim().split(/\s+/).length !== 5) return false;
  try {
    new Cron(text, { paused: true });
    return true;
  } catch {
    return false; // croner has no other way to say that a pattern is wrong
  }
}

/** A field that is absent is told once, not once by the schema and again by a rule. */
function withoutRepeats(problems: readonly FieldProblem[]): FieldProblem[] {
  const seen = new Set<string>();
  return problems.filter(({ field, message }) => {
    const key = `${field}\n${message}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}

// ---- Defaults and presets -----------------------------------------------------------------------------------------

const presetSchema = specSchema.pick({ metrics: true, cooldownPeriod: true, scaleUp: true, scaleDown: true });
const parsedPresets = Object.fromEntries(
  Object.entries(presets).map(([name, preset]) => [name, presetSchema.parse(preset)]),
) as Record<PresetName, z.output<typeof presetSchema>>;

/** The spec with the preset's blocks where the user wrote none; scaling rules are merged field by field. */
function withPreset(spec: Spec): Spec {
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

function policyOf(metadata: z.output<typeof policySchema>['metadata'], spec: Spec): Policy {
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

function metricOfWeight(name: string): keyof Algorithm['weights'] | undefined {
  const alias = Object.hasOwn(weightAliases, name) ? weightAliases[name] : undefined;
  if (alias !== undefined) return alias;
  if (name.startsWith('custom:')) return name as `custom:${string}`;
  return Object.hasOwn(knownMetrics, name) ? (name as KnownMetricName) : undefined;
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
