// Reads what an HTTP request asks for: the path, the query, the body and the form of the answer. Nothing here touches the store.
import type { IncomingMessage } from 'node:http';
import { parse } from 'yaml';
import { ApiError, badRequest, tooLarge, unsupportedMediaType } from './api-error.ts';
import type { Deletion } from './deletion.ts';
import { isObject, type JsonObject, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import type { Patch } from './pipeline.ts';
import type { WriteOptions } from './request.ts';
import type { IncludeObject } from './table-printing.ts';
import type { Form } from './watch-stream.ts';
import { decodeWire, wireMediaType } from './wire/wire.ts';

export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
}

/** `/apis/apps/v1/namespaces/x/deployments/y/scale`; undefined for a path that names no resource. */
export function resourcePathOf(path: string): ResourcePath | undefined {
  const parts = path
    .split('/')
    .filter((part) => part !== '')
    .map(decodeURIComponent);
  const core = parts[0] === 'api';
  if (!core && parts[0] !== 'apis') return undefined;
  const [group, version] = core ? ['', parts[1]] : [parts[1], parts[2]];
  let rest = parts.slice(core ? 2 : 3);
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  let namespace = '';
  if (rest[0] === 'namespaces' && rest.length >= 3 && rest[2] !== 'status' && rest[2] !== 'finalize') {
    namespace = rest[1] ?? '';
    rest = rest.slice(2);
  }
  const [plural = '', name = '', subresource = '', ...more] = rest;
  return more.length > 0 ? undefined : { group, version, namespace, plural, name, subresource };
}

/** The whole body. Throws a 413 beyond the limit. */
export async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > limits.bodyBytes) throw tooLarge(limits.bodyBytes);
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}

export const mediaTypeOf = (request: IncomingMessage): string =>
  (request.headers['content-type'] ?? 'application/json').split(';')[0]?.trim() ?? '';

const accepted = ['application/json', 'application/yaml', wireMediaType];

/** The body as JSON, YAML or Protocol Buffers by its content type. Throws a 400 for text that is neither, a 415 for other types. */
export function parseBody(body: Buffer, mediaType: string): unknown {
  if (mediaType === wireMediaType) return decodeWire(body);
  const text = body.toString('utf8');
  const isYaml = mediaType.endsWith('yaml');
  if (!isYaml && mediaType !== 'application/json' && !mediaType.endsWith('+json') && mediaType !== '')
    throw unsupportedMediaType(accepted);
  try {
    // What kubectl calls YAML is JSON nearly always, and that parses a hundred times faster.
    if (!isYaml || text.trimStart().startsWith('{')) return JSON.parse(text);
  } catch (cause) {
    if (!isYaml) throw badRequest(`couldn't get version/kind; json parse error: ${(cause as Error).message}`);
  }
  try {
    return parse(text);
  } catch (cause) {
    throw badRequest(`error converting YAML to JSON: ${(cause as Error).message}`);
  }
}

export function objectBody(bytes: Buffer, mediaType: string): JsonObject {
  const body = parseBody(bytes, mediaType);
  if (!isObject(body)) throw badRequest('the object provided is unrecognized: it is no JSON object');
  return body;
}

export function writeOptionsOf(query: URLSearchParams): WriteOptions {
  const dryRun = query.getAll('dryRun');
  if (dryRun.some((value) => value !== 'All'))
    throw badRequest(`dryRun: Unsupported value: ${JSON.stringify(dryRun)}: supported values: "All"`);
  const validation = query.get('fieldValidation') || undefined;
  if (validation !== undefined && !['Strict', 'Warn', 'Ignore'].includes(validation)) {
    throw badRequest(
      `fieldValidation: Unsupported value: ${JSON.stringify(validation)}: supported values: "", "Ignore", "Strict", "Warn"`,
    );
  }
  return {
    dryRun: dryRun.length > 0,
    fieldManager: query.get('fieldManager') ?? undefined,
    fieldValidation: validation as WriteOptions['fieldValidation'],
  };
}

/** A Table, metadata only, or the object itself: the first that the client accepts and we can make. */
export function formOf(accept: string | undefined, query: URLSearchParams): Form {
  for (const clause of (accept ?? '').split(',')) {
    const parts = clause.split(';').map((part) => part.trim());
    if (parts[0] !== 'application/json') continue;
    const as = parts.find((part) => part.startsWith('as='))?.slice(3);
    if (as === undefined) return { as: 'object' };
    if (!parts.includes('g=meta.k8s.io')) continue;
    if (as === 'Table' && parts.includes('v=v1'))
      return { as: 'table', include: (query.get('includeObject') || 'Metadata') as IncludeObject };
    if (as.startsWith('PartialObjectMetadata') && parts.includes('v=v1')) return { as: 'metadata' };
  }
  return { as: 'object' };
}

/** What a header `Accept` asks of discovery: the version of the aggregated form, or undefined for the plain one. */
export function aggregatedForm(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  const clauses = (accept ?? '')
    .split(',')
    .filter((clause) => clause.includes('g=apidiscovery.k8s.io') && clause.includes('as=APIGroupDiscoveryList'));
  return clauses.some((clause) => /v=v2(;|$)/.test(clause))
    ? 'v2'
    : clauses.some((clause) => clause.includes('v=v2beta1'))
      ? 'v2beta1'
      : undefined;
}

export const isSet = (query: URLSearchParams, name: string) => ['true', '1'].includes(query.get(name) ?? '');

const patchTypes: Readonly<Record<string, 'json' | 'merge' | 'strategic'>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

export function patchOf(body: unknown, mediaType: string, query: URLSearchParams): Patch {
  if (mediaType === 'application/apply-patch+yaml') {
    if (!isObject(body) || !isObject(body.metadata))
      throw badRequest('the applied configuration is no object with metadata');
    if (!query.get('fieldManager')) {
      throw new ApiError(
        422,
        'Invalid',
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
        {},
      );
    }
    return { how: 'apply', configuration: body as KubeObject, force: isSet(query, 'force') };
  }
  const how = patchTypes[mediaType];
  if (how === undefined)
    throw new ApiError(
      415,
      'UnsupportedMediaType',
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}, application/apply-patch+yaml`,
    );
  return { how, patch: body };
}

export function deletionOf(body: JsonObject, query: URLSearchParams): Deletion {
  const seconds =
    body.gracePeriodSeconds ?? (query.has('gracePeriodSeconds') ? Number(query.get('gracePeriodSeconds')) : undefined);
  const policy = body.propagationPolicy ?? query.get('propagationPolicy') ?? undefined;
  if (policy !== undefined && !['Background', 'Foreground', 'Orphan'].includes(String(policy))) {
    throw badRequest(
      `DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan"`,
    );
  }
  const preconditions = isObject(body.preconditions) ? body.preconditions : {};
  const dryRun = Array.isArray(body.dryRun) ? body.dryRun.includes('All') : writeOptionsOf(query).dryRun;
  return {
    ...(typeof seconds === 'number' && { gracePeriodSeconds: seconds }),
    ...(policy !== undefined && { propagationPolicy: String(policy) }),
    ...(body.orphanDependents === true && { orphanDependents: true }),
    preconditions: {
      uid: typeof preconditions.uid === 'string' ? preconditions.uid : undefined,
      resourceVersion: typeof preconditions.resourceVersion === 'string' ? preconditions.resourceVersion : undefined,
    },
    dryRun,
  };
}
