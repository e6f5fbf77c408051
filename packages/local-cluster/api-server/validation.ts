// What is wrong with a built-in object, every problem by field. It covers what people get wrong and what our own code
// depends on; the full validation of the real server is larger.
import { type FieldError, invalidField, requiredField, unsupportedField } from './api-error.ts';
import { definitionProblems } from './custom-resources.ts';
import { isPort, nonNegative, oneOf, portReference, portText } from './field-checks.ts';
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { duplicates, keyErrors, labelErrors, nameErrors } from './object-meta.ts';
import { podSpecErrors } from './pod-validation.ts';
import { matchesSelector } from './selectors.ts';

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
