// A real HTTP server on loopback that answers as a test tells it to: for what a well-behaved API server does only on a
// bad day (410 in the middle of a list, a watch that breaks off, a write that loses a race).
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PooledKubeConfig } from '../kube-config.ts';

export interface ScriptedCall {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly body: unknown;
  readonly headers: IncomingMessage['headers'];
  /** Answers with JSON. */
  answer(code: number, body: unknown): void;
  /** Answers with a Status, as the API server does when it refuses. */
  refuse(code: number, reason: string): void;
  /** Starts a watch; events follow until it is ended. */
  stream(): { send(type: string, object: unknown): void; end(): void; cut(): void };
}

export interface ScriptedApi {
  readonly url: string;
  readonly config: PooledKubeConfig;
  /** Connections opened so far. */
  connections(): number;
  close(): Promise<void>;
}

export async function scriptedApi(handle: (call: ScriptedCall) => void): Promise<ScriptedApi> {
  let connections = 0;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const url = new URL(request.url ?? '/', 'http://localhost');
    handle({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      body: text === '' ? undefined : JSON.parse(text),
      headers: request.headers,
      ...answers(response),
    });
  });
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const config = new PooledKubeConfig();
  config.loadFromClusterAndUser({ name: 'test', server: url, skipTLSVerify: true }, {
    name: 'test',
    token: 'a-token',
  } as never);
  return {
    url,
    config,
    connections: () => connections,
    async close() {
      await config.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function answers(response: ServerResponse): Pick<ScriptedCall, 'answer' | 'refuse' | 'stream'> {
  const answer = (code: number, body: unknown) => {
    response.writeHead(code, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  return {
    answer,
    refuse: (code, reason) => answer(code, { kind: 'Status', status: 'Failure', code, reason, message: `${reason}!` }),
    stream() {
      response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders();
      return {
        send: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
        end: () => void response.end(),
        cut: () => void response.destroy(),
      };
    },
  };
}
