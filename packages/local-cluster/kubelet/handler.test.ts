import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo, Server as Listener } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import type { Container, Handler } from '../workloads/objects.ts';
import { type HandlerHost, handle } from './handler.ts';

let web: Server;
let grpc: Listener;
let silent: Server;
let seen: IncomingHttpHeaders = {};
const ports = { web: 0, grpc: 0, silent: 0, closed: 0 };

async function open(server: Listener): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

beforeAll(async () => {
  web = createServer((request, response) => {
    seen = request.headers;
    response.writeHead(Number(request.url?.slice(1) || 200), { location: '/200' }).end('body');
  });
  silent = createServer(() => undefined);
  // Answers grpc.health.v1: the service "down" is NOT_SERVING, everything else SERVING.
  grpc = createHttp2Server().on('stream', (stream) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      const health = Buffer.concat(chunks).includes('down') ? 2 : 1;
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.from([0, 0, 0, 0, 2, 0x08, health]));
    });
  });
  ports.web = await open(web);
  ports.silent = await open(silent);
  ports.grpc = await open(grpc);
  const gone = createServer();
  ports.closed = await open(gone);
  gone.close();
});
afterAll(() => {
  silent.closeAllConnections();
  for (const server of [web, silent, grpc]) server.close();
});

function host(): HandlerHost {
  const container: Container = { name: 'c', ports: [{ name: 'http', containerPort: ports.web }] };
  return {
    address: '127.0.0.1',
    container,
    userAgent: 'kube-probe/1.36',
    clock: createClock(),
    execute: async ([word = '']) => ({ ok: word === 'true', message: `ran ${word}` }),
  };
}

test.each<[string, () => Handler, boolean, RegExp]>([
  ['HTTP 200', () => ({ httpGet: { path: '/200', port: ports.web } }), true, /^body$/],
  ['a named port', () => ({ httpGet: { path: '200', port: 'http' } }), true, /^body$/],
  ['a redirect, which is not followed', () => ({ httpGet: { path: '/302', port: 'http' } }), true, /^body$/],
  ['HTTP 404', () => ({ httpGet: { path: '/404', port: 'http' } }), false, /^HTTP probe failed with statuscode: 404$/],
  [
    'a port without a name',
    () => ({ httpGet: { port: 'admin' } }),
    false,
    /^couldn't find port: admin in container c$/,
  ],
  ['a refused connection', () => ({ httpGet: { port: ports.closed } }), false, /ECONNREFUSED/],
  ['an answer that does not come', () => ({ httpGet: { port: ports.silent } }), false, /deadline exceeded/],
  ['an open socket', () => ({ tcpSocket: { port: ports.silent } }), true, /^$/],
  ['a closed socket', () => ({ tcpSocket: { port: ports.closed } }), false, /^dial tcp 127.0.0.1:\d+: .*ECONNREFUSED/],
  ['a healthy gRPC service', () => ({ grpc: { port: ports.grpc, service: 'up' } }), true, /^$/],
  ['a gRPC service that is down', () => ({ grpc: { port: ports.grpc, service: 'down' } }), false, /service unhealthy/],
  ['gRPC with nobody there', () => ({ grpc: { port: ports.closed } }), false, /ECONNREFUSED/],
  ['a command that succeeds', () => ({ exec: { command: ['true'] } }), true, /^ran true$/],
  ['a command that fails', () => ({ exec: { command: ['false'] } }), false, /^ran false$/],
  ['nothing at all', () => ({}), false, /^missing handler$/],
])('%s', async (_case, handler, ok, message) => {
  const found = await handle(handler(), host(), milliseconds(300));
  expect(found).toEqual({ ok, message: expect.stringMatching(message) });
});

test('a probe says who it is, and headers of its own go along', async () => {
  const httpHeaders = [{ name: 'X-Token', value: 'abc' }];
  await handle({ httpGet: { port: 'http', httpHeaders } }, host(), seconds(5));
  expect(seen).toMatchObject({ 'user-agent': 'kube-probe/1.36', 'x-token': 'abc', connection: 'close' });
});
