// The HTTP face: who asks, what they ask for, and the answer in the form they want it. Every decision about objects is
// the pipeline's.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Instant } from '@kubeai/units';
import {
  ApiError,
  badRequest,
  internalError,
  isApiError,
  methodNotAllowed,
  noSuchPath,
  statusOf,
  successStatus,
  tooManyRequests,
  unauthorized,
} from './api-error.ts';
import { subresourcesOf } from './discovery.ts';
import { send } from './http-answer.ts';
import {
  bodyOf,
  deletionOf,
  formOf,
  isSet,
  mediaTypeOf,
  objectBody,
  parseBody,
  patchOf,
  resourcePathOf,
  writeOptionsOf,
} from './http-request.ts';
import { jsonOf, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import type { ListOptions, ObjectList } from './listing.ts';
import type { Pipeline } from './pipeline.ts';
import { type PodLogProvider, podLogRequest } from './pod-log.ts';
import { type Caller, type Target, targetOf } from './request.ts';
import { apiVersionOf, subjectOf } from './resources.ts';
import { answered } from './reviews.ts';
import type { ServerLog } from './server-log.ts';
import { answerAboutServer, type ServerFacts } from './server-paths.ts';
import type { Actions } from './subresources.ts';
import { partialMetadata, tableJson } from './table-printing.ts';
import { apiAudience, type Tokens, type UserInfo } from './tokens.ts';
import { type Form, formatted, streamWatch } from './watch-stream.ts';

export interface HttpParts extends ServerFacts {
  readonly pipeline: Pipeline;
  readonly tokens: Tokens;
  readonly actions: Actions;
  readonly podLog: () => PodLogProvider;
  readonly revision: () => number;
  readonly now: () => Instant;
  readonly log: ServerLog;
}

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly caller: Caller;
  readonly form: Form;
}

const open = new Set(['/healthz', '/livez', '/readyz', '/version']);
const streams = new Set(['exec', 'attach', 'portforward', 'proxy']);

