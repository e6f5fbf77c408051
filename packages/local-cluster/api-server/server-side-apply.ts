// Server-side apply: a manager says all that it wants of an object. Its fields are set, those it no longer names are
// removed unless someone else has them too, and a field that someone else set to another value is a conflict (409)
// unless the manager insists. Two managers may share a field as long as they agree on its value.
import { ApiError, badRequest, type Subject } from './api-error.ts';
import {
  difference,
  elementOf,
  type FieldSet,
  fieldsOf,
  intersection,
  partsOf,
  pathsOf,
  union,
  without,
} from './field-set.ts';
import { type FieldType, itemType, typeOfField } from './field-type.ts';
import { equal, type JsonObject, type KubeObject, type ManagedFieldsEntry } from './kube-object.ts';
import { entryOf, owned, sameWriter, setOf, type Writer } from './managed-fields.ts';

/** The live object with the applied configuration in it and its new managed fields. Throws the 409 of a conflict. */
export function applied(
  live: KubeObject,
  configuration: KubeObject,
  type: FieldType,
  writer: Writer,
  force: boolean,
  subject: Subject,
): KubeObject {
  if (configuration.metadata.managedFields !== undefined) throw badRequest('metadata.managedFields must be nil');
  const entries = live.metadata.managedFields ?? [];
  const wanted = owned(fieldsOf(configuration, type)) ?? {};
  const before = setOf(entries.find((entry) => sameWriter(entry, writer)) ?? {});
  const others = entries.filter((entry) => !sameWriter(entry, writer));

  const changed = owned(differingFields(live, configuration, type)) ?? {};
  const disputes = others.flatMap((entry) => {
    const both = intersection(setOf(entry), changed);
    return both === undefined ? [] : [{ entry, fields: both }];
  });
  if (disputes.length > 0 && !force) throw conflictOf(disputes, subject);

  const elsewhere = others.reduce((all, entry) => union(all, setOf(entry)), {} as FieldSet);
  const abandoned = difference(difference(before, wanted) ?? {}, elsewhere) ?? {};
  const merged = merge(removed(live, abandoned, type, elsewhere), configuration, type) as KubeObject;
  const kept = others.flatMap((entry): ManagedFieldsEntry[] => {
    const rest = without(setOf(entry), changed);
    return rest === undefined ? [] : [{ ...entry, fieldsV1: rest }];
  });
  const mine = Object.keys(wanted).length > 0 ? [entryOf(writer, wanted)] : [];
  return { ...merged, metadata: { ...merged.metadata, managedFields: [...kept, ...mine] } };
}

function conflictOf(disputes: readonly { entry: ManagedFieldsEntry; fields: FieldSet }[], subject: Subject): ApiError {
  const all = disputes.flatMap(({ entry, fields }) => pathsOf(fields).map((field) => ({ entry, field })));
  const who = ({ manager, operation, subresource, apiVersion, time }: ManagedFieldsEntry) =>
    `${JSON.stringify(manager)}${subresource ? ` with subresource ${JSON.stringify(subresource)}` : ''}${operation === 'Update' ? ` using ${apiVersion}${time ? ` at ${time}` : ''}` : ''}`;
  const groups = new Map<string, string[]>();
  for (const { entry, field } of all) groups.set(who(entry), [...(groups.get(who(entry)) ?? []), field]);
  const text = [...groups]
    .map(([manager, fields]) =>
      fields.length === 1
        ? `conflict with ${manager}: ${fields[0]}`
        : `conflicts with ${manager}:\n${fields.map((field) => `- ${field}`).join('\n')}`,
    )
    .join('\n');
  const one = all.length === 1;
  return new ApiError(409, 'Conflict', `Apply failed with ${all.length} conflict${one ? '' : 's'}: ${text}`, {
    ...(subject.group !== '' && { group: subject.group }),
    kind: subject.resource,
    name: subject.name,
    causes: all.map(({ entry, field }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${who(entry)}`,
      field,
    })),
  });
}

/** Leaf fields that both have with different values. */
function differingFields(live: unknown, configuration: unknown, type: FieldType): FieldSet | undefined {
  const mine = partsOf(configuration, type);
  const theirs = partsOf(live, type);
  if (mine === undefined || theirs === undefined) return equal(live, configuration) ? undefined : {};
  const present = new Map(theirs.map((part) => [part.element, part.value]));
  const set: FieldSet = {};
  for (const part of mine) {
    if (!present.has(part.element)) continue;
    const inner = differingFields(present.get(part.element), part.value, part.type);
    if (inner !== undefined) set[part.element] = inner;
  }
  return Object.keys(set).length > 0 ? set : undefined;
}

function merge(live: unknown, configuration: unknown, type: FieldType): unknown {
  if (partsOf(configuration, type) === undefined || partsOf(live, type) === undefined) return configuration;
  if (Array.isArray(configuration) && Array.isArray(live)) return mergeLists(live, configuration, type);
  const result: JsonObject = { ...(live as JsonObject) };
  for (const [key, value] of Object.entries(configuration as JsonObject)) {
    if (value !== null && value !== undefined)
      result[key] = key in result ? merge(result[key], value, typeOfField(type, key)) : value;
  }
  return result;
}

/** The items of the configuration in its order; those only the live list has keep their place before the next shared one. */
function mergeLists(live: readonly unknown[], configuration: readonly unknown[], type: FieldType): unknown[] {
  const present = new Map(live.map((item) => [elementOf(item, type), item]));
  const wanted = new Set(configuration.map((item) => elementOf(item, type)));
  const result: unknown[] = [];
  let at = 0;
  const takeUnshared = () => {
    while (at < live.length && !wanted.has(elementOf(live[at], type))) result.push(live[at++]);
  };
  for (const item of configuration) {
    takeUnshared();
    if (at < live.length) at += 1;
    const element = elementOf(item, type);
    result.push(present.has(element) ? merge(present.get(element), item, itemType(type)) : item);
  }
  takeUnshared();
  // What is left was shared and has been taken in the configuration's order.
  return [...result, ...live.slice(at).filter((item) => !wanted.has(elementOf(item, type)))];
}

/**
 * The value without the members of a set. An item or map that was a member goes as a whole, with the defaults the server
 * gave it, unless another manager holds something in it. Objects that this empties go too.
 */
function removed(value: unknown, set: FieldSet, type: FieldType, elsewhere: FieldSet): unknown {
  const parts = partsOf(value, type);
  if (parts === undefined) return value;
  const kept = parts.flatMap((part) => {
    const gone = set[part.element];
    if (gone === undefined) return [part];
    const others = elsewhere[part.element];
    if (others === undefined && (Object.keys(gone).length === 0 || '.' in gone)) return [];
    const left = removed(part.value, gone, part.type, others ?? {});
    const empty = typeof left === 'object' && left !== null && Object.keys(left).length === 0;
    return empty && others === undefined ? [] : [{ ...part, value: left }];
  });
  if (Array.isArray(value)) return kept.map((part) => part.value);
  return Object.fromEntries(kept.map((part) => [part.element.slice(2), part.value]));
}
