// One watch over HTTP: a line of JSON an event, bookmarks in between, until its time is over or the client leaves. A
// client that does not read is cut: its socket may hold only so much.
import type { ServerResponse } from 'node:http';
import type { Instant } from '@kubeai/units';
import { type ApiError, isApiError, statusOf } from './api-error.ts';
import { jsonOf, type KubeObject } from './kube-object.ts';
import { limits } from './limits.ts';
import type { Pipeline } from './pipeline.ts';
import type { Target } from './request.ts';
import { apiVersionOf } from './resources.ts';
import type { ServerLog } from './server-log.ts';
import { type IncludeObject, partialMetadata, tableJson } from './table-printing.ts';
import type { WatchedEvent, WatchRequest } from './watching.ts';

/** What a client wants to see of an object. */
export type Form =
  | { readonly as: 'object' }
  | { readonly as: 'metadata' }
  | { readonly as: 'table'; readonly include: IncludeObject };

export interface StreamOptions {
  readonly request: WatchRequest;
  readonly form: Form;
  readonly bookmarks: boolean;
  /** Marks where the objects that were there at the start end (`sendInitialEvents`). */
  readonly initialEnd: boolean;
  readonly timeoutSeconds: number;
}

const bookmarkMs = 60_000;

export function formatted(object: KubeObject, form: Form, target: Target, now: Instant): string {
  if (form.as === 'object') return jsonOf(object);
  if (form.as === 'metadata') return JSON.stringify(partialMetadata(object));
  return tableJson(target.kind, [object], { resourceVersion: object.metadata.resourceVersion }, form.include, now);
}

/** Answers with the stream. Resolves when it has ended. */
export function streamWatch(
  pipeline: Pipeline,
  target: Target,
  { request, form, bookmarks, initialEnd, timeoutSeconds }: StreamOptions,
  response: ServerResponse,
  revision: () => number,
  now: () => Instant,
  log: ServerLog,
): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  // The head goes out at once: a client waits for it before it believes that the watch stands.
  response.flushHeaders();
  let stop = (): void => undefined;
  let ended = false;
  const end = () => {
    if (ended) return;
    ended = true;
    stop();
    clearTimeout(timer);
    clearInterval(ticker);
    response.end();
  };
  const send = (type: string, json: string) => {
    if (ended) return;
    response.write(`{"type":"${type}","object":${json}}\n`);
    if (response.writableLength <= limits.watchBacklogBytes) return;
    log.warn('Cut a watcher that does not read', { resource: target.kind.plural, bytes: response.writableLength });
    ended = true;
    stop();
    response.destroy();
  };
  const bookmark = (annotations?: Record<string, string>) => {
    const metadata = {
      resourceVersion: String(revision()),
      creationTimestamp: null,
      ...(annotations && { annotations }),
    };
    if (form.as === 'table') {
      send('BOOKMARK', tableJson(target.kind, [], metadata, 'None', now()));
      return;
    }
    const { kind } = target;
    const own =
      form.as === 'metadata'
        ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }
        : { kind: kind.kind, apiVersion: apiVersionOf(kind) };
    send('BOOKMARK', JSON.stringify({ ...own, metadata }));
  };
  const timer = setTimeout(() => {
    if (bookmarks) bookmark();
    end();
  }, timeoutSeconds * 1000);
  const ticker = setInterval(() => {
    if (bookmarks) bookmark();
  }, bookmarkMs);
  timer.unref();
  ticker.unref();
  response.on('close', end);
  try {
    stop = pipeline.watch(target, request, ({ type, object }: WatchedEvent) =>
      send(type, formatted(object, form, target, now())),
    );
    if (ended) stop();
    if (initialEnd) bookmark({ 'k8s.io/initial-events-end': 'true' });
  } catch (error) {
    if (!isApiError(error)) throw error;
    send('ERROR', JSON.stringify(statusOf(error as ApiError)));
    end();
  }
}
