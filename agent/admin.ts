// The agent's own pages, apart from the traffic: /metrics, /healthz, /readyz, /debug/report and /drain.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Health, Log } from '@kubeai/daemon';
import type { Report } from '@kubeai/protocol';
import type { Milliseconds } from '@kubeai/units';
import type { Drain } from './drain.ts';
import { contentType, type Exposed, renderMetrics } from './exposition.ts';
import type { PushState } from './push.ts';

export interface AdminOptions {
  readonly health: Health;
  readonly exposed: Exposed;
  readonly drain: Drain;
  readonly drainDeadline: Milliseconds;
  readonly report: () => Report | undefined;
  readonly push: () => PushState | undefined;
  readonly log: Log;
}

/** The handler of the admin port. */
export function adminPages(options: AdminOptions): RequestListener {
  const { health, exposed, drain, drainDeadline, report, push, log } = options;

  const page = async (path: string, response: ServerResponse): Promise<void> => {
    switch (path) {
      case '/metrics': {
        const text = await renderMetrics(exposed);
        response.writeHead(200, { 'content-type': contentType }).end(text);
        return;
      }
      case '/debug/report':
        sendJson(response, 200, { report: report() ?? null, push: push() ?? null, draining: drain.draining });
        return;
      case '/drain': {
        // A preStop hook waits for this answer; kubelet sends SIGTERM afterwards.
        log.info('Draining was asked for', { deadlineMs: drainDeadline });
        sendJson(response, 200, { drained: await drain.wait(drainDeadline) });
        return;
      }
      default:
        sendJson(response, 404, { pages: ['/metrics', '/healthz', '/readyz', '/debug/report', '/drain'] });
    }
  };

  return (request: IncomingMessage, response: ServerResponse) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') return sendJson(response, 405, { allowed: ['GET'] });
    if (health.answer(request, response)) return;
    page(request.url?.split('?', 1)[0] ?? '/', response).catch((cause: unknown) => {
      log.error('A page could not be made', { path: request.url, cause });
      if (!response.headersSent) sendJson(response, 500, { error: 'internal error' });
    });
  };
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`);
}
