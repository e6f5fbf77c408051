// Who set which field. Every write is noted in metadata.managedFields, as on a real server: without it server-side apply
// could neither see a conflict nor remove what its manager no longer wants.

import { changedFields, type FieldSet, fieldsOf, presentIn, union, without } from './field-set.ts';
import type { FieldType } from './field-type.ts';
import type { KubeObject, ManagedFieldsEntry } from './kube-object.ts';

export interface Writer {
  readonly manager: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource: string;
  readonly time: string;
}

/** Fields that the server itself keeps, and that nobody owns. */
const unowned = new Set(['f:apiVersion', 'f:kind']);
const unownedMeta = new Set([
  'f:name',
  'f:namespace',
  'f:uid',
  'f:resourceVersion',
  'f:generation',
  'f:creationTimestamp',
  'f:deletionTimestamp',
  'f:deletionGracePeriodSeconds',
  'f:managedFields',
  'f:selfLink',
]);

/** A set without what nobody owns; undefined when nothing is left. */
export function owned(set: FieldSet | undefined): FieldSet | undefined {
  if (set === undefined) return undefined;
  const result: FieldSet = {};
  for (const key in set) {
    if (unowned.has(key)) continue;
    if (key !== 'f:metadata') {
      result[key] = set[key] as FieldSet;
      continue;
    }
    const metadata: FieldSet = {};
    for (const field in set[key]) if (!unownedMeta.has(field)) metadata[field] = set[key]?.[field] as FieldSet;
    if (Object.keys(metadata).length > 0) result[key] = metadata;
  }
  return Object.keys(result).length > 0 ? result : undefined;
}

export const setOf = (entry: ManagedFieldsEntry): FieldSet => (entry.fieldsV1 ?? {}) as FieldSet;

export const sameWriter = (entry: ManagedFieldsEntry, writer: Writer): boolean =>
  entry.manager === writer.manager &&
  entry.operation === writer.operation &&
  entry.apiVersion === writer.apiVersion &&
  (entry.subresource ?? '') === writer.subresource;

export function entryOf(writer: Writer, set: FieldSet): ManagedFieldsEntry {
  return {
    manager: writer.manager,
    operation: writer.operation,
    apiVersion: writer.apiVersion,
    time: writer.time,
    fieldsType: 'FieldsV1',
    fieldsV1: set,
    ...(writer.subresource !== '' && { subresource: writer.subresource }),
  };
}

/**
 * The managed fields after a write that is not an apply: what changed now belongs to the writer and to nobody else,
 * and what is gone belongs to nobody. An entry keeps its time when its fields stay as they were.
 */
export function afterUpdate(
  before: KubeObject | undefined,
  after: KubeObject,
  type: FieldType,
  writer: Writer,
): ManagedFieldsEntry[] {
  const entries = after.metadata.managedFields ?? before?.metadata.managedFields ?? [];
  const set = owned(before === undefined ? fieldsOf(after, type) : changedFields(before, after, type));
  const result: ManagedFieldsEntry[] = [];
  let mine: FieldSet | undefined = set;
  for (const entry of entries) {
    const present = presentIn(setOf(entry), after, type);
    if (sameWriter(entry, writer)) {
      mine = present === undefined ? mine : mine === undefined ? present : union(present, mine);
      if (set === undefined && mine !== undefined) result.push({ ...entry, fieldsV1: mine });
      continue;
    }
    const rest = present === undefined ? undefined : set === undefined ? present : without(present, set);
    if (rest !== undefined) result.push({ ...entry, fieldsV1: rest });
  }
  if (set !== undefined && mine !== undefined) result.push(entryOf(writer, mine));
  return result;
}

/** The manager a write counts for: the one it names, else the program of its User-Agent. */
export function managerOf(given: string | undefined, userAgent: string): string {
  if (given !== undefined && given !== '') return given.slice(0, 128);
  return userAgent.split('/')[0]?.slice(0, 128) || 'unknown';
}
