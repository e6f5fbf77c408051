// The three kinds of patch that change an object without knowing who owns what: JSON patch (RFC 6902), merge patch
// (RFC 7386) and strategic merge patch. Server-side apply has its own file.
import jsonPatch, { type Operation } from 'fast-json-patch';
import { ApiError, badRequest, invalid } from './api-error.ts';
import type { FieldType } from './field-type.ts';
import { copyOf, equal, isObject, type JsonObject, type KubeObject } from './kube-object.ts';
import type { ResourceKind } from './resources.ts';
import { strategicMerge } from './strategic-merge.ts';

export type PatchKind = 'json' | 'merge' | 'strategic';

/** RFC 7386. */
function mergePatch(current: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: JsonObject = isObject(current) ? { ...current } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}

function applyJsonPatch(current: KubeObject, patch: unknown, kind: ResourceKind): unknown {
  if (!Array.isArray(patch)) throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
  const operations = copyOf(patch) as Operation[];
  // A remove of something absent is an error in RFC 6902 and on a real server; the library lets it pass.
  try {
    const document = copyOf(current);
    for (const [index, operation] of operations.entries()) {
      const present = () => jsonPatch.getValueByPointer(document, operation.path) as unknown;
      if (operation.op === 'test') {
        if (!equal(present(), operation.value)) throw new Error(`testing value ${operation.path} failed: test failed`);
        continue;
      }
      if (operation.op === 'remove' && present() === undefined) {
        throw new Error(`remove operation does not apply: doc is missing path: ${JSON.stringify(operation.path)}`);
      }
      jsonPatch.applyOperation(document, operation, true, true, true, index);
    }
    return document;
  } catch (cause) {
    const message = cause instanceof Error ? (cause.message.split('\n')[0] ?? '') : String(cause);
    throw new ApiError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`, {
      name: current.metadata.name,
      kind: kind.plural,
      causes: [{ message }],
    });
  }
}

/** The patched object, still unchecked: the pipeline decodes and validates it like an update. */
export function patched(
  current: KubeObject,
  patch: unknown,
  how: PatchKind,
  kind: ResourceKind,
  type: FieldType,
): KubeObject {
  if (how === 'json') return asObject(applyJsonPatch(current, patch, kind), current, kind);
  if (!isObject(patch)) throw badRequest('the patch is not a JSON object');
  return asObject(how === 'merge' ? mergePatch(current, patch) : strategicMerge(current, patch, type), current, kind);
}

function asObject(result: unknown, current: KubeObject, kind: ResourceKind): KubeObject {
  if (!isObject(result) || !isObject(result.metadata)) {
    throw invalid(kind.group, kind.kind, current.metadata.name, [
      { reason: 'FieldValueInvalid', field: 'metadata', message: 'Invalid value: the patch removed it' },
    ]);
  }
  return copyOf(result) as KubeObject;
}
