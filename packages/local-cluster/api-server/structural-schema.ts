// What a CRD's schema does to an object on its way in: unknown fields are pruned, defaults filled in, and the rest is
// judged by ajv, whose findings are reworded as the real server words them.
// Of CEL rules (x-kubernetes-validations) the plain ones are evaluated, see cel-rule.ts; the others are listed, so that
// the server can say which it leaves to a real one.
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import ajvFormats from 'ajv-formats';
import { duplicateField, type FieldError, invalidField, requiredField, shown, unsupportedField } from './api-error.ts';
import { builtInType } from './built-in-types.ts';
import { compileRule } from './cel-rule.ts';
import { anything, type FieldType } from './field-type.ts';
import { copyOf, equal, isObject, type JsonObject, type KubeObject } from './kube-object.ts';

export interface CustomSchema {
  readonly type: FieldType;
  /** The OpenAPI schema as the CRD's author wrote it. */
  readonly source: JsonObject;
  /** Removes what the schema does not know, in place; returns the paths that fell away. */
  prune(object: KubeObject): readonly string[];
  /** Fills in defaults, in place. */
  applyDefaults(object: KubeObject): void;
  validate(object: KubeObject): FieldError[];
  /** CEL rules that this server does not evaluate. */
  readonly unsupportedRules: readonly string[];
}

const meta = new Set(['apiVersion', 'kind', 'metadata']);
const schemaOf = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined);

export function createCustomSchema(source: JsonObject): CustomSchema {
  let validator: ValidateFunction | undefined;
  const rules = new Map<string, ReturnType<typeof compileRule>>();
  collectRules(source, rules);
  return {
    unsupportedRules: [...rules].filter(([, compiled]) => compiled === undefined).map(([rule]) => rule),
    type: rootType(source),
    source,
    prune(object) {
      const gone: string[] = [];
      prune(object, source, '', gone, true);
      return gone;
    },
    applyDefaults: (object) => applyDefaults(object, source),
    validate(object) {
      validator ??= compile(source);
      const errors: FieldError[] = [];
      if (!validator(object)) errors.push(...worded(validator.errors ?? [], object));
      findDuplicates(object, source, '', errors);
      // Rules may count on the schema, so they only see what has passed it.
      if (errors.length === 0) applyRules(object, source, '', rules, errors);
      return errors;
    },
  };
}

function prune(value: unknown, schema: JsonObject, path: string, gone: string[], resource: boolean): void {
  if (Array.isArray(value)) {
    const items = schemaOf(schema.items);
    if (items)
      value.forEach((item, index) => {
        prune(item, items, `${path}[${index}]`, gone, items['x-kubernetes-embedded-resource'] === true);
      });
    return;
  }
  if (!isObject(value)) return;
  const properties = schemaOf(schema.properties) ?? {};
  const additional = schema.additionalProperties === true ? {} : schemaOf(schema.additionalProperties);
  const keep = schema['x-kubernetes-preserve-unknown-fields'] === true || schema.additionalProperties === true;
  for (const key of Object.keys(value)) {
    if (resource && meta.has(key)) continue;
    const place = path === '' ? key : `${path}.${key}`;
    const property = Object.hasOwn(properties, key) ? schemaOf(properties[key]) : additional;
    if (property) prune(value[key], property, place, gone, property['x-kubernetes-embedded-resource'] === true);
    else if (!keep) {
      gone.push(`unknown field "${place}"`);
      delete value[key];
    }
  }
}

function applyDefaults(value: unknown, schema: JsonObject): void {
  if (Array.isArray(value)) {
    const items = schemaOf(schema.items);
    if (items) for (const item of value) applyDefaults(item, items);
    return;
  }
  if (!isObject(value)) return;
  const properties = schemaOf(schema.properties) ?? {};
  for (const [key, described] of Object.entries(properties)) {
    const property = schemaOf(described);
    if (property === undefined) continue;
    if (isStrayNull(value[key], property)) delete value[key];
    if (value[key] === undefined && property.default !== undefined) value[key] = copyOf(property.default);
    applyDefaults(value[key], property);
  }
  const additional = schemaOf(schema.additionalProperties);
  if (additional === undefined) return;
  for (const key of Object.keys(value)) {
    if (Object.hasOwn(properties, key)) continue;
    if (isStrayNull(value[key], additional)) delete value[key];
    else applyDefaults(value[key], additional);
  }
}

