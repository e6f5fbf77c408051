// The rules every object's metadata obeys, and the words the real server finds for breaking them.
import { duplicateField, type FieldError, forbiddenField, invalidField, requiredField } from './api-error.ts';
import { isObject, type KubeObject } from './kube-object.ts';
import type { ResourceKind } from './resources.ts';

const label = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const label1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const qualifiedPart = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const subdomainText =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelText =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const label1035Text =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const keyText =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const valueText =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

const styles = {
  subdomain: { pattern: subdomain, longest: 253, text: subdomainText },
  label: { pattern: label, longest: 63, text: labelText },
  label1035: { pattern: label1035, longest: 63, text: label1035Text },
  path: { pattern: /^(?!\.{1,2}$)[^/%]+$/, longest: 253, text: "may not contain '/' or '%'" },
} as const;

export function nameErrors(name: string, style: ResourceKind['names'], field: string): FieldError[] {
  const { pattern, longest, text } = styles[style];
  const errors: FieldError[] = [];
  if (name.length > longest) errors.push(invalidField(field, name, `must be no more than ${longest} characters`));
  if (!pattern.test(name)) errors.push(invalidField(field, name, text));
  return errors;
}

/** `example.com/name` or `name` */
export function keyErrors(key: string, field: string): FieldError[] {
  const slash = key.indexOf('/');
  const errors: FieldError[] = [];
  const name = key.slice(slash + 1);
  if (slash >= 0 && !subdomain.test(key.slice(0, slash)))
    errors.push(invalidField(field, key, `prefix part ${subdomainText}`));
  if (name === '') errors.push(invalidField(field, key, 'name part must be non-empty'));
  else if (name.length > 63) errors.push(invalidField(field, key, 'name part must be no more than 63 characters'));
  if (!qualifiedPart.test(name)) errors.push(invalidField(field, key, keyText));
  return errors;
}

export function labelErrors(labels: unknown, field: string): FieldError[] {
  if (!isObject(labels)) return [];
  return Object.entries(labels).flatMap(([key, value]) => {
    const errors = keyErrors(key, field);
    const text = String(value);
    if (text.length > 63) errors.push(invalidField(field, value, 'must be no more than 63 bytes'));
    else if (!labelValue.test(text)) errors.push(invalidField(field, value, valueText));
    return errors;
  });
}

const annotationBytes = 256 * 1024;

export function metadataErrors({ metadata }: KubeObject, kind: ResourceKind): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name === '') errors.push(requiredField('metadata.name', 'name or generateName is required'));
  else errors.push(...nameErrors(metadata.name, kind.names, 'metadata.name'));
  errors.push(...labelErrors(metadata.labels, 'metadata.labels'));
  let bytes = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    errors.push(...keyErrors(key.toLowerCase(), 'metadata.annotations'));
    bytes += key.length + String(value).length;
  }
  if (bytes > annotationBytes) {
    errors.push({
      reason: 'FieldValueTooLong',
      field: 'metadata.annotations',
      message: `Too long: may not be more than ${annotationBytes} bytes`,
    });
  }
  for (const [index, finalizer] of (metadata.finalizers ?? []).entries()) {
    errors.push(...keyErrors(finalizer, `metadata.finalizers[${index}]`));
  }
  const owners = metadata.ownerReferences ?? [];
  for (const [index, owner] of owners.entries()) {
    for (const field of ['apiVersion', 'kind', 'name', 'uid'] as const) {
      if (!owner[field])
        errors.push(invalidField(`metadata.ownerReferences[${index}].${field}`, '', 'must not be empty'));
    }
  }
  const controllers = owners.filter(({ controller }) => controller === true);
  if (controllers.length > 1) {
    errors.push(
      invalidField(
        'metadata.ownerReferences',
        controllers.length,
        'Only one reference can have Controller set to true',
      ),
    );
  }
  return errors;
}

/** What an update may not change. */
export function metadataChangeErrors(before: KubeObject, after: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['name', 'namespace', 'uid', 'creationTimestamp'] as const) {
    if ((after.metadata[field] ?? '') !== (before.metadata[field] ?? '')) {
      errors.push(invalidField(`metadata.${field}`, after.metadata[field], 'field is immutable'));
    }
  }
  if (before.metadata.deletionTimestamp !== undefined) {
    const known = before.metadata.finalizers ?? [];
    const added = (after.metadata.finalizers ?? []).filter((finalizer) => !known.includes(finalizer));
    if (added.length > 0) {
      errors.push(
        forbiddenField(
          'metadata.finalizers',
          `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map((one) => JSON.stringify(one)).join(', ')}}`,
        ),
      );
    }
  }
  return errors;
}

/** The indices of a list whose key has been seen before. */
export function duplicates(values: readonly unknown[], field: (index: number) => string): FieldError[] {
  const seen = new Set<unknown>();
  return values.flatMap((value, index) => {
    if (value === undefined || value === '') return [];
    if (seen.has(value)) return [duplicateField(field(index), value)];
    seen.add(value);
    return [];
  });
}
