// Calls to the API server as raw JSON over the pooled connections: what goes in and comes out is what is on the wire.
// client-node supplies address, credentials and their renewal.

import type { Clock } from '@kubeai/daemon';
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { HttpMethod, RequestContext } from '@kubernetes/client-node';
import { type Dispatcher, request } from 'undici';
import type { PooledKubeConfig } from './kube-config.ts';
import type { KubeList, KubeObject, ObjectName } from './kube-object.ts';
import { callTimeout, maxWatchLineBytes, watchDuration } from './limits.ts';
import { apiVersionOf, collectionPath, objectPath, type Resource, resources } from './resource.ts';

/** What the API server said no to, as its Status says it. */
export class KubeError extends Error {
  override readonly name = 'KubeError';
  /** HTTP status, such as 404. */
  readonly code: number;
  /** The Status reason, such as NotFound. */
  readonly reason: string;
  constructor(code: number, reason: string, message: string) {
    super(message);
    this.code = code;
    this.reason = reason;
  }
}

export const isKubeError = (thrown: unknown, code: number): boolean =>
  thrown instanceof KubeError && thrown.code === code;

export interface ListQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
}

export type WatchEvent<Item extends KubeObject = KubeObject> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; readonly object: Item }
  | { readonly type: 'ERROR'; readonly object: { readonly code?: number; readonly message?: string } };

export interface WatchQuery {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  readonly resourceVersion: string;
  readonly signal: AbortSignal;
}

export type PatchKind = 'merge' | 'json' | 'strategic' | 'apply';

export interface PatchOptions {
  readonly kind: PatchKind;
  readonly subresource?: 'status' | 'scale' | undefined;
  /** Who writes; required for `apply`, useful for all (`kubectl get --show-managed-fields`). */
  readonly fieldManager?: string | undefined;
  /** For `apply`: takes fields from other managers instead of failing with 409. */
  readonly force?: boolean | undefined;
}

/** One finished call, for metrics. `code` is 0 when no answer came. */
export interface CallRecord {
  readonly method: string;
  readonly code: number;
  readonly took: Milliseconds;
}

export interface KubeClient {
  /** One object. Throws KubeError 404 when there is none. */
  read<Item extends KubeObject>(of: Resource, name: ObjectName, subresource?: string): Promise<Item>;
  /** One object, or undefined when there is none. */
  find<Item extends KubeObject>(of: Resource, name: ObjectName): Promise<Item | undefined>;
  /** One page (all of it without `limit`). */
  list<Item extends KubeObject>(of: Resource, query?: ListQuery): Promise<KubeList<Item>>;
  /** apiVersion and kind may be left out: the resource says them. */
  create<Item extends KubeObject>(of: Resource, object: KubeObject & object): Promise<Item>;
  /** Replaces; with a resourceVersion in it, only that version (else KubeError 409). */
  replace<Item extends KubeObject>(of: Resource, object: KubeObject & object, subresource?: 'status'): Promise<Item>;
  patch<Item extends KubeObject>(of: Resource, name: ObjectName, patch: unknown, options: PatchOptions): Promise<Item>;
  delete(of: Resource, name: ObjectName): Promise<void>;
  /**
   * Ends a pod if its PodDisruptionBudget agrees, and only the very pod of this uid. Throws KubeError 429 when the budget
   * does not, 404 or 409 when it is another pod by now.
   */
  evict(pod: ObjectName, uid: string): Promise<void>;
  /** Events after a resourceVersion, bookmarks among them, until the server ends the watch or `signal` aborts. */
  watch<Item extends KubeObject>(of: Resource, query: WatchQuery): AsyncGenerator<WatchEvent<Item>, void, undefined>;
  /** Any path, for what is no resource (discovery, /version). */
  get(path: string): Promise<unknown>;
}

export interface KubeClientOptions {
  /** Product and version for the server's audit log, such as `kubeai-controller/0.1.0`. */
  readonly userAgent: string;
  readonly clock: Clock;
  readonly onCall?: ((call: CallRecord) => void) | undefined;
}

const patchTypes: Record<PatchKind, string> = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

