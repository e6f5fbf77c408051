// Sets of fields, in the wire form of managedFields (FieldsV1): `f:spec` a field, `k:{"name":"web"}` an item of a keyed
// list, `v:"x"` an item of a set, `.` the value itself. A set is a tree; an empty tree is a leaf that is a member.
import { type FieldType, itemType, typeOfField } from './field-type.ts';
import { isObject, type JsonObject } from './kube-object.ts';

export type FieldSet = { [element: string]: FieldSet };

const isEmpty = (set: FieldSet): boolean => {
  for (const _ in set) return false;
  return true;
};

/** The path element of an item, by its keys or its own value; undefined where the list has one owner. */
export function elementOf(item: unknown, type: FieldType): string | undefined {
  if (type.set) return `v:${JSON.stringify(item)}`;
  if (type.keys === undefined || !isObject(item)) return undefined;
  const keys: JsonObject = {};
  for (const key of [...type.keys].sort()) {
    // A key that is left out has its default; of the built-in lists only protocol has one.
    const value = item[key] ?? (key === 'protocol' ? 'TCP' : undefined);
    if (value !== undefined) keys[key] = value;
  }
  return `k:${JSON.stringify(keys)}`;
}

/** The parts of a value that can have owners of their own: element, value and type; undefined for a leaf. */
export function partsOf(
  value: unknown,
  type: FieldType,
): { element: string; value: unknown; type: FieldType }[] | undefined {
  if (type.atomic) return undefined;
  if (Array.isArray(value)) {
    if (type.form !== 'list') return undefined;
    const parts = value.map((item) => ({ element: elementOf(item, type), value: item, type: itemType(type) }));
    return parts.some(({ element }) => element === undefined)
      ? undefined
      : (parts as { element: string; value: unknown; type: FieldType }[]);
  }
  if (!isObject(value) || type.form === 'scalar' || type.form === 'list') return undefined;
  return Object.keys(value)
    .filter((key) => value[key] !== undefined)
    .map((key) => ({ element: `f:${key}`, value: value[key], type: typeOfField(type, key) }));
}

/** Every field that a value sets. Items of keyed lists are members themselves (`.`), besides their fields. */
export function fieldsOf(value: unknown, type: FieldType): FieldSet {
  const parts = partsOf(value, type);
  if (parts === undefined || parts.length === 0) return {};
  const set: FieldSet = {};
  for (const part of parts) {
    const inner = fieldsOf(part.value, part.type);
    set[part.element] =
      part.element.startsWith('k:') || (!isEmpty(inner) && part.type.form === 'map') ? { '.': {}, ...inner } : inner;
  }
  return set;
}

/** Fields that differ between two values: set or changed in the new one. What was removed is left to `without`. */
export function changedFields(before: unknown, after: unknown, type: FieldType): FieldSet | undefined {
  const now = partsOf(after, type);
  const then = partsOf(before, type);
  if (now === undefined || then === undefined) {
    return sameLeaf(before, after) ? undefined : fieldsOf(after, type);
  }
  const old = new Map(then.map((part) => [part.element, part.value]));
  const set: FieldSet = {};
  for (const part of now) {
    if (!old.has(part.element)) {
      const inner = fieldsOf(part.value, part.type);
      set[part.element] =
        part.element.startsWith('k:') || (!isEmpty(inner) && part.type.form === 'map') ? { '.': {}, ...inner } : inner;
      continue;
    }
    const inner = changedFields(old.get(part.element), part.value, part.type);
    if (inner !== undefined) set[part.element] = inner;
  }
  return isEmpty(set) ? undefined : set;
}

const sameLeaf = (left: unknown, right: unknown): boolean =>
  left === right ||
  (typeof left === 'object' && typeof right === 'object' && JSON.stringify(left) === JSON.stringify(right));

/** Whether a node of the tree is a member, besides what lies below it. */
const isMember = (node: FieldSet): boolean => isEmpty(node) || '.' in node;

export function union(left: FieldSet, right: FieldSet): FieldSet {
  const result: FieldSet = { ...left };
  for (const key in right) {
    const other = right[key] as FieldSet;
    const mine = result[key];
    if (mine === undefined) result[key] = other;
    else if (isEmpty(mine) !== isEmpty(other)) result[key] = { '.': {}, ...mine, ...other };
    else result[key] = union(mine, other);
  }
  return result;
}

/** Members of `left` that are not members of `right`. Undefined when none is left. */
export const difference = (left: FieldSet, right: FieldSet): FieldSet | undefined => subtract(left, right, false);

/** Members of `left` that are neither members of `right` nor below a leaf of it. Undefined when none is left. */
export const without = (left: FieldSet, right: FieldSet): FieldSet | undefined => subtract(left, right, true);

function subtract(left: FieldSet, right: FieldSet, leavesCover: boolean): FieldSet | undefined {
  const result: FieldSet = {};
  for (const key in left) {
    const mine = left[key] as FieldSet;
    const other = right[key];
    if (other === undefined) result[key] = mine;
    else if (isEmpty(mine)) {
      if (!isMember(other)) result[key] = mine;
    } else if (!isEmpty(other) || !leavesCover) {
      const rest = subtract(mine, isEmpty(other) ? { '.': {} } : other, leavesCover);
      if (rest !== undefined) result[key] = rest;
    }
  }
  return isEmpty(result) ? undefined : result;
}

/** Where both have members; a leaf of one side meets whatever the other has below it. Undefined when there is none. */
export function intersection(left: FieldSet, right: FieldSet): FieldSet | undefined {
  const result: FieldSet = {};
  for (const key in left) {
    const mine = left[key] as FieldSet;
    const other = right[key];
    if (other === undefined) continue;
    if (isEmpty(mine) || isEmpty(other)) result[key] = {};
    else {
      const inner = intersection(mine, other);
      if (inner !== undefined) result[key] = inner;
    }
  }
  return isEmpty(result) ? undefined : result;
}

/** Only the members that the value still has; undefined when none is left. */
export function presentIn(set: FieldSet, value: unknown, type: FieldType): FieldSet | undefined {
  if (isEmpty(set)) return value === undefined ? undefined : {};
  const parts = partsOf(value, type);
  if (parts === undefined) return value === undefined ? undefined : {};
  const present = new Map(parts.map((part) => [part.element, part]));
  const result: FieldSet = {};
  for (const key in set) {
    if (key === '.') {
      result['.'] = {};
      continue;
    }
    const part = present.get(key);
    const inner = part === undefined ? undefined : presentIn(set[key] as FieldSet, part.value, part.type);
    if (inner !== undefined) result[key] = inner;
  }
  return isEmpty(result) ? undefined : result;
}

/** Members as the real server writes paths in conflicts: `.spec.template.spec.containers[name="web"].image`. */
export function pathsOf(set: FieldSet, prefix = ''): string[] {
  return Object.keys(set).flatMap((key) => {
    if (key === '.') return [];
    const place = `${prefix}${shownElement(key)}`;
    const inner = set[key] as FieldSet;
    const below = isEmpty(inner) ? [] : pathsOf(inner, place);
    return below.length === 0 ? [place] : below;
  });
}

function shownElement(element: string): string {
  if (element.startsWith('f:')) return `.${element.slice(2)}`;
  if (element.startsWith('v:')) return `[=${element.slice(2)}]`;
  const keys = Object.entries(JSON.parse(element.slice(2)) as JsonObject);
  return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(',')}]`;
}
