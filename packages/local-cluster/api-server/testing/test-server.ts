// An API server for a test, on a clock that the test moves, with a plain HTTPS client that shows status, headers and body.
import { Agent, request } from 'node:https';
import { type Instant, instant } from '@kubeai/units';
import { type ApiServer, type ApiServerOptions, startApiServer } from '../api-server.ts';

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, unknown>>;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever JSON came back
  readonly body: any;
  readonly text: string;
}

export interface TestServer extends ApiServer {
  readonly token: string;
  moveClock(milliseconds: number): void;
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
  /** What the server has warned of in its log. */
  readonly warnings: readonly string[];
  /** Opens a watch and never reads from it. */
  stalledWatch(path: string): Promise<{ close(): void }>;
  /** Opens a watch; `next` resolves with the next event of it, undefined when it has ended. */
  watch(path: string): Promise<{ next(): Promise<Answer['body']>; close(): void }>;
}

export async function startTestServer(options: Partial<ApiServerOptions> = {}): Promise<TestServer> {
  let now = Date.parse('2026-01-01T00:00:00Z');
  const clock = { now: (): Instant => instant(now) };
  const warnings: string[] = [];
  const log = { warn: (message: string) => warnings.push(message), info: () => undefined };
  const server = await startApiServer({ clock, log, ...options });
  const token = /token: (\S+)/.exec(server.kubeconfig())?.[1] ?? '';
  const agent = new Agent({ keepAlive: true, ca: server.authority, checkServerIdentity: () => undefined });
  const open = (method: string, path: string, headers: Readonly<Record<string, string>>) =>
    request(`${server.url}${path}`, { method, agent, headers: { authorization: `Bearer ${token}`, ...headers } });

  return {
    ...server,
    token,
    warnings,
    moveClock(milliseconds) {
      now += milliseconds;
    },
    ask: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const payload =
          body === undefined || typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
        const outgoing = open(method, path, {
          // Node frames no body of a DELETE by itself.
          ...(payload !== undefined && {
            'content-type': 'application/json',
            'content-length': String(Buffer.byteLength(payload)),
          }),
          ...headers,
        });
        outgoing.on('error', reject);
        outgoing.on('response', (incoming) => {
          const parts: Buffer[] = [];
          incoming.on('data', (part: Buffer) => parts.push(part));
          incoming.on('end', () => {
            const text = Buffer.concat(parts).toString('utf8');
            const isJson = String(incoming.headers['content-type']).startsWith('application/json');
            resolve({
              code: incoming.statusCode ?? 0,
              headers: incoming.headers,
              text,
              body: isJson ? JSON.parse(text) : undefined,
            });
          });
        });
        outgoing.end(payload);
      }),
    stalledWatch: (path) =>
      new Promise((resolve, reject) => {
        const outgoing = open('GET', path, {});
        outgoing.on('error', reject);
        outgoing.on('response', (incoming) => {
          incoming.pause();
          incoming.on('error', () => undefined);
          resolve({ close: () => outgoing.destroy() });
        });
        outgoing.end();
      }),
    watch: (path) =>
      new Promise((resolve, reject) => {
        const outgoing = open('GET', path, {});
        outgoing.on('error', reject);
        outgoing.on('response', (incoming) => {
          const events: unknown[] = [];
          const waiting: ((event: unknown) => void)[] = [];
          let rest = '';
          const push = (event: unknown) => {
            const first = waiting.shift();
            if (first) first(event);
            else events.push(event);
          };
          incoming.on('data', (part: Buffer) => {
            const lines = `${rest}${part.toString('utf8')}`.split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) push(JSON.parse(line));
          });
          incoming.on('close', () => push(undefined));
          resolve({
            next: () => new Promise((done) => (events.length > 0 ? done(events.shift()) : waiting.push(done))),
            close: () => outgoing.destroy(),
          });
        });
        outgoing.end();
      }),
    async stop() {
      agent.destroy();
      await server.stop();
    },
  };
}
