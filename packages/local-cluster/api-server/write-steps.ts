// Single steps of a write, none of which needs the store.
import type { Attempt } from './admission.ts';
import { conflict, type FieldError, invalid } from './api-error.ts';
import { equal, type JsonObject, type KubeObject, type ObjectMeta, valueAt } from './kube-object.ts';
import type { Caller, Target } from './request.ts';
import { type ResourceKind, subjectOf } from './resources.ts';
import { scaleErrors, scaleKind, scaleOf } from './scale.ts';
import { objectErrors } from './validation.ts';

export function contentErrors(object: KubeObject, kind: ResourceKind): FieldError[] {
  if (kind.custom === undefined) return objectErrors(object);
  const errors = kind.custom.schema.validate(object);
  return errors.length > 0 ? errors : scaleErrors(kind, object);
}

export function scaled(attempt: Attempt): Attempt {
  const { scale } = attempt.kind;
  if (attempt.subresource !== 'scale' || scale === undefined) return attempt;
  return {
    ...attempt,
    objectKind: scaleKind,
    object: attempt.object && scaleOf(attempt.object, scale),
    oldObject: attempt.oldObject && scaleOf(attempt.oldObject, scale),
  };
}

export function namespaceHeld(object: KubeObject): boolean {
  const held =
    object.kind === 'Namespace' && object.apiVersion === 'v1' ? valueAt(object, 'spec', 'finalizers') : undefined;
  return Array.isArray(held) && held.length > 0;
}

export function warnDeprecated(kind: ResourceKind, caller: Caller): void {
  if (kind.custom?.deprecated !== undefined) caller.warn(kind.custom.deprecated);
  if (kind.kind === 'Endpoints' && kind.group === '')
    caller.warn('v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice');
}

export const withoutStatus = (object: KubeObject, kind: ResourceKind): KubeObject => {
  if (!kind.status || object.status === undefined) return object;
  const { status: _status, ...rest } = object;
  return rest as KubeObject;
};

/** What only the server writes in metadata, beside the field managers. */
export const serverFields = [
  'uid',
  'creationTimestamp',
  'deletionTimestamp',
  'deletionGracePeriodSeconds',
  'generation',
  'resourceVersion',
] as const;

/** A changed object with the fields that only the server writes, from the stored one. */
export function carried(object: KubeObject, current: KubeObject, target: Target): KubeObject {
  const { metadata } = object;
  if (metadata.uid !== undefined && metadata.uid !== current.metadata.uid) {
    throw conflict(
      subjectOf(target.kind, target.name),
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${current.metadata.uid}`,
    );
  }
  metadata.name = current.metadata.name;
  for (const field of serverFields) {
    const value = current.metadata[field];
    if (value === undefined) delete metadata[field];
    else (metadata as unknown as JsonObject)[field] = value;
  }
  return object;
}

export function refuse(errors: readonly FieldError[], kind: ResourceKind, name: string): void {
  if (errors.length === 0) return;
  // prepareUpdate runs twice around admission and may find the same fault twice.
  const distinct = errors.filter((error, index) => errors.findIndex((other) => equal(other, error)) === index);
  throw invalid(kind.group, kind.kind, name, distinct);
}

/** Whether a write would change nothing but times: then nothing is written and no watcher wakes. */
export function unchanged(current: KubeObject, next: KubeObject): boolean {
  const bare = ({ metadata: { managedFields: _managedFields, ...metadata }, ...rest }: KubeObject) => ({
    ...rest,
    metadata,
  });
  if (!equal(bare(current), bare(next))) return false;
  const timeless = (entries: ObjectMeta['managedFields']) => (entries ?? []).map(({ time: _time, ...entry }) => entry);
  return equal(timeless(current.metadata.managedFields), timeless(next.metadata.managedFields));
}
