// What is wrong with a built-in object, every problem by field. It covers what people get wrong and what our own code
// depends on; the full validation of the real server is larger.
import { type FieldError, forbiddenField, invalidField, requiredField, unsupportedField } from './api-error.ts';
import { definitionProblems } from './custom-resources.ts';
import { equal, isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { duplicates, keyErrors, labelErrors, nameErrors } from './object-meta.ts';
import { quantityOf } from './quantity.ts';
import { matchesSelector } from './selectors.ts';

const portName = /^(?=.*[a-z])[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?$/;
const isPort = (value: unknown) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= 65_535;
const portText = 'must be between 1 and 65535, inclusive';

function oneOf(object: JsonObject, key: string, place: string, allowed: readonly string[]): FieldError[] {
  const value = object[key];
  return value === undefined || allowed.includes(String(value))
    ? []
    : [unsupportedField(`${place}.${key}`, value, allowed)];
}

function nonNegative(object: JsonObject, key: string, place: string): FieldError[] {
  const value = object[key];
  return typeof value === 'number' && value < 0
    ? [invalidField(`${place}.${key}`, value, 'must be greater than or equal to 0')]
    : [];
}

function portReference(value: unknown, place: string): FieldError[] {
  if (value === undefined) return [requiredField(place)];
  if (typeof value === 'number') return isPort(value) ? [] : [invalidField(place, value, portText)];
  return portName.test(String(value))
    ? []
    : [
        invalidField(
          place,
          value,
          'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), and be no more than 15 characters',
        ),
      ];
}

function handlerErrors(value: unknown, place: string): FieldError[] {
  if (!isObject(value)) return [];
  const handlers = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'].filter((kind) => isObject(value[kind]));
  if (handlers.length === 0) return [requiredField(place, 'must specify a handler type')];
  const errors = handlers
    .slice(1)
    .map((kind) => forbiddenField(`${place}.${kind}`, 'may not specify more than 1 handler type'));
  for (const kind of ['httpGet', 'tcpSocket']) {
    if (isObject(value[kind])) errors.push(...portReference(value[kind].port, `${place}.${kind}.port`));
  }
  return errors;
}

function resourceErrors(container: JsonObject, place: string): FieldError[] {
  const errors: FieldError[] = [];
  const limits = valueAt(container, 'resources', 'limits');
  for (const part of ['requests', 'limits']) {
    const amounts = valueAt(container, 'resources', part);
    if (!isObject(amounts)) continue;
    for (const [name, amount] of Object.entries(amounts)) {
      const where = `${place}.resources.${part}[${name}]`;
      const size = quantityOf(amount);
      if (size === undefined) {
        errors.push(
          invalidField(
            where,
            amount,
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
          ),
        );
        continue;
      }
      if (size < 0) errors.push(invalidField(where, amount, 'must be greater than or equal to 0'));
      const most = part === 'requests' && isObject(limits) ? quantityOf(limits[name]) : undefined;
      if (most !== undefined && size > most) {
        errors.push(
          invalidField(
            `${place}.resources.requests`,
            amount,
            `must be less than or equal to ${name} limit of ${(limits as JsonObject)[name]}`,
          ),
        );
      }
    }
  }
  return errors;
}

function containerErrors(
  container: JsonObject,
  place: string,
  volumes: ReadonlySet<unknown>,
  init: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  const name = String(container.name ?? '');
  errors.push(...(name === '' ? [requiredField(`${place}.name`)] : nameErrors(name, 'label', `${place}.name`)));
  if (!container.image) errors.push(requiredField(`${place}.image`));
  const ports = listAt(container, 'ports');
  for (const [index, port] of ports.entries()) {
    const where = `${place}.ports[${index}]`;
    if (port.containerPort === undefined || port.containerPort === 0)
      errors.push(requiredField(`${where}.containerPort`));
    else if (!isPort(port.containerPort))
      errors.push(invalidField(`${where}.containerPort`, port.containerPort, portText));
    if (port.name !== undefined && !portName.test(String(port.name))) {
      errors.push(
        invalidField(
          `${where}.name`,
          port.name,
          'must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-), and at least one letter, and be no more than 15 characters',
        ),
      );
    }
    errors.push(...oneOf(port, 'protocol', where, ['SCTP', 'TCP', 'UDP']));
  }
  errors.push(
    ...duplicates(
      ports.map((port) => port.name),
      (index) => `${place}.ports[${index}].name`,
    ),
  );
  for (const [index, variable] of listAt(container, 'env').entries()) {
    const where = `${place}.env[${index}]`;
    if (!variable.name) errors.push(requiredField(`${where}.name`));
    else if (/[^!-<>-~ ]|=/.test(String(variable.name)))
      errors.push(
        invalidField(
          `${where}.name`,
          variable.name,
          "a valid environment variable name must consist only of printable ASCII characters other than '='",
        ),
      );
    if (variable.value && isObject(variable.valueFrom))
      errors.push(invalidField(`${where}.valueFrom`, '', 'may not be specified when `value` is not empty'));
  }
  for (const [index, mount] of listAt(container, 'volumeMounts').entries()) {
    const where = `${place}.volumeMounts[${index}]`;
    if (!mount.name) errors.push(requiredField(`${where}.name`));
    else if (!volumes.has(mount.name))
      errors.push({
        reason: 'FieldValueInvalid',
        field: `${where}.name`,
        message: `Not found: ${JSON.stringify(mount.name)}`,
      });
    if (!mount.mountPath) errors.push(requiredField(`${where}.mountPath`));
  }
  errors.push(
    ...duplicates(
      listAt(container, 'volumeMounts').map((mount) => mount.mountPath),
      (index) => `${place}.volumeMounts[${index}].mountPath`,
    ),
  );
  const sidecar = init && container.restartPolicy === 'Always';
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    if (init && !sidecar && container[probe] !== undefined) {
      errors.push(
        forbiddenField(`${place}.${probe}`, 'may not be set for init containers without restartPolicy=Always'),
      );
    } else errors.push(...handlerErrors(container[probe], `${place}.${probe}`));
  }
  for (const hook of ['preStop', 'postStart'])
    errors.push(...handlerErrors(valueAt(container, 'lifecycle', hook), `${place}.lifecycle.${hook}`));
  errors.push(...oneOf(container, 'imagePullPolicy', place, ['Always', 'IfNotPresent', 'Never']));
  if (init) errors.push(...oneOf(container, 'restartPolicy', place, ['Always', 'Never', 'OnFailure']));
  errors.push(...resourceErrors(container, place));
  return errors;
}

/** `claims`: names that a StatefulSet's volumeClaimTemplates add to the volumes. */
function podSpecErrors(spec: JsonObject, place: string, claims: readonly unknown[] = []): FieldError[] {
  const errors: FieldError[] = [];
  const volumes = listAt(spec, 'volumes');
  for (const [index, volume] of volumes.entries()) {
    const where = `${place}.volumes[${index}]`;
    if (!volume.name) errors.push(requiredField(`${where}.name`));
    else errors.push(...nameErrors(String(volume.name), 'label', `${where}.name`));
    const sources = Object.keys(volume).filter((key) => key !== 'name');
    if (sources.length > 1)
      errors.push(forbiddenField(`${where}.${sources[1]}`, 'may not specify more than 1 volume type'));
  }
  errors.push(
    ...duplicates(
      volumes.map(({ name }) => name),
      (index) => `${place}.volumes[${index}].name`,
    ),
  );
  const known = new Set([...volumes.map(({ name }) => name), ...claims]);
  const containers = listAt(spec, 'containers');
  const init = listAt(spec, 'initContainers');
  if (containers.length === 0) errors.push(requiredField(`${place}.containers`));
  for (const [index, one] of containers.entries())
    errors.push(...containerErrors(one, `${place}.containers[${index}]`, known, false));
  for (const [index, one] of init.entries())
    errors.push(...containerErrors(one, `${place}.initContainers[${index}]`, known, true));
  const names = [...containers, ...init].map(({ name }) => name);
  errors.push(
    ...duplicates(names, (index) =>
      index < containers.length
        ? `${place}.containers[${index}].name`
        : `${place}.initContainers[${index - containers.length}].name`,
    ),
  );
  errors.push(...oneOf(spec, 'restartPolicy', place, ['Always', 'Never', 'OnFailure']));
  errors.push(...oneOf(spec, 'dnsPolicy', place, ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None']));
  errors.push(...nonNegative(spec, 'terminationGracePeriodSeconds', place));
  if (spec.serviceAccountName)
    errors.push(...nameErrors(String(spec.serviceAccountName), 'subdomain', `${place}.serviceAccountName`));
  errors.push(...labelErrors(spec.nodeSelector, `${place}.nodeSelector`));
  return errors;
}

function selectorErrors(selector: unknown, place: string): FieldError[] {
  if (!isObject(selector)) return [requiredField(place)];
  const errors = labelErrors(selector.matchLabels, `${place}.matchLabels`);
  for (const [index, expression] of listAt(selector, 'matchExpressions').entries()) {
    const where = `${place}.matchExpressions[${index}]`;
    errors.push(...keyErrors(String(expression.key ?? ''), `${where}.key`));
    errors.push(...oneOf(expression, 'operator', where, ['In', 'NotIn', 'Exists', 'DoesNotExist']));
    const values = Array.isArray(expression.values) ? expression.values : [];
    if (['In', 'NotIn'].includes(String(expression.operator)) && values.length === 0) {
      errors.push(requiredField(`${where}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
    }
  }
  return errors;
}

function workloadErrors(object: KubeObject, restart: readonly string[]): FieldError[] {
  const spec = isObject(object.spec) ? object.spec : {};
  const errors = selectorErrors(spec.selector, 'spec.selector');
  errors.push(
    ...nonNegative(spec, 'replicas', 'spec'),
    ...nonNegative(spec, 'minReadySeconds', 'spec'),
    ...nonNegative(spec, 'revisionHistoryLimit', 'spec'),
  );
  const labels = valueAt(spec, 'template', 'metadata', 'labels') as Record<string, string> | undefined;
  errors.push(...labelErrors(labels, 'spec.template.metadata.labels'));
  if (isObject(spec.selector)) {
    if (
      Object.keys((spec.selector.matchLabels as JsonObject | undefined) ?? {}).length +
        listAt(spec.selector, 'matchExpressions').length ===
      0
    ) {
      errors.push(
        invalidField('spec.selector', spec.selector, `empty selector is invalid for ${object.kind.toLowerCase()}`),
      );
    } else if (!matchesSelector(spec.selector, labels)) {
      errors.push(
        invalidField('spec.template.metadata.labels', labels ?? {}, '`selector` does not match template `labels`'),
      );
    }
  }
  const template = valueAt(spec, 'template', 'spec');
  const claims = listAt(spec, 'volumeClaimTemplates').map((claim) => valueAt(claim, 'metadata', 'name'));
  errors.push(...podSpecErrors(isObject(template) ? template : {}, 'spec.template.spec', claims));
  const policy = valueAt(template, 'restartPolicy');
  if (policy !== undefined && !restart.includes(String(policy)))
    errors.push(unsupportedField('spec.template.spec.restartPolicy', policy, restart));
  return errors;
}

function serviceErrors(service: KubeObject): FieldError[] {
  const spec = isObject(service.spec) ? service.spec : {};
  const errors: FieldError[] = [];
  const ports = listAt(spec, 'ports');
  if (ports.length === 0 && spec.clusterIP !== 'None' && spec.type !== 'ExternalName')
    errors.push(requiredField('spec.ports'));
  for (const [index, port] of ports.entries()) {
    const where = `spec.ports[${index}]`;
    if (ports.length > 1 && !port.name) errors.push(requiredField(`${where}.name`));
    else if (port.name) errors.push(...nameErrors(String(port.name), 'label', `${where}.name`));
    if (!isPort(port.port)) errors.push(invalidField(`${where}.port`, port.port ?? 0, portText));
    if (port.targetPort !== undefined) errors.push(...portReference(port.targetPort, `${where}.targetPort`));
    errors.push(...oneOf(port, 'protocol', where, ['SCTP', 'TCP', 'UDP']));
  }
  errors.push(
    ...duplicates(
      ports.map(({ name }) => name),
      (index) => `spec.ports[${index}].name`,
    ),
  );
  errors.push(
    ...duplicates(
      ports.map((port) => `${port.protocol}/${port.port}`),
      (index) => `spec.ports[${index}]`,
    ),
  );
  errors.push(...labelErrors(spec.selector, 'spec.selector'));
  errors.push(...oneOf(spec, 'type', 'spec', ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort']));
  errors.push(...oneOf(spec, 'sessionAffinity', 'spec', ['ClientIP', 'None']));
  if (spec.type === 'ExternalName' && !spec.externalName) errors.push(requiredField('spec.externalName'));
  return errors;
}

const dataKey = /^[-._a-zA-Z0-9]+$/;
function dataErrors(object: KubeObject, ...fields: string[]): FieldError[] {
  return fields.flatMap((field) =>
    Object.keys(isObject(object[field]) ? object[field] : {})
      .filter((key) => !dataKey.test(key) || key === '.' || key === '..' || key.length > 253)
      .map((key) =>
        invalidField(
          `${field}[${key}]`,
          key,
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
        ),
      ),
  );
}

function webhookErrors(object: KubeObject): FieldError[] {
  const webhooks = listAt(object, 'webhooks');
  const errors = webhooks.flatMap((webhook, index) => {
    const place = `webhooks[${index}]`;
    const found: FieldError[] = [];
    if (String(webhook.name ?? '').split('.').length < 3)
      found.push(
        invalidField(
          `${place}.name`,
          webhook.name ?? '',
          'should be a domain with at least three segments separated by dots',
        ),
      );
    if (!['None', 'NoneOnDryRun'].includes(String(webhook.sideEffects)))
      found.push(
        webhook.sideEffects === undefined
          ? requiredField(`${place}.sideEffects`, 'must specify one of None, NoneOnDryRun')
          : unsupportedField(`${place}.sideEffects`, webhook.sideEffects, ['None', 'NoneOnDryRun']),
      );
    const versions = Array.isArray(webhook.admissionReviewVersions) ? webhook.admissionReviewVersions : [];
    if (versions.length === 0)
      found.push(requiredField(`${place}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
    else if (!versions.includes('v1'))
      found.push(
        invalidField(`${place}.admissionReviewVersions`, versions, 'must include at least one of v1, v1beta1'),
      );
    found.push(
      ...oneOf(webhook, 'failurePolicy', place, ['Fail', 'Ignore']),
      ...oneOf(webhook, 'matchPolicy', place, ['Equivalent', 'Exact']),
      ...oneOf(webhook, 'reinvocationPolicy', place, ['IfNeeded', 'Never']),
    );
    const timeout = webhook.timeoutSeconds;
    if (typeof timeout === 'number' && (timeout < 1 || timeout > 30))
      found.push(
        invalidField(`${place}.timeoutSeconds`, timeout, `the timeout value must be between 1 and 30 seconds`),
      );
    const url = valueAt(webhook, 'clientConfig', 'url');
    const service = valueAt(webhook, 'clientConfig', 'service');
    if ((url === undefined) === (service === undefined))
      found.push(requiredField(`${place}.clientConfig`, 'exactly one of url or service is required'));
    if (typeof url === 'string' && !url.startsWith('https://'))
      found.push(invalidField(`${place}.clientConfig.url`, url, "'https' is the only allowed URL scheme"));
    for (const [at, rule] of listAt(webhook, 'rules').entries()) {
      for (const field of ['operations', 'apiGroups', 'apiVersions', 'resources']) {
        if (!Array.isArray(rule[field]) || rule[field].length === 0)
          found.push(requiredField(`${place}.rules[${at}].${field}`));
      }
    }
    return found;
  });
  return [
    ...errors,
    ...duplicates(
      webhooks.map(({ name }) => name),
      (index) => `webhooks[${index}].name`,
    ),
  ];
}

function leaseErrors(lease: KubeObject): FieldError[] {
  const spec = isObject(lease.spec) ? lease.spec : {};
  const errors: FieldError[] = [];
  if (typeof spec.leaseDurationSeconds === 'number' && spec.leaseDurationSeconds <= 0)
    errors.push(invalidField('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0'));
  return [...errors, ...nonNegative(spec, 'leaseTransitions', 'spec')];
}

function eventErrors(event: KubeObject): FieldError[] {
  const involved = String(valueAt(event, 'involvedObject', 'namespace') ?? '');
  const namespace = event.metadata.namespace ?? '';
  // Events about cluster-scoped objects live in default.
  return involved === namespace || (involved === '' && namespace === 'default')
    ? []
    : [invalidField('involvedObject.namespace', involved, 'does not match event.namespace')];
}

function autoscalerErrors(hpa: KubeObject): FieldError[] {
  const spec = isObject(hpa.spec) ? hpa.spec : {};
  const errors: FieldError[] = [];
  if (!(Number(spec.maxReplicas) >= 1))
    errors.push(invalidField('spec.maxReplicas', spec.maxReplicas ?? 0, 'must be greater than 0'));
  else if (Number(spec.maxReplicas) < Number(spec.minReplicas ?? 1))
    errors.push(invalidField('spec.maxReplicas', spec.maxReplicas, 'must be greater than or equal to `minReplicas`'));
  if (!valueAt(spec, 'scaleTargetRef', 'name')) errors.push(requiredField('spec.scaleTargetRef.name'));
  if (!valueAt(spec, 'scaleTargetRef', 'kind')) errors.push(requiredField('spec.scaleTargetRef.kind'));
  return errors;
}

const always = ['Always'];
const byKind: Readonly<Record<string, (object: KubeObject) => FieldError[]>> = {
  Pod: (pod) => podSpecErrors(isObject(pod.spec) ? pod.spec : {}, 'spec'),
  Deployment: (object) => workloadErrors(object, always),
  ReplicaSet: (object) => workloadErrors(object, always),
  StatefulSet: (object) => workloadErrors(object, always),
  DaemonSet: (object) => workloadErrors(object, always),
  Service: serviceErrors,
  ConfigMap: (object) => dataErrors(object, 'data', 'binaryData'),
  Secret: (object) => dataErrors(object, 'data'),
  MutatingWebhookConfiguration: webhookErrors,
  ValidatingWebhookConfiguration: webhookErrors,
  CustomResourceDefinition: definitionProblems,
  Lease: leaseErrors,
  Event: eventErrors,
  HorizontalPodAutoscaler: autoscalerErrors,
};

export const objectErrors = (object: KubeObject): FieldError[] => byKind[object.kind]?.(object) ?? [];

/** Fields that a kind does not let change once written. */
const immutable: Readonly<Record<string, readonly (readonly string[])[]>> = {
  Deployment: [['spec', 'selector']],
  ReplicaSet: [['spec', 'selector']],
  DaemonSet: [['spec', 'selector']],
  Service: [['spec', 'clusterIP']],
  RoleBinding: [['roleRef']],
  ClusterRoleBinding: [['roleRef']],
  EndpointSlice: [['addressType']],
  Secret: [['type']],
  PriorityClass: [['value']],
  CustomResourceDefinition: [
    ['spec', 'scope'],
    ['spec', 'group'],
    ['spec', 'names', 'kind'],
    ['spec', 'names', 'plural'],
  ],
};

const statefulSetMayChange = new Set([
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
]);

export function changeErrors(before: KubeObject, after: KubeObject): FieldError[] {
  const errors = (immutable[after.kind] ?? [])
    .filter((path) => !equal(valueAt(before, ...path), valueAt(after, ...path)))
    .map((path) => invalidField(path.join('.'), valueAt(after, ...path) ?? null, 'field is immutable'));
  if (after.kind === 'StatefulSet') errors.push(...statefulSetChanges(before, after));
  if (after.kind === 'Pod') errors.push(...podChanges(before, after));
  if (
    (after.kind === 'ConfigMap' || after.kind === 'Secret') &&
    before.immutable === true &&
    (!equal(before.data, after.data) || after.immutable !== true)
  ) {
    errors.push(forbiddenField('data', 'field is immutable when `immutable` is set'));
  }
  return errors;
}

function statefulSetChanges(before: KubeObject, after: KubeObject): FieldError[] {
  const fixed = (spec: unknown) =>
    Object.fromEntries(Object.entries(isObject(spec) ? spec : {}).filter(([key]) => !statefulSetMayChange.has(key)));
  return equal(fixed(before.spec), fixed(after.spec))
    ? []
    : [
        forbiddenField(
          'spec',
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      ];
}

const podMayChange = [
  'activeDeadlineSeconds',
  'tolerations',
  'schedulingGates',
  'terminationGracePeriodSeconds',
  'nodeName',
];
const without = (object: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(Object.entries(object).filter(([key]) => !keys.includes(key)));

/** Of a pod, only images, the deadline, tolerations (added) and gates (removed) change; a grace period may shrink to 1. */
function podChanges(before: KubeObject, after: KubeObject): FieldError[] {
  const images = (list: unknown) => (Array.isArray(list) ? list.map((one: JsonObject) => without(one, ['image'])) : []);
  const fixed = (spec: unknown): JsonObject => {
    const rest = without(isObject(spec) ? spec : {}, podMayChange);
    return { ...rest, containers: images(rest.containers), initContainers: images(rest.initContainers) };
  };
  const bound = valueAt(before, 'spec', 'nodeName');
  const moved = bound !== undefined && bound !== valueAt(after, 'spec', 'nodeName');
  return equal(fixed(before.spec), fixed(after.spec)) && !moved
    ? []
    : [
        forbiddenField(
          'spec',
          'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
        ),
      ];
}
