// OpenAPI documents. kubectl reads them for three things: to learn that the server validates fields itself, to merge
// lists by their keys in `apply`, and for `kubectl explain`. So they carry types, merge keys and the CRDs' own schemas,
// but for built-in kinds no descriptions.
import { builtInType } from './built-in-types.ts';
import { groupsOf } from './discovery.ts';
import type { FieldType } from './field-type.ts';
import { isObject, type JsonObject } from './kube-object.ts';
import type { Registry } from './registry.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';

const modelName = (model: string) => `io.k8s.api.${model}`;
const customName = ({ group, version, kind }: ResourceKind) =>
  `${group.split('.').reverse().join('.')}.${version}.${kind}`;
const schemaName = (kind: ResourceKind) => (kind.custom ? customName(kind) : modelName(kind.model));
const gvk = ({ group, version, kind }: ResourceKind) => ({ group, kind, version });

const scalars: Readonly<Record<string, JsonObject>> = {
  string: { type: 'string' },
  integer: { type: 'integer' },
  number: { type: 'number', format: 'double' },
  boolean: { type: 'boolean' },
  intOrString: { 'x-kubernetes-int-or-string': true },
  time: { type: 'string', format: 'date-time' },
  microTime: { type: 'string', format: 'date-time' },
  bytes: { type: 'string', format: 'byte' },
};

