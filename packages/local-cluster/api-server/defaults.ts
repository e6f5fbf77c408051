// The defaults that the real server writes into built-in objects. Clients read them back (a Deployment without
// replicas has one), so they must be there, and exactly those.
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';

const put = (object: JsonObject, defaults: JsonObject): void => {
  for (const [key, value] of Object.entries(defaults)) if (object[key] === undefined) object[key] = value;
};

const child = (object: JsonObject, key: string): JsonObject => {
  if (!isObject(object[key])) object[key] = {};
  return object[key] as JsonObject;
};

function probe(value: unknown): void {
  if (!isObject(value)) return;
  put(value, { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
  handler(value);
}

function handler(value: unknown): void {
  const http = valueAt(value, 'httpGet');
  if (isObject(http)) put(http, { path: '/', scheme: 'HTTP' });
  const grpc = valueAt(value, 'grpc');
  if (isObject(grpc)) put(grpc, { service: '' });
}

function container(value: JsonObject): void {
  const image = String(value.image ?? '');
  const tag = /:([^/]+)$/.exec(image.split('@')[0] ?? '')?.[1];
  const latest = !image.includes('@') && (tag === undefined || tag === 'latest');
  put(value, {
    imagePullPolicy: latest ? 'Always' : 'IfNotPresent',
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    resources: {},
  });
  for (const port of listAt(value, 'ports')) put(port, { protocol: 'TCP' });
  for (const name of ['livenessProbe', 'readinessProbe', 'startupProbe']) probe(value[name]);
  handler(valueAt(value, 'lifecycle', 'preStop'));
  handler(valueAt(value, 'lifecycle', 'postStart'));
  for (const variable of listAt(value, 'env')) {
    const field = valueAt(variable, 'valueFrom', 'fieldRef');
    if (isObject(field)) put(field, { apiVersion: 'v1' });
    if (variable.value === '') delete variable.value;
  }
  // Whoever states only a limit requests as much.
  const limits = valueAt(value, 'resources', 'limits');
  if (isObject(limits)) put(child(child(value, 'resources'), 'requests'), limits);
}

function volume(value: JsonObject): void {
  const source = Object.keys(value).find((key) => key !== 'name');
  if (source === undefined) value.emptyDir = {};
  for (const [kind, mode] of [
    ['configMap', 420],
    ['secret', 420],
    ['downwardAPI', 420],
    ['projected', 420],
  ] as const) {
    if (isObject(value[kind])) put(value[kind] as JsonObject, { defaultMode: mode });
  }
  for (const part of listAt(value, 'projected', 'sources')) {
    const token = part.serviceAccountToken;
    if (isObject(token)) put(token, { expirationSeconds: 3600 });
    for (const item of listAt(part, 'downwardAPI', 'items')) downward(item);
  }
  for (const item of listAt(value, 'downwardAPI', 'items')) downward(item);
  if (isObject(value.hostPath)) put(value.hostPath as JsonObject, { type: '' });
}

const downward = (item: JsonObject): void => {
  if (isObject(item.fieldRef)) put(item.fieldRef as JsonObject, { apiVersion: 'v1' });
};

function podSpec(spec: JsonObject): void {
  put(spec, {
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    terminationGracePeriodSeconds: 30,
    securityContext: {},
  });
  for (const one of [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')]) container(one);
  for (const one of listAt(spec, 'volumes')) volume(one);
  if (spec.serviceAccountName !== undefined) put(spec, { serviceAccount: spec.serviceAccountName });
  else if (spec.serviceAccount !== undefined) put(spec, { serviceAccountName: spec.serviceAccount });
  if (spec.hostNetwork === true) {
    for (const one of listAt(spec, 'containers'))
      for (const port of listAt(one, 'ports')) put(port, { hostPort: port.containerPort });
  }
}

function template(spec: JsonObject): void {
  const inner = valueAt(spec, 'template', 'spec');
  if (isObject(inner)) podSpec(inner);
}

const quarter = { maxSurge: '25%', maxUnavailable: '25%' };

type Defaulter = (spec: JsonObject, object: JsonObject) => void;

const bySpec: Readonly<Record<string, Defaulter>> = {
  Pod: (spec) => {
    podSpec(spec);
    put(spec, { enableServiceLinks: true });
  },
  Deployment(spec) {
    template(spec);
    put(spec, { replicas: 1, progressDeadlineSeconds: 600, revisionHistoryLimit: 10, strategy: {} });
    const strategy = spec.strategy as JsonObject;
    put(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate') put(child(strategy, 'rollingUpdate'), quarter);
  },
  ReplicaSet(spec, object) {
    template(spec);
    put(spec, { replicas: 1 });
    // As apps/v1 does not default the selector, only the labels of the object follow the template.
    const labels = valueAt(spec, 'template', 'metadata', 'labels');
    const metadata = child(object, 'metadata');
    if (isObject(labels) && metadata.labels === undefined) metadata.labels = { ...labels };
  },
  StatefulSet(spec) {
    template(spec);
    put(spec, { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady', updateStrategy: {} });
    put(spec, { persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' } });
    const strategy = spec.updateStrategy as JsonObject;
    put(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate') put(child(strategy, 'rollingUpdate'), { partition: 0 });
  },
  DaemonSet(spec) {
    template(spec);
    put(spec, { revisionHistoryLimit: 10, updateStrategy: {} });
    const strategy = spec.updateStrategy as JsonObject;
    put(strategy, { type: 'RollingUpdate' });
    if (strategy.type === 'RollingUpdate') put(child(strategy, 'rollingUpdate'), { maxSurge: 0, maxUnavailable: 1 });
  },
  Job(spec) {
    template(spec);
    put(spec, {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      suspend: false,
      manualSelector: false,
      podReplacementPolicy: 'TerminatingOrFailed',
    });
  },
  CronJob: (spec) =>
    put(spec, { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 }),
  Service(spec) {
    put(spec, { type: 'ClusterIP', sessionAffinity: 'None' });
    if (spec.type !== 'ExternalName') put(spec, { internalTrafficPolicy: 'Cluster' });
    if (spec.type === 'NodePort' || spec.type === 'LoadBalancer') put(spec, { externalTrafficPolicy: 'Cluster' });
    for (const port of listAt(spec, 'ports')) {
      put(port, { protocol: 'TCP' });
      put(port, { targetPort: port.port });
    }
  },
  PersistentVolumeClaim: (spec) => put(spec, { volumeMode: 'Filesystem' }),
  HorizontalPodAutoscaler(spec, { apiVersion }) {
    put(spec, { minReplicas: 1 });
    const target = { type: 'Utilization', averageUtilization: 80 };
    if (apiVersion === 'autoscaling/v2')
      put(spec, { metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }] });
  },
};

const byObject: Readonly<Record<string, (object: JsonObject) => void>> = {
  Secret(object) {
    put(object, { type: 'Opaque' });
    if (!isObject(object.stringData)) return;
    // stringData is written only: it becomes data and is never read back.
    const data = child(object, 'data');
    for (const [key, value] of Object.entries(object.stringData))
      data[key] = Buffer.from(String(value)).toString('base64');
    delete object.stringData;
  },
  MutatingWebhookConfiguration: (object) => webhooks(object, { reinvocationPolicy: 'Never' }),
  ValidatingWebhookConfiguration: (object) => webhooks(object, {}),
  EndpointSlice(object) {
    for (const port of listAt(object, 'ports')) put(port, { name: '', protocol: 'TCP' });
  },
  Endpoints(object) {
    for (const subset of listAt(object, 'subsets'))
      for (const port of listAt(subset, 'ports')) put(port, { protocol: 'TCP' });
  },
  PriorityClass: (object) => put(object, { preemptionPolicy: 'PreemptLowerPriority' }),
  RoleBinding: binding,
  ClusterRoleBinding: binding,
  CustomResourceDefinition(object) {
    const spec = child(object, 'spec');
    put(spec, { conversion: { strategy: 'None' } });
    const names = child(spec, 'names');
    if (typeof names.kind === 'string')
      put(names, { singular: names.kind.toLowerCase(), listKind: `${names.kind}List` });
  },
};

function webhooks(object: JsonObject, more: JsonObject): void {
  for (const webhook of listAt(object, 'webhooks')) {
    put(webhook, {
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      timeoutSeconds: 10,
      namespaceSelector: {},
      objectSelector: {},
      ...more,
    });
    for (const rule of listAt(webhook, 'rules')) put(rule, { scope: '*' });
    const service = valueAt(webhook, 'clientConfig', 'service');
    if (isObject(service)) put(service, { port: 443 });
  }
}

function binding(object: JsonObject): void {
  put(child(object, 'roleRef'), { apiGroup: 'rbac.authorization.k8s.io' });
  for (const subject of listAt(object, 'subjects'))
    if (subject.kind !== 'ServiceAccount') put(subject, { apiGroup: 'rbac.authorization.k8s.io' });
}

/** Fills in the defaults of a built-in object, in place. */
export function applyDefaults(object: KubeObject): void {
  byObject[object.kind]?.(object);
  const defaulter = bySpec[object.kind];
  if (defaulter !== undefined && isObject(object.spec)) defaulter(object.spec, object);
}