/** The request listener of the server. */
export function createHttpHandler(parts: HttpParts): (request: IncomingMessage, response: ServerResponse) => void {
  const { pipeline, registry, tokens, actions, podLog, revision, now, log } = parts;
  let watches = 0;

  const userOf = (request: IncomingMessage, path: string): UserInfo => {
    const header = request.headers.authorization ?? '';
    if (header === '') {
      const anonymous = { username: 'system:anonymous', groups: ['system:unauthenticated'] };
      if (open.has(path)) return anonymous;
      throw new ApiError(
        403,
        'Forbidden',
        `forbidden: User "system:anonymous" cannot ${request.method?.toLowerCase()} path ${JSON.stringify(path)}`,
        {},
      );
    }
    const found = tokens.authenticate(/^bearer (.+)$/i.exec(header)?.[1] ?? '', [apiAudience], now());
    if (!found.ok) throw unauthorized();
    return found.user;
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'https://local');
    const path = url.pathname.length > 1 ? url.pathname.replace(/\/+$/, '') : url.pathname;
    const warnings: string[] = [];
    const warn = (warning: string) => {
      if (warnings.length >= limits.warnings || warnings.includes(warning)) return;
      warnings.push(warning);
      const quoted = warning.replace(/\s/g, ' ').replace(/([\\"])/g, '\\$1');
      response.appendHeader('warning', `299 - "${Buffer.from(quoted, 'utf8').toString('latin1')}"`);
    };
    const agent = request.headers['user-agent'] ?? '';
    const exchange: Exchange = {
      request,
      response,
      path,
      query: url.searchParams,
      caller: { user: userOf(request, path), agent, warn },
      form: formOf(request.headers.accept, url.searchParams),
    };
    if (request.method === 'GET' && answerAboutServer(path, request, response, parts)) return;
    await answerAboutResource(exchange);
  };

  const answerAboutResource = async (exchange: Exchange): Promise<void> => {
    const place = resourcePathOf(exchange.path);
    const kind = place && registry.at(place.group, place.version, place.plural);
    if (place === undefined || kind === undefined) throw noSuchPath();
    if (kind.storage === 'pods.' && streams.has(place.subresource)) {
      throw new ApiError(
        501,
        'NotImplemented',
        `pods/${place.subresource} is not offered by the local cluster: pods are processes of this machine, reach them by their address`,
      );
    }
    if (place.subresource !== '' && !subresourcesOf(kind).some(({ name }) => name === place.subresource))
      throw noSuchPath();
    if (
      kind.namespaced &&
      place.namespace === '' &&
      (place.name !== '' || exchange.request.method !== 'GET') &&
      exchange.request.method !== 'DELETE'
    )
      throw noSuchPath();
    const target = targetOf(kind, place.namespace, place.name, place.subresource);
    switch (exchange.request.method) {
      case 'GET':
        return target.name === '' ? listOrWatch(exchange, target) : read(exchange, target);
      case 'POST':
        return create(exchange, target);
      case 'PUT':
        return update(exchange, target);
      case 'PATCH':
        return patch(exchange, target);
      case 'DELETE':
        return remove(exchange, target);
      default:
        throw methodNotAllowed();
    }
  };

  const answer = ({ response, form }: Exchange, target: Target, code: number, object: KubeObject) => {
    const shown =
      form.as === 'table' && target.subresource !== '' && target.subresource !== 'status'
        ? ({ as: 'object' } as const)
        : form;
    send(response, code, formatted(object, shown, target, now()));
  };

  const read = async (exchange: Exchange, target: Target): Promise<void> => {
    if (isSet(exchange.query, 'watch')) return listOrWatch(exchange, target);
    if (target.subresource === 'log') return streamLog(exchange, target);
    answer(exchange, target, 200, pipeline.get(target));
  };

  const listOrWatch = async (exchange: Exchange, target: Target): Promise<void> => {
    const { query, response, form } = exchange;
    if (target.kind.review) throw methodNotAllowed();
    // A watch on one object is a watch on the collection with its name selected.
    const selectors = [query.get('fieldSelector') ?? '', target.name === '' ? '' : `metadata.name=${target.name}`];
    const fieldSelector = selectors.filter((one) => one !== '').join(',') || undefined;
    const labelSelector = query.get('labelSelector') ?? undefined;
    if (!isSet(query, 'watch')) {
      const limit = Number(query.get('limit') ?? 0) || undefined;
      const found = pipeline.list(target, {
        labelSelector,
        fieldSelector,
        limit,
        continue: query.get('continue') || undefined,
      });
      send(response, 200, listJson(found, target, form));
      return;
    }
    if (watches >= limits.watches) throw tooManyRequests(`the server has ${limits.watches} watches open`);
    const version = query.get('resourceVersion') ?? '';
    const initial = isSet(query, 'sendInitialEvents');
    const after = initial || version === '' || version === '0' ? undefined : Number(version);
    if (Number.isNaN(after))
      throw badRequest(
        `resourceVersion: Invalid value: ${JSON.stringify(version)}: strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`,
      );
    watches += 1;
    response.on('close', () => {
      watches -= 1;
    });
    const asked = Number(query.get('timeoutSeconds') ?? 0);
    streamWatch(
      pipeline,
      { ...target, name: '' },
      {
        request: { after, labelSelector, fieldSelector },
        form,
        bookmarks: isSet(query, 'allowWatchBookmarks'),
        initialEnd: initial,
        // Spread over half an hour, so that clients that started together do not come back together.
        timeoutSeconds: asked > 0 ? asked : 1_800 + Math.floor(Math.random() * 1_800),
      },
      response,
      revision,
      now,
      log,
    );
  };

  const create = async (exchange: Exchange, target: Target): Promise<void> => {
    const { request, query, caller } = exchange;
    const input = objectBody(await bodyOf(request), mediaTypeOf(request));
    if (target.kind.review)
      return answer(exchange, target, 201, answered(target.kind, input, caller.user, tokens, now()));
    if (target.name === '')
      return answer(exchange, target, 201, await pipeline.create(caller, target, input, writeOptionsOf(query)));
    const result = await actions.perform(caller, target, input, writeOptionsOf(query));
    send(exchange.response, 201, JSON.stringify(result));
  };

  const update = async (exchange: Exchange, target: Target): Promise<void> => {
    if (target.name === '') throw methodNotAllowed();
    const { request, query, caller } = exchange;
    const input = objectBody(await bodyOf(request), mediaTypeOf(request));
    answer(exchange, target, 200, await pipeline.update(caller, target, input, writeOptionsOf(query)));
  };

  const patch = async (exchange: Exchange, target: Target): Promise<void> => {
    if (target.name === '') throw methodNotAllowed();
    const { request, query, caller } = exchange;
    const mediaType = mediaTypeOf(request);
    const body = parseBody(await bodyOf(request), mediaType);
    const { object, created } = await pipeline.patch(
      caller,
      target,
      patchOf(body, mediaType, query),
      writeOptionsOf(query),
    );
    answer(exchange, target, created ? 201 : 200, object);
  };

  const remove = async (exchange: Exchange, target: Target): Promise<void> => {
    const { request, response, query, caller, form } = exchange;
    const body = await bodyOf(request);
    const deletion = deletionOf(body.length === 0 ? {} : objectBody(body, mediaTypeOf(request)), query);
    if (target.name === '') {
      const options: ListOptions = {
        labelSelector: query.get('labelSelector') ?? undefined,
        fieldSelector: query.get('fieldSelector') ?? undefined,
      };
      send(response, 200, listJson(await pipeline.deleteCollection(caller, target, options, deletion), target, form));
      return;
    }
    const { object, removed } = await pipeline.delete(caller, target, deletion);
    const { group, resource, name } = subjectOf(target.kind, object.metadata.name);
    if (!removed || target.kind.storage === 'pods.') return answer(exchange, target, 200, object);
    send(
      response,
      200,
      JSON.stringify(
        successStatus({ name, ...(group !== '' && { group }), kind: resource, uid: object.metadata.uid ?? '' }),
      ),
    );
  };

  const streamLog = async ({ response, query }: Exchange, target: Target): Promise<void> => {
    const pod = pipeline.get({ ...target, subresource: '' });
    const wanted = podLogRequest(pod, query);
    const left = new AbortController();
    response.on('close', () => left.abort());
    for await (const part of podLog()(wanted, left.signal)) {
      if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/plain' });
      if (left.signal.aborted) break;
      if (!response.write(part)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
    }
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/plain' });
    response.end();
  };

  return (request, response) => {
    handle(request, response).catch((error: unknown) => {
      if (!isApiError(error))
        log.warn('Failed at a request', {
          method: request.method,
          url: request.url,
          error: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
      const problem = isApiError(error) ? error : internalError(error instanceof Error ? error.message : String(error));
      if (response.headersSent) {
        response.destroy();
        return;
      }
      // What is left of a refused body is not worth reading.
      if (problem.code === 413) response.setHeader('connection', 'close');
      if (problem.details?.retryAfterSeconds !== undefined)
        response.setHeader('retry-after', String(problem.details.retryAfterSeconds));
      send(response, problem.code, JSON.stringify(statusOf(problem)));
    });
  };

  function listJson(found: ObjectList, target: Target, form: Form): string {
    const metadata = {
      resourceVersion: found.resourceVersion,
      ...(found.continue && { continue: found.continue }),
      ...(found.remaining !== undefined && { remainingItemCount: found.remaining }),
    };
    if (form.as === 'table') return tableJson(target.kind, found.items, metadata, form.include, now());
    const own =
      form.as === 'metadata'
        ? { kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' }
        : { kind: target.kind.listKind, apiVersion: apiVersionOf(target.kind) };
    const head = JSON.stringify({ ...own, metadata });
    const items = found.items.map((object) =>
      form.as === 'metadata' ? JSON.stringify(partialMetadata(object)) : jsonOf(object),
    );
    return `${head.slice(0, -1)},"items":[${items.join(',')}]}`;
  }
}