function shared(type: FieldType): JsonObject {
  return {
    ...(type.form === 'list' && type.atomic && { 'x-kubernetes-list-type': 'atomic' }),
    ...(type.set && { 'x-kubernetes-list-type': 'set' }),
    ...(type.keys && { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': type.keys }),
    ...(type.form === 'map' && type.atomic && { 'x-kubernetes-map-type': 'atomic' }),
    ...(type.mergeKey !== undefined && {
      'x-kubernetes-patch-strategy': type.retainKeys ? 'merge,retainKeys' : 'merge',
    }),
    ...(type.mergeKey !== undefined && type.mergeKey !== '' && { 'x-kubernetes-patch-merge-key': type.mergeKey }),
  };
}

/** A schema for a field; models it meets are added to `models`. */
function schemaOf(type: FieldType, prefix: string, models: Map<string, FieldType>): JsonObject {
  switch (type.form) {
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true };
    case 'scalar':
      return { ...scalars[type.scalar ?? 'string'], ...(type.format && { format: type.format }) };
    case 'list':
      return { type: 'array', items: schemaOf(type.values ?? { form: 'any' }, prefix, models), ...shared(type) };
    case 'map':
      return {
        type: 'object',
        additionalProperties: schemaOf(type.values ?? { form: 'any' }, prefix, models),
        ...shared(type),
      };
    case 'object': {
      if (type.name === undefined) return { type: 'object' };
      models.set(type.name, type);
      // Beside a $ref nothing counts, so what a field adds to its type goes around it.
      const reference = { $ref: `${prefix}${modelName(type.name)}` };
      return type.retainKeys
        ? { allOf: [reference], 'x-kubernetes-patch-strategy': 'retainKeys' }
        : { allOf: [reference] };
    }
  }
}

function modelSchema(type: FieldType, prefix: string, models: Map<string, FieldType>): JsonObject {
  const properties = Object.entries(type.fields ?? {}).map(([name, field]) => [name, schemaOf(field, prefix, models)]);
  return {
    type: 'object',
    properties: Object.fromEntries(properties),
    ...(type.required && type.required.length > 0 && { required: type.required }),
    ...(type.atomic && { 'x-kubernetes-map-type': 'atomic' }),
  };
}

function schemasOf(kinds: readonly ResourceKind[], prefix: string): JsonObject {
  const schemas: JsonObject = {};
  const models = new Map<string, FieldType>();
  const metadata = schemaOf(builtInType('V1ObjectMeta'), prefix, models);
  for (const kind of kinds) {
    if (kind.custom) {
      const { source } = kind.custom.schema;
      const own = isObject(source.properties) ? source.properties : {};
      const properties = { apiVersion: { type: 'string' }, kind: { type: 'string' }, ...own, metadata };
      schemas[schemaName(kind)] = { ...source, properties, 'x-kubernetes-group-version-kind': [gvk(kind)] };
    } else {
      schemas[schemaName(kind)] = {
        ...modelSchema(builtInType(kind.model), prefix, models),
        'x-kubernetes-group-version-kind': [gvk(kind)],
      };
    }
  }
  // Map grows while it is walked: models that a model mentions are visited too.
  for (const [name, type] of models)
    if (schemas[modelName(name)] === undefined) schemas[modelName(name)] = modelSchema(type, prefix, models);
  return schemas;
}

const query = (name: string, openapi3: boolean) => ({
  name,
  in: 'query',
  ...(openapi3 ? { schema: { type: 'string' } } : { type: 'string' }),
});

function pathsOf(kinds: readonly ResourceKind[], openapi3: boolean): JsonObject {
  const paths: JsonObject = {};
  for (const kind of kinds) {
    const base = `${kind.group === '' ? '/api' : '/apis'}/${apiVersionOf(kind)}${kind.namespaced ? '/namespaces/{namespace}' : ''}/${kind.plural}`;
    const reference = { $ref: `${openapi3 ? '#/components/schemas/' : '#/definitions/'}${schemaName(kind)}` };
    const content = openapi3 ? { content: { 'application/json': { schema: reference } } } : { schema: reference };
    const parameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force'].map((name) => query(name, openapi3));
    const operation = (action: string, extra: JsonObject = {}) => ({
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': gvk(kind),
      responses: { 200: { description: 'OK', ...content } },
      ...extra,
    });
    const patches = [
      'application/apply-patch+yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      ...(kind.custom ? [] : ['application/strategic-merge-patch+json']),
    ];
    const body = openapi3
      ? { requestBody: { content: Object.fromEntries(patches.map((type) => [type, { schema: { type: 'object' } }])) } }
      : { consumes: patches };
    paths[base] = {
      ...(!kind.review && { get: operation('list') }),
      post: operation('post', { parameters }),
    };
    if (kind.review) continue;
    paths[`${base}/{name}`] = {
      get: operation('get'),
      put: operation('put', { parameters }),
      patch: operation('patch', { parameters, ...body }),
      delete: operation('delete', { parameters: [query('dryRun', openapi3)] }),
    };
  }
  return paths;
}

export interface OpenApi {
  /** /openapi/v2 */
  second(): string;
  /**
   * /openapi/v2 as Protocol Buffers, the only form kubectl takes: an empty document. kubectl wants it for kinds that no
   * PATCH names (TokenReview); finding no schema there, it leaves validation to the server.
   */
  secondInWire(): Buffer;
  /** /openapi/v3: where each group's document is. */
  index(): string;
  /** /openapi/v3/PATH (`api/v1`, `apis/apps/v1`); undefined for a path that is not in the index. */
  third(path: string): string | undefined;
}

/** Documents are made when first asked for and thrown away when the kinds change. */
export function createOpenApi(registry: Registry, gitVersion: string): OpenApi {
  let version = -1;
  let documents = new Map<string, string>();
  const once = (key: string, make: () => unknown): string => {
    if (registry.version() !== version) {
      version = registry.version();
      documents = new Map();
    }
    const known = documents.get(key);
    if (known !== undefined) return known;
    const text = JSON.stringify(make());
    documents.set(key, text);
    return text;
  };
  const info = { title: 'Kubernetes', version: gitVersion };
  const places = () =>
    [...groupsOf(registry)].flatMap(([group, versions]) =>
      versions.map((name) => ({ group, name, path: group === '' ? `api/${name}` : `apis/${group}/${name}` })),
    );
  return {
    second: () =>
      once('v2', () => ({
        swagger: '2.0',
        info,
        paths: pathsOf(registry.kinds(), false),
        definitions: schemasOf(registry.kinds(), '#/definitions/'),
      })),
    secondInWire: () => emptyWireDocument(info),
    index: () =>
      once('v3', () => ({
        paths: Object.fromEntries(
          places().map(({ path }) => [path, { serverRelativeURL: `/openapi/v3/${path}?hash=${registry.version()}` }]),
        ),
      })),
    third(path) {
      const place = places().find((one) => one.path === path);
      if (place === undefined) return undefined;
      const kinds = registry.kinds().filter((kind) => kind.group === place.group && kind.version === place.name);
      const prefix = '#/components/schemas/';
      return once(path, () => ({
        openapi: '3.0.0',
        info,
        paths: pathsOf(kinds, true),
        components: { schemas: schemasOf(kinds, prefix) },
      }));
    },
  };
}

/** A gnostic openapi.v2 Document: swagger (1), info (2: title, version), paths (8) and definitions (9), both empty. */
function emptyWireDocument({ title, version }: { readonly title: string; readonly version: string }): Buffer {
  const field = (number: number, content: Buffer) =>
    Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content]);
  const info = Buffer.concat([field(1, Buffer.from(title)), field(2, Buffer.from(version))]);
  const none = Buffer.alloc(0);
  return Buffer.concat([field(1, Buffer.from('2.0')), field(2, info), field(8, none), field(9, none)]);
}
