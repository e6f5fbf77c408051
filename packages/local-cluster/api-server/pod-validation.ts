// What is wrong with the spec of a pod, or of a template of pods.
import { type FieldError, forbiddenField, invalidField, requiredField } from './api-error.ts';
import { isPort, nonNegative, oneOf, portName, portReference, portText } from './field-checks.ts';
import { isObject, type JsonObject, listAt, valueAt } from './kube-object.ts';
import { duplicates, labelErrors, nameErrors } from './object-meta.ts';
import { quantityOf } from './quantity.ts';

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
export function podSpecErrors(spec: JsonObject, place: string, claims: readonly unknown[] = []): FieldError[] {
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