export function createKubeClient(config: PooledKubeConfig, options: KubeClientOptions): KubeClient {
  const server = (config.getCurrentCluster()?.server ?? '').replace(/\/+$/, '');

  async function open(method: HttpMethod, path: string, body: unknown, type: string, signal: AbortSignal) {
    const context = new RequestContext(server + path, method);
    await config.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher() as Dispatcher;
    return await request(server + path, {
      method: method as Dispatcher.HttpMethod,
      headers: {
        ...context.getHeaders(),
        accept: 'application/json',
        'user-agent': options.userAgent,
        ...(body === undefined ? {} : { 'content-type': type }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      dispatcher,
      signal,
    });
  }

  async function call<Answer>(method: HttpMethod, path: string, body?: unknown, type = 'application/json') {
    const began = options.clock.monotonic();
    let code = 0;
    try {
      const response = await open(method, path, body, type, AbortSignal.timeout(callTimeout));
      code = response.statusCode;
      const text = await response.body.text();
      if (code >= 400) throw errorOf(code, text, `${method} ${path.split('?')[0]}`);
      return JSON.parse(text) as Answer;
    } finally {
      options.onCall?.({ method, code, took: milliseconds(options.clock.monotonic() - began) });
    }
  }

  const client: KubeClient = {
    read: (of, name, subresource) => call(HttpMethod.GET, objectPath(of, name, subresource)),
    async find<Item extends KubeObject>(of: Resource, name: ObjectName) {
      try {
        return await client.read<Item>(of, name);
      } catch (cause) {
        if (isKubeError(cause, 404)) return undefined;
        throw cause;
      }
    },
    list: (of, query = {}) => call(HttpMethod.GET, withQuery(collectionPath(of, query.namespace), listWords(query))),
    create: (of, object) =>
      call(HttpMethod.POST, collectionPath(of, object.metadata.namespace), {
        apiVersion: apiVersionOf(of),
        kind: of.kind,
        ...object,
      }),
    replace: (of, object, subresource) =>
      call(HttpMethod.PUT, objectPath(of, object.metadata, subresource), {
        apiVersion: apiVersionOf(of),
        kind: of.kind,
        ...object,
      }),
    patch(of, name, patch, { kind, subresource, fieldManager, force }) {
      const path = withQuery(objectPath(of, name, subresource), {
        fieldManager,
        ...(force === true ? { force: 'true' } : {}),
      });
      return call(HttpMethod.PATCH, path, patch, patchTypes[kind]);
    },
    async delete(of, name) {
      await call(HttpMethod.DELETE, objectPath(of, name));
    },
    async evict({ namespace, name }, uid) {
      await call(HttpMethod.POST, objectPath(resources.pods, { namespace, name }, 'eviction'), {
        apiVersion: 'policy/v1',
        kind: 'Eviction',
        metadata: { namespace, name },
        deleteOptions: { preconditions: { uid } },
      });
    },
    async *watch<Item extends KubeObject>(of: Resource, query: WatchQuery) {
      const { signal, namespace, ...words } = query;
      const path = withQuery(collectionPath(of, namespace), {
        ...words,
        watch: 'true',
        allowWatchBookmarks: 'true',
        timeoutSeconds: String(watchDuration / 1_000),
      });
      const response = await open(HttpMethod.GET, path, undefined, '', signal);
      if (response.statusCode !== 200) {
        throw errorOf(response.statusCode, await response.body.text(), `watch ${of.plural}`);
      }
      yield* events<Item>(response.body);
    },
    get: (path) => call(HttpMethod.GET, path),
  };
  return client;
}

const listWords = ({ namespace: _namespace, limit, ...words }: ListQuery): Record<string, string | undefined> => ({
  ...words,
  ...(limit === undefined ? {} : { limit: String(limit) }),
});

function withQuery(path: string, words: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(words)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text === '' ? path : `${path}?${text}`;
}

function errorOf(code: number, text: string, what: string): KubeError {
  try {
    const status = JSON.parse(text) as { reason?: string; message?: string };
    if (typeof status.message === 'string') return new KubeError(code, status.reason ?? 'Unknown', status.message);
  } catch {
    // Not every answer is a Status: a proxy in between answers in HTML. The line below names what was asked.
  }
  return new KubeError(code, 'Unknown', `${what} was answered with ${code}: ${text.slice(0, 200)}`);
}

/** The lines of a watch's body, one JSON event each. Throws when the connection breaks or a line is no event. */
async function* events<Item extends KubeObject>(body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent<Item>> {
  let rest: Buffer[] = [];
  let kept = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      const line =
        rest.length === 0 ? chunk.subarray(start, end) : Buffer.concat([...rest, chunk.subarray(start, end)]);
      rest = [];
      kept = 0;
      start = end + 1;
      if (line.length > 0) yield JSON.parse(line.toString('utf8')) as WatchEvent<Item>;
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start));
      kept += chunk.length - start;
      if (kept > maxWatchLineBytes) throw new Error(`a watch event is longer than ${maxWatchLineBytes} bytes`);
    }
  }
}