/** Where no null may stand it means that nothing was said. */
const isStrayNull = (value: unknown, schema: JsonObject): boolean => value === null && schema.nullable !== true;

/** Lists of type map and set hold every key once. */
function findDuplicates(value: unknown, schema: JsonObject, path: string, errors: FieldError[]): void {
  if (Array.isArray(value)) {
    const items = schemaOf(schema.items);
    const keys = Array.isArray(schema['x-kubernetes-list-map-keys'])
      ? (schema['x-kubernetes-list-map-keys'] as string[])
      : [];
    const keyed = schema['x-kubernetes-list-type'];
    const seen: unknown[] = [];
    value.forEach((item, index) => {
      const key =
        keyed === 'set'
          ? item
          : keyed === 'map' && isObject(item)
            ? Object.fromEntries(keys.map((name) => [name, item[name]]))
            : undefined;
      if (key !== undefined) {
        if (seen.some((other) => equal(other, key))) errors.push(duplicateField(`${path}[${index}]`, key));
        seen.push(key);
      }
      if (items) findDuplicates(item, items, `${path}[${index}]`, errors);
    });
    return;
  }
  if (!isObject(value)) return;
  const properties = schemaOf(schema.properties) ?? {};
  for (const key of Object.keys(value)) {
    const property = schemaOf(properties[key]) ?? schemaOf(schema.additionalProperties);
    if (property) findDuplicates(value[key], property, path === '' ? key : `${path}.${key}`, errors);
  }
}

type Rules = Map<string, ReturnType<typeof compileRule>>;

const rulesOf = (schema: JsonObject): JsonObject[] => {
  const rules = schema['x-kubernetes-validations'];
  return Array.isArray(rules) ? rules.filter(isObject) : [];
};

function collectRules(schema: JsonObject, rules: Rules): void {
  for (const { rule } of rulesOf(schema)) if (typeof rule === 'string') rules.set(rule, compileRule(rule));
  const inner = [schema.items, schema.additionalProperties, ...Object.values(schemaOf(schema.properties) ?? {})];
  for (const one of inner) if (isObject(one)) collectRules(one, rules);
}

function applyRules(value: unknown, schema: JsonObject, path: string, rules: Rules, errors: FieldError[]): void {
  if (value === undefined || value === null) return;
  for (const { rule, message, fieldPath } of rulesOf(schema)) {
    const compiled = rules.get(String(rule));
    if (compiled === undefined) continue;
    const field = `${path}${typeof fieldPath === 'string' ? fieldPath : ''}`;
    try {
      if (!compiled(value))
        errors.push(invalidField(field, typeName(value), String(message ?? `failed rule: ${rule}`)));
    } catch (cause) {
      errors.push(invalidField(field, typeName(value), `rule evaluation error: ${(cause as Error).message}`));
    }
  }
  if (Array.isArray(value)) {
    const items = schemaOf(schema.items);
    if (items)
      value.forEach((item, index) => {
        applyRules(item, items, `${path}[${index}]`, rules, errors);
      });
    return;
  }
  if (!isObject(value)) return;
  const properties = schemaOf(schema.properties) ?? {};
  for (const key of Object.keys(value)) {
    const property = schemaOf(properties[key]) ?? schemaOf(schema.additionalProperties);
    if (property) applyRules(value[key], property, path === '' ? key : `${path}.${key}`, rules, errors);
  }
}

// One ajv for all: compiled schemas are kept by their validators, and formats are registered once.
const ajv = new Ajv({ allErrors: true, strict: false, verbose: true, logger: false, validateSchema: false });
ajvFormats.default(ajv);
ajv.addFormat('date', /^\d{4}-\d{2}-\d{2}$/);
ajv.addFormat('datetime', /^\d{4}-\d{2}-\d{2}T/);

