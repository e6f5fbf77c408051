// Reads an object as Go's decoder would: fields that the type does not have fall away (and are reported), nulls fall
// away, and a value of the wrong JSON type refuses the whole object.
import { badRequest } from './api-error.ts';
import { type FieldType, itemType, typeOfField } from './field-type.ts';
import { isObject, type JsonObject, type KubeObject } from './kube-object.ts';

const goTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'bool',
  number: 'float64',
  time: 'v1.Time',
  microTime: 'v1.MicroTime',
  bytes: '[]uint8',
};

const instantPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;
const microPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}(Z|[+-]\d{2}:\d{2})$/;
const layouts = { time: '2006-01-02T15:04:05Z07:00', microTime: '2006-01-02T15:04:05.000000Z07:00' } as const;

interface Decoding {
  readonly kind: string;
  readonly version: string;
  readonly unknown: string[];
}

/**
 * The object with only what its type knows. Throws a 400 where a value has the wrong JSON type.
 * `unknown` lists the fields that fell away, as the real server words them.
 */
export function decoded(object: KubeObject, type: FieldType): { value: KubeObject; unknown: readonly string[] } {
  const slash = object.apiVersion.indexOf('/');
  const decoding = { kind: object.kind, version: object.apiVersion.slice(slash + 1), unknown: [] };
  return { value: read(object, type, '', decoding) as KubeObject, unknown: decoding.unknown };
}

function read(value: unknown, type: FieldType, path: string, decoding: Decoding): unknown {
  switch (type.form) {
    case 'any':
      return value;
    case 'scalar':
      return readScalar(value, type, path, decoding);
    case 'list': {
      if (!Array.isArray(value)) throw mismatch(value, `[]${goName(itemType(type))}`, path, decoding);
      return value.map((item, index) =>
        item === null ? null : read(item, itemType(type), `${path}[${index}]`, decoding),
      );
    }
    case 'map':
    case 'object':
      return readFields(value, type, path, decoding);
  }
}

function readFields(value: unknown, type: FieldType, path: string, decoding: Decoding): unknown {
  if (!isObject(value)) throw mismatch(value, goName(type), path, decoding);
  const result: JsonObject = {};
  for (const key in value) {
    const item = value[key];
    const place = path === '' ? key : `${path}.${key}`;
    if (type.form === 'object' && !type.open && !Object.hasOwn(type.fields ?? {}, key)) {
      decoding.unknown.push(`unknown field "${place}"`);
      continue;
    }
    if (item === null || item === undefined) continue;
    result[key] = read(item, typeOfField(type, key), place, decoding);
  }
  return result;
}

function readScalar(value: unknown, type: FieldType, path: string, decoding: Decoding): unknown {
  const scalar = type.scalar ?? 'string';
  const wanted = scalar === 'integer' ? (type.format ?? 'int64') : (goTypes[scalar] ?? scalar);
  const fits =
    scalar === 'integer'
      ? Number.isInteger(value)
      : scalar === 'intOrString'
        ? typeof value === 'string' || typeof value === 'number'
        : scalar === 'number'
          ? typeof value === 'number'
          : scalar === 'boolean'
            ? typeof value === 'boolean'
            : typeof value === 'string';
  if (!fits) throw mismatch(value, wanted, path, decoding);
  if (scalar === 'time' || scalar === 'microTime') {
    const layout = scalar === 'time' ? instantPattern : microPattern;
    if (!layout.test(value as string)) throw badTime(value as string, layouts[scalar], decoding);
  }
  return value;
}

const goName = (type: FieldType): string =>
  type.form === 'scalar'
    ? (goTypes[type.scalar ?? 'string'] ?? type.scalar ?? 'string')
    : type.form === 'map'
      ? 'map[string]string'
      : (type.name ?? 'object').replace(/^(?:V\d(?:beta\d)?)/, 'v1.');

function mismatch(value: unknown, wanted: string, path: string, { kind, version }: Decoding) {
  const found = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: json: cannot unmarshal ${found} into Go struct field ${kind}.${path.replace(/\[\d+\]/g, '')} of type ${wanted}`,
  );
}

/** Go's time parser names the first place where text and layout part. The common case: milliseconds in a MicroTime. */
function badTime(value: string, layout: string, { kind, version }: Decoding) {
  const rest = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}/.exec(value);
  const [text, expected] = rest
    ? [value.slice(rest[0].length), layout.slice('2006-01-02T15:04:05'.length)]
    : [value, '2006'];
  return badRequest(
    `${kind} in version "${version}" cannot be handled as a ${kind}: parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse ${JSON.stringify(text)} as ${JSON.stringify(expected.replace('Z07:00', '') || 'Z07:00')}`,
  );
}
