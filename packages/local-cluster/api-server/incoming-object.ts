// From what a client sent to an object that has only known fields, the right kind, the right place and its defaults.
import { badRequest } from './api-error.ts';
import { builtInType } from './built-in-types.ts';
import { decoded } from './decoding.ts';
import { applyDefaults } from './defaults.ts';
import type { FieldType } from './field-type.ts';
import { isObject, type JsonObject, type KubeObject, type ObjectMeta } from './kube-object.ts';
import type { Caller, Target, WriteOptions } from './request.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';

/** Throws a 400 that says what does not fit. Unknown fields are warned about or refused, as the request asks. */
export function decodeIncoming(input: JsonObject, target: Target, options: WriteOptions, caller: Caller): KubeObject {
  const { kind } = target;
  const apiVersion = apiVersionOf(kind);
  if (input.kind !== undefined && input.kind !== kind.kind) {
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind.kind}): couldn't get version/kind; got kind ${JSON.stringify(input.kind)}`,
    );
  }
  if (input.apiVersion !== undefined && input.apiVersion !== apiVersion) {
    throw badRequest(
      `the API version in the data (${input.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  const metadata = isObject(input.metadata) ? input.metadata : {};
  const given: KubeObject = { ...input, apiVersion, kind: kind.kind, metadata: metadata as unknown as ObjectMeta };
  const { value, unknown } = readObject(given, kind);
  reportUnknown(unknown, kind, options, caller);
  if (kind.namespaced) {
    const own = value.metadata.namespace;
    if (own !== undefined && own !== '' && own !== target.namespace) {
      throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
    }
    value.metadata.namespace = target.namespace;
  } else delete value.metadata.namespace;
  tidy(value.metadata);
  return value;
}

/** The object with what its kind knows, and the fields that fell away. The input is used up. */
export function readObject(given: KubeObject, kind: ResourceKind): { value: KubeObject; unknown: readonly string[] } {
  if (kind.custom === undefined) return decoded(given, builtInType(kind.model));
  const { value: metadata, unknown } = decoded({ ...given, metadata: given.metadata }, onlyMetadata);
  const value = { ...given, metadata: metadata.metadata };
  return { value, unknown: [...unknown, ...kind.custom.schema.prune(value)] };
}

const onlyMetadata: FieldType = {
  form: 'object',
  open: true,
  fields: { metadata: builtInType('V1ObjectMeta') },
};

function reportUnknown(
  unknown: readonly string[],
  { kind, version }: ResourceKind,
  { fieldValidation = 'Warn' }: WriteOptions,
  caller: Caller,
): void {
  if (unknown.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') {
    throw badRequest(
      `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: strict decoding error: ${unknown.join(', ')}`,
    );
  }
  for (const warning of unknown) caller.warn(warning);
}

/** Empty collections in metadata are the same as none. */
function tidy(metadata: ObjectMeta): void {
  for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    if (metadata[field] !== undefined && Object.keys(metadata[field]).length === 0) delete metadata[field];
  }
  if (metadata.generateName === '') delete metadata.generateName;
  delete metadata.selfLink;
}

/** Fills in what the kind's defaults say, in place. */
export function setDefaults(object: KubeObject, kind: ResourceKind): void {
  if (kind.custom) kind.custom.schema.applyDefaults(object);
  else applyDefaults(object);
}
