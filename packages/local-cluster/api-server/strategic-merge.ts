// Strategic merge patch: a merge patch in which lists of named things are merged by name. kubectl sends it for every
// built-in kind (apply, edit, patch, set, scale, rollout). Custom kinds do not take it, here as on a real server.
import { badRequest } from './api-error.ts';
import { type FieldType, itemType, typeOfField } from './field-type.ts';
import { equal, isObject, type JsonObject } from './kube-object.ts';

const directive = /^\$(setElementOrder|deleteFromPrimitiveList)\//;

/** The patched value. Neither argument is changed. */
export function strategicMerge(current: unknown, patch: unknown, type: FieldType): unknown {
  if (!isObject(patch)) return patch;
  if (patch.$patch === 'delete') return undefined;
  if (patch.$patch === 'replace' || !isObject(current)) return withoutDirectives(patch);
  const result: JsonObject = { ...current };
  if (Array.isArray(patch.$retainKeys)) {
    for (const key of Object.keys(result)) if (!patch.$retainKeys.includes(key)) delete result[key];
  }
  for (const [key, value] of Object.entries(patch)) {
    if (key === '$patch' || key === '$retainKeys') continue;
    const order = directive.exec(key);
    if (order) continue;
    if (value === null) delete result[key];
    else {
      const merged = mergeField(result[key], value, typeOfField(type, key));
      if (merged === undefined) delete result[key];
      else result[key] = merged;
    }
  }
  for (const [key, value] of Object.entries(patch)) {
    const match = directive.exec(key);
    if (!match || !Array.isArray(value)) continue;
    const field = key.slice(match[0].length);
    const list = result[field];
    if (!Array.isArray(list)) continue;
    const mergeKey = typeOfField(type, field).mergeKey ?? '';
    result[field] =
      match[1] === 'setElementOrder'
        ? ordered(list, value, mergeKey)
        : list.filter((item) => !value.some((gone) => equal(gone, item)));
  }
  return result;
}

function mergeField(current: unknown, patch: unknown, type: FieldType): unknown {
  if (!Array.isArray(patch)) return strategicMerge(current, patch, type);
  if (type.mergeKey === undefined) return patch.map(withoutDirectives);
  const list = Array.isArray(current) ? current : [];
  if (patch.some((item) => isObject(item) && item.$patch === 'replace')) {
    return patch.filter((item) => !(isObject(item) && item.$patch === 'replace')).map(withoutDirectives);
  }
  if (type.mergeKey === '') return [...list, ...patch.filter((item) => !list.some((present) => equal(present, item)))];
  return mergeByKey(list, patch, type.mergeKey, itemType(type));
}

function mergeByKey(list: readonly unknown[], patch: readonly unknown[], mergeKey: string, type: FieldType): unknown[] {
  const result = [...list];
  for (const item of patch) {
    if (!isObject(item)) throw badRequest(`expected an object in a list that is merged by ${mergeKey}`);
    const key = item[mergeKey];
    if (key === undefined)
      throw badRequest(`map: ${JSON.stringify(item)} does not contain declared merge key: ${mergeKey}`);
    const same = (one: unknown) => isObject(one) && equal(one[mergeKey], key);
    if (item.$patch === 'delete') {
      for (let index = result.findIndex(same); index >= 0; index = result.findIndex(same)) result.splice(index, 1);
      continue;
    }
    const index = result.findIndex(same);
    if (index >= 0) result[index] = strategicMerge(result[index], item, type);
    else result.push(withoutDirectives(item));
  }
  return result;
}

/** Items in the given order; those it does not name keep their place relative to their neighbours. */
function ordered(list: readonly unknown[], order: readonly unknown[], mergeKey: string): unknown[] {
  const keyOf = (item: unknown) => (mergeKey !== '' && isObject(item) ? item[mergeKey] : item);
  const placeOf = (item: unknown) => order.findIndex((wanted) => equal(keyOf(wanted), keyOf(item)));
  const named = list.filter((item) => placeOf(item) >= 0).sort((left, right) => placeOf(left) - placeOf(right));
  const result: unknown[] = [];
  let next = 0;
  // Walk the old list: an unnamed item is emitted where it stood, a named slot takes the next named item in order.
  for (const item of list) result.push(placeOf(item) >= 0 ? named[next++] : item);
  return result;
}

function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value))
    return value.filter((item) => !(isObject(item) && item.$patch === 'delete')).map(withoutDirectives);
  if (!isObject(value)) return value;
  const result: JsonObject = {};
  for (const [key, item] of Object.entries(value)) {
    if (key.startsWith('$patch') || key === '$retainKeys' || directive.test(key) || item === null) continue;
    result[key] = withoutDirectives(item);
  }
  return result;
}
