// What a delete makes of an object: it is gone at once, or it is marked and waits for its finalizers, its grace period or,
// as a namespace, for what is in it.
import type { Instant } from '@kubeai/units';
import { conflict } from './api-error.ts';
import { equal, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';
import { timestamp } from './request.ts';
import { type ResourceKind, subjectOf } from './resources.ts';
import { gracePeriodOf } from './strategies.ts';

export interface Deletion {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: string | undefined;
  readonly orphanDependents?: boolean | undefined;
  readonly preconditions?:
    | { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined }
    | undefined;
  readonly dryRun?: boolean | undefined;
}

/** Throws a 409 when the object is not the one the delete means. */
export function checkPreconditions(current: KubeObject, { preconditions }: Deletion, kind: ResourceKind): void {
  const subject = subjectOf(kind, current.metadata.name);
  for (const [field, word] of [
    ['uid', 'UID'],
    ['resourceVersion', 'ResourceVersion'],
  ] as const) {
    const wanted = preconditions?.[field];
    if (wanted !== undefined && wanted !== current.metadata[field]) {
      throw conflict(
        subject,
        `Precondition failed: ${word} in precondition: ${wanted}, ${word} in object meta: ${current.metadata[field]}`,
      );
    }
  }
}

/** Gone at once, the object with its mark of deletion, or unchanged where it is marked as well already. */
export function marked(
  current: KubeObject,
  kind: ResourceKind,
  deletion: Deletion,
  now: Instant,
): KubeObject | 'gone' | 'unchanged' {
  const policy = deletion.propagationPolicy ?? (deletion.orphanDependents === true ? 'Orphan' : undefined);
  const finalizers = new Set(current.metadata.finalizers ?? []);
  if (policy === 'Foreground') finalizers.add('foregroundDeletion');
  if (policy === 'Orphan') finalizers.add('orphan');
  if (policy === 'Background') {
    finalizers.delete('foregroundDeletion');
    finalizers.delete('orphan');
  }
  const isPod = kind.storage === 'pods.';
  const isNamespace = kind.storage === 'namespaces.';
  const grace = isPod ? gracePeriodOf(current, deletion.gracePeriodSeconds) : 0;
  const { deletionTimestamp, deletionGracePeriodSeconds: left = 0 } = current.metadata;
  const held = isNamespace && ((valueAt(current, 'spec', 'finalizers') as unknown[] | undefined) ?? []).length > 0;
  if (grace === 0 && finalizers.size === 0 && !held) return 'gone';
  if (deletionTimestamp !== undefined) {
    const sameFinalizers = equal([...finalizers].sort(), [...(current.metadata.finalizers ?? [])].sort());
    // A second delete can only hurry a pod.
    if (grace >= left && sameFinalizers) return 'unchanged';
  }
  const began = deletionTimestamp === undefined ? now : ((Date.parse(deletionTimestamp) - left * 1000) as Instant);
  const seconds = deletionTimestamp === undefined ? grace : Math.min(grace, left);
  const { finalizers: _finalizers, ...metadata } = current.metadata;
  return {
    ...current,
    metadata: {
      ...metadata,
      deletionTimestamp: timestamp((began + seconds * 1000) as Instant),
      deletionGracePeriodSeconds: seconds,
      ...(finalizers.size > 0 && { finalizers: [...finalizers] }),
      ...(current.metadata.generation !== undefined &&
        deletionTimestamp === undefined && { generation: current.metadata.generation + 1 }),
    },
    ...(isNamespace && { status: { ...(current.status as JsonObject), phase: 'Terminating' } }),
  };
}
