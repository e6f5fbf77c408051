// Some built-in kinds have two faces over one storage: events (core/v1, which is stored, and events.k8s.io/v1) and
// autoscalers (autoscaling/v2, which is stored, and v1, which `kubectl autoscale` writes). Versions of custom kinds
// differ by their name only, as with a CRD's conversion strategy None.
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';

interface Conversion {
  /** The model of the stored form. */
  readonly model: string;
  readonly toStored: (object: KubeObject) => KubeObject;
  readonly fromStored: (object: KubeObject) => KubeObject;
}

/** Names in events.k8s.io/v1 and in core/v1. */
const renamed = [
  ['regarding', 'involvedObject'],
  ['note', 'message'],
  ['reportingController', 'reportingComponent'],
  ['deprecatedSource', 'source'],
  ['deprecatedFirstTimestamp', 'firstTimestamp'],
  ['deprecatedLastTimestamp', 'lastTimestamp'],
  ['deprecatedCount', 'count'],
] as const;

function rename(object: KubeObject, apiVersion: string, from: 0 | 1, to: 0 | 1): KubeObject {
  const result: JsonObject = { ...object, apiVersion };
  for (const pair of renamed) {
    const value = result[pair[from]];
    delete result[pair[from]];
    if (value !== undefined) result[pair[to]] = value;
  }
  return result as KubeObject;
}

// What v1 has no field for travels in an annotation, so that reading and writing it back in v1 loses nothing.
const metricsAnnotation = 'autoscaling.alpha.kubernetes.io/metrics';
const behaviorAnnotation = 'autoscaling.alpha.kubernetes.io/behavior';
const cpu = (target: JsonObject): JsonObject => ({ type: 'Resource', resource: { name: 'cpu', target } });
const isCpu = (metric: JsonObject) =>
  valueAt(metric, 'resource', 'name') === 'cpu' &&
  valueAt(metric, 'resource', 'target', 'averageUtilization') !== undefined;
const parsed = (text: string | undefined): unknown => {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // Whoever wrote the annotation by hand gets what it says: nothing.
    return undefined;
  }
};

function scalerToStored(object: KubeObject): KubeObject {
  const { targetCPUUtilizationPercentage: percent, ...spec } = isObject(object.spec) ? object.spec : {};
  const {
    [metricsAnnotation]: metrics,
    [behaviorAnnotation]: behavior,
    ...annotations
  } = object.metadata.annotations ?? {};
  const { annotations: _annotations, ...metadata } = object.metadata;
  const others = parsed(metrics);
  const all = [
    ...(Array.isArray(others) ? others : []),
    ...(percent === undefined ? [] : [cpu({ type: 'Utilization', averageUtilization: percent })]),
  ];
  const { currentCPUUtilizationPercentage: current, ...status } = isObject(object.status) ? object.status : {};
  const measured =
    current === undefined
      ? {}
      : { currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: current } } }] };
  return {
    ...object,
    apiVersion: 'autoscaling/v2',
    metadata: Object.keys(annotations).length > 0 ? { ...metadata, annotations } : metadata,
    spec: {
      ...spec,
      ...(all.length > 0 && { metrics: all }),
      ...(isObject(parsed(behavior)) && { behavior: parsed(behavior) }),
    },
    ...(object.status !== undefined && { status: { ...status, ...measured } }),
  };
}

function scalerFromStored(object: KubeObject): KubeObject {
  const { metrics: _metrics, behavior, ...spec } = isObject(object.spec) ? object.spec : {};
  const metrics = listAt(object, 'spec', 'metrics');
  const percent = valueAt(metrics.find(isCpu), 'resource', 'target', 'averageUtilization');
  const others = metrics.filter((metric) => !isCpu(metric));
  const { currentMetrics: _current, conditions: _conditions, ...status } = isObject(object.status) ? object.status : {};
  const current = listAt(object, 'status', 'currentMetrics').find(
    (metric) => valueAt(metric, 'resource', 'name') === 'cpu',
  );
  const measured = valueAt(current, 'resource', 'current', 'averageUtilization');
  const annotations = {
    ...object.metadata.annotations,
    ...(others.length > 0 && { [metricsAnnotation]: JSON.stringify(others) }),
    ...(behavior !== undefined && { [behaviorAnnotation]: JSON.stringify(behavior) }),
  };
  return {
    ...object,
    apiVersion: 'autoscaling/v1',
    metadata: { ...object.metadata, ...(Object.keys(annotations).length > 0 && { annotations }) },
    spec: { ...spec, ...(percent !== undefined && { targetCPUUtilizationPercentage: percent }) },
    ...(object.status !== undefined && {
      status: { ...status, ...(measured !== undefined && { currentCPUUtilizationPercentage: measured }) },
    }),
  };
}

const conversions: Readonly<Record<string, Conversion>> = {
  'events.k8s.io/v1/Event': {
    model: 'CoreV1Event',
    toStored: (object) => rename(object, 'v1', 0, 1),
    fromStored: (object) => rename(object, 'events.k8s.io/v1', 1, 0),
  },
  'autoscaling/v1/HorizontalPodAutoscaler': {
    model: 'V2HorizontalPodAutoscaler',
    toStored: scalerToStored,
    fromStored: scalerFromStored,
  },
};
const conversionOf = (kind: ResourceKind): Conversion | undefined => conversions[`${apiVersionOf(kind)}/${kind.kind}`];

/** The model of what is stored for a built-in kind. */
export const storedModel = (kind: ResourceKind): string => conversionOf(kind)?.model ?? kind.model;

/** The object as it is stored. Custom kinds are stored in whichever version they were written. */
export const storedForm = (object: KubeObject, kind: ResourceKind): KubeObject =>
  conversionOf(kind)?.toStored(object) ?? object;

const served = new WeakMap<KubeObject, Map<string, KubeObject>>();

/** The object as this kind's version shows it; the stored object itself where that is the same. */
export function servedForm(object: KubeObject, kind: ResourceKind): KubeObject {
  const apiVersion = apiVersionOf(kind);
  if (object.apiVersion === apiVersion) return object;
  const convert = () => conversionOf(kind)?.fromStored(object) ?? { ...object, apiVersion };
  // Only what can no longer change is worth remembering.
  if (!Object.isFrozen(object)) return convert();
  const versions = served.get(object) ?? new Map<string, KubeObject>();
  served.set(object, versions);
  const form = versions.get(apiVersion) ?? convert();
  versions.set(apiVersion, form);
  return form;
}