const kept = [
  'type',
  'nullable',
  'enum',
  'pattern',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'uniqueItems',
  'minProperties',
  'maxProperties',
  'required',
] as const;

/** A structural schema as JSON Schema draft 7. OpenAPI's exclusiveMinimum is a flag; int-or-string has no type. */
function jsonSchema(schema: JsonObject): JsonObject {
  const result: JsonObject = {};
  for (const key of kept) if (schema[key] !== undefined) result[key] = schema[key];
  if (typeof schema.format === 'string' && schema.format in ajv.formats) result.format = schema.format;
  if (schema.exclusiveMinimum === true) [result.exclusiveMinimum, result.minimum] = [schema.minimum, undefined];
  if (schema.exclusiveMaximum === true) [result.exclusiveMaximum, result.maximum] = [schema.maximum, undefined];
  if (schema['x-kubernetes-int-or-string'] === true) result.type = ['integer', 'string'];
  if (schema.nullable === true && result.type === undefined) delete result.nullable;
  if (isObject(schema.properties)) {
    result.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, one]) => [name, jsonSchema(one as JsonObject)]),
    );
  }
  if (isObject(schema.items)) result.items = jsonSchema(schema.items);
  if (isObject(schema.additionalProperties)) result.additionalProperties = jsonSchema(schema.additionalProperties);
  for (const key of ['oneOf', 'anyOf', 'allOf'] as const) {
    if (Array.isArray(schema[key])) result[key] = schema[key].map((one) => jsonSchema(one as JsonObject));
  }
  if (isObject(schema.not)) result.not = jsonSchema(schema.not);
  for (const key of Object.keys(result)) if (result[key] === undefined) delete result[key];
  return result;
}

function compile(source: JsonObject): ValidateFunction {
  const schema = jsonSchema(source);
  const properties = isObject(schema.properties) ? schema.properties : {};
  // The pipeline has checked these three already, for every kind alike.
  delete properties.apiVersion;
  delete properties.kind;
  delete properties.metadata;
  return ajv.compile(schema);
}

/** `/spec/metrics/0/type` → `spec.metrics[0].type` */
function fieldOf(pointer: string, object: unknown): string {
  let here = object;
  let path = '';
  for (const step of pointer
    .split('/')
    .slice(1)
    .map((one) => one.replace(/~1/g, '/').replace(/~0/g, '~'))) {
    path += Array.isArray(here) ? `[${step}]` : path === '' ? step : `.${step}`;
    here = (here as JsonObject | undefined)?.[step];
  }
  return path;
}

const typeName = (value: unknown) =>
  Array.isArray(value) ? 'array' : value === null ? 'null' : Number.isInteger(value) ? 'integer' : typeof value;

function worded(errors: readonly ErrorObject[], object: unknown): FieldError[] {
  // A failed branch of anyOf is not a fault by itself: the failed anyOf is.
  const branch = /\/(?:anyOf|oneOf|not)\/\d+\//;
  return errors.filter(({ schemaPath }) => !branch.test(schemaPath)).map((error) => wordedOne(error, object));
}

