// What people and Prometheus read over plain HTTP: /metrics, the present of every policy as JSON, the same each second as
// server-sent events, and the dashboard that draws it.
import type { Clock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import express, { type Express, type Response } from 'express';
import { page } from './dashboard/page.generated.ts';
import { limits } from './limits.ts';
import type { Memory } from './memory.ts';
import type { Metrics } from './metrics.ts';
import type { PolicyBook } from './policy-book.ts';
import { type PolicyView, policyView, trailStates } from './policy-view.ts';

export interface PagesOptions {
  readonly policies: PolicyBook;
  readonly memories: () => ReadonlyMap<string, Memory>;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly isLeader: () => boolean;
}

export interface Pages {
  readonly app: Express;
  /** Ends the streams of watching browsers. */
  stop(): void;
}

export function createPages(options: PagesOptions): Pages {
  const { policies, memories, metrics, clock } = options;
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  const watchers = new Set<Response>();

  const viewOf = (key: string): PolicyView | undefined => {
    const entry = policies.read(key);
    return entry === undefined ? undefined : policyView(entry, memories().get(key));
  };
  const views = (): PolicyView[] => {
    const keys = [...policies.keys()].sort().slice(0, limits.shownPolicies);
    return keys.map(viewOf).filter((view) => view !== undefined);
  };
  const present = () => ({ at: clock.now(), leading: options.isLeader(), policies: views() });

  app.get('/metrics', async (_request, response) => {
    response.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
  app.get('/api/policies', (_request, response) => {
    response.json(present());
  });
  app.get('/api/policies/:namespace/:name', (request, response) => {
    const key = `${request.params.namespace}/${request.params.name}`;
    const view = viewOf(key);
    if (view === undefined) return void response.status(404).json({ message: `there is no policy ${key}` });
    const trail = memories().get(key)?.trail;
    response.json({ ...view, trail: { states: trailStates, points: trail?.points() ?? [] } });
  });
  app.get('/api/events', (_request, response) => {
    if (watchers.size >= limits.watchers)
      return void response.status(503).type('text').send('too many watch already\n');
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    watchers.add(response);
    response.on('close', () => watchers.delete(response));
    send(response, 'trails', {
      states: trailStates,
      trails: views().map(({ namespace, name }) => ({
        namespace,
        name,
        points: memories().get(`${namespace}/${name}`)?.trail?.points() ?? [],
      })),
    });
    send(response, 'present', present());
  });
  app.get('/', (_request, response) => {
    response
      .set(
        'content-security-policy',
        "default-src 'self'; img-src data:; script-src 'unsafe-inline'; style-src 'unsafe-inline'",
      )
      .type('html')
      .send(page);
  });
  app.use((request, response) => {
    response.status(404).type('text').send(`there is nothing at ${request.path}; try /, /api/policies or /metrics\n`);
  });

  const timer = clock.every(seconds(1), () => {
    if (watchers.size === 0) return;
    const now = present();
    for (const response of watchers) {
      if (response.writableLength > limits.watcherBytes) response.destroy();
      else send(response, 'present', now);
    }
  });

  return {
    app,
    stop() {
      timer.stop();
      for (const response of watchers) response.end();
    },
  };
}

const send = (response: Response, event: string, data: unknown) => {
  response.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
};
