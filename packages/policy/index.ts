// What users ask for: the schema, its parser, and the CustomResourceDefinition made from it.
export { defaults } from './compose-policy.ts';
export { customResourceDefinition, resourceName } from './custom-resource-definition.ts';
export { type FieldEntry, fieldReference } from './field-reference.ts';
export {
  type KnownMetricName,
  knownMetricNames,
  knownMetrics,
  type MetricName,
  type MetricShape,
  type MetricSource,
  weightOrder,
} from './metric.ts';
export { apiGroup, apiVersion, kind, parsePolicy, policySchema } from './parse-policy.ts';
export type {
  Algorithm,
  AlgorithmPlugin,
  MetricTarget,
  Policy,
  PresetName,
  PrometheusSource,
  ScalingPolicy,
  ScalingRules,
  ScheduleEntry,
  SecretKey,
} from './policy.ts';
export { type PresetDefaults, presets } from './presets.ts';
export { type Bounds, boundsAt } from './schedule.ts';
export type { Spec, SpecInput } from './schema.ts';
export { type PolicyStatus, statusSchema } from './status.ts';
export { nothingAround, type ScaledTarget, type Surroundings, warningsOf } from './warnings.ts';