function wordedOne({ keyword, params, instancePath, data, message }: ErrorObject, object: unknown): FieldError {
  const field = fieldOf(instancePath, object);
  const body = `${field} in body`;
  switch (keyword) {
    case 'required':
      return requiredField(field === '' ? String(params.missingProperty) : `${field}.${params.missingProperty}`);
    case 'type':
      return {
        reason: 'FieldValueTypeInvalid',
        field,
        message: `Invalid value: ${shown(typeName(data))}: ${body} must be of type ${[params.type].flat().join(',')}: ${shown(typeName(data))}`,
      };
    case 'enum':
      return unsupportedField(field, data, params.allowedValues.map(String));
    case 'minimum':
      return invalidField(field, data, `${body} should be greater than or equal to ${params.limit}`);
    case 'maximum':
      return invalidField(field, data, `${body} should be less than or equal to ${params.limit}`);
    case 'exclusiveMinimum':
      return invalidField(field, data, `${body} should be greater than ${params.limit}`);
    case 'exclusiveMaximum':
      return invalidField(field, data, `${body} should be less than ${params.limit}`);
    case 'multipleOf':
      return invalidField(field, data, `${body} should be a multiple of ${params.multipleOf}`);
    case 'pattern':
      return invalidField(field, data, `${body} should match '${params.pattern}'`);
    case 'minLength':
      return invalidField(field, data, `${body} should be at least ${params.limit} chars long`);
    case 'maxLength':
      return { reason: 'FieldValueTooLong', field, message: `Too long: may not be more than ${params.limit} bytes` };
    case 'minItems':
      return invalidField(
        field,
        Array.isArray(data) ? data.length : data,
        `${body} should have at least ${params.limit} items`,
      );
    case 'maxItems':
      return {
        reason: 'FieldValueTooMany',
        field,
        message: `Too many: ${Array.isArray(data) ? data.length : 0}: must have at most ${params.limit} items`,
      };
    case 'minProperties':
      return invalidField(field, data, `${body} should have at least ${params.limit} properties`);
    case 'maxProperties':
      return {
        reason: 'FieldValueTooMany',
        field,
        message: `Too many: ${Object.keys(data as object).length}: must have at most ${params.limit} items`,
      };
    case 'oneOf':
      return invalidField(field, data, `${shown(field)} must validate one and only one schema (oneOf)`);
    case 'anyOf':
      return invalidField(field, data, `${shown(field)} must validate at least one schema (anyOf)`);
    case 'not':
      return invalidField(field, data, `${shown(field)} must not validate the schema (not)`);
    case 'format':
      return invalidField(field, data, `${body} must be of type ${params.format}: ${shown(data)}`);
    default:
      return invalidField(field, data, message ?? keyword);
  }
}

function rootType(schema: JsonObject): FieldType {
  const type = typeOf(schema);
  return {
    ...type,
    form: 'object',
    fields: {
      ...type.fields,
      apiVersion: { form: 'scalar', scalar: 'string' },
      kind: { form: 'scalar', scalar: 'string' },
      metadata: builtInType('V1ObjectMeta'),
    },
  };
}

function typeOf(schema: JsonObject): FieldType {
  if (schema['x-kubernetes-int-or-string'] === true) return { form: 'scalar', scalar: 'intOrString' };
  const atomic = schema['x-kubernetes-map-type'] === 'atomic' || schema['x-kubernetes-list-type'] === 'atomic';
  if (schema.type === 'array') {
    const listType = schema['x-kubernetes-list-type'];
    const keys = Array.isArray(schema['x-kubernetes-list-map-keys'])
      ? (schema['x-kubernetes-list-map-keys'] as string[])
      : undefined;
    return {
      form: 'list',
      values: isObject(schema.items) ? typeOf(schema.items) : anything,
      atomic: listType !== 'map' && listType !== 'set',
      set: listType === 'set',
      ...(listType === 'map' && { keys }),
    };
  }
  if (schema.type === 'object' || isObject(schema.properties)) {
    if (isObject(schema.additionalProperties))
      return { form: 'map', values: typeOf(schema.additionalProperties), atomic };
    if (!isObject(schema.properties)) return { form: 'map', values: anything, atomic };
    return {
      form: 'object',
      atomic,
      open: schema['x-kubernetes-preserve-unknown-fields'] === true,
      required: Array.isArray(schema.required) ? (schema.required as string[]) : [],
      fields: Object.fromEntries(
        Object.entries(schema.properties).map(([name, one]) => [name, typeOf(one as JsonObject)]),
      ),
    };
  }
  if (schema.type === 'integer')
    return { form: 'scalar', scalar: 'integer', format: typeof schema.format === 'string' ? schema.format : undefined };
  if (schema.type === 'string' || schema.type === 'number' || schema.type === 'boolean')
    return { form: 'scalar', scalar: schema.type };
  return anything;
}
