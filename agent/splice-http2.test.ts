import { connect as connectHttp2, createServer as createHttp2Server, type OutgoingHttpHeaders } from 'node:http2';
import { expect, test } from '@jest/globals';
import { answersOf, rigOfEachTest, sumOf, unobservedOf } from './testing/rig.ts';

const start = rigOfEachTest();

test('an HTTP/2 client is followed by frames', async () => {
  const http2 = createHttp2Server();
  http2.on('stream', (each, headers) => {
    each.on('error', () => undefined);
    if (headers[':path'] === '/broken') each.close(2);
    else {
      each.respond({ ':status': headers[':path'] === '/missing' ? 404 : 200 }, { waitForTrailers: true });
      each.on('wantTrailers', () => each.sendTrailers({ 'grpc-status': '0' }));
      each.end('x'.repeat(40_000));
    }
  });
  const { book, splice } = await start({ serve: (socket) => void http2.emit('connection', socket) });
  const session = connectHttp2(`http://127.0.0.1:${splice.port}`);
  const ask = (path: string) =>
    new Promise<number>((resolve) => {
      const request = session.request({ ':path': path, ':method': 'POST' });
      let length = 0;
      request.on('data', (chunk: Buffer) => {
        length += chunk.length;
      });
      request.on('error', () => undefined);
      request.on('close', () => resolve(length));
      request.end('{}');
    });
  expect(await Promise.all([ask('/a'), ask('/b'), ask('/missing'), ask('/broken')])).toEqual([
    40_000, 40_000, 40_000, 0,
  ]);
  expect(answersOf(book.totals())).toEqual({ '2xx': 2, '4xx': 1 });
  expect(sumOf(book.totals(), 'failed')).toBe(1);
  expect({ open: book.open, unobserved: unobservedOf(book.totals()) }).toEqual({ open: 0, unobserved: {} });
  await new Promise<void>((resolve) => session.close(resolve));
  http2.close();
});

test('a stream counts for what its path and its headers say, gRPC by its own status', async () => {
  const grpc = { 'content-type': 'application/grpc+proto' };
  type Answer = readonly [headers: OutgoingHttpHeaders, trailers?: OutgoingHttpHeaders];
  const calls: Readonly<Record<string, readonly [expected: string, ...Answer]>> = {
    '/llm.Chat/Ok': ['stream 2xx', { ':status': 200, ...grpc }, { 'grpc-status': '0' }],
    '/llm.Chat/NotFound': ['stream 4xx', { ':status': 200, ...grpc }, { 'grpc-status': '5', 'grpc-message': 'no' }],
    '/llm.Chat/Internal': ['stream 5xx', { ':status': 200, ...grpc }, { 'grpc-status': '13' }],
    '/llm.Chat/Unauthenticated': ['stream 4xx', { ':status': 200, ...grpc, 'grpc-status': '16' }],
    '/llm.Chat/Silent': ['stream unknown', { ':status': 200, ...grpc }],
    '/llm.Chat/Strange': ['stream unknown', { ':status': 200, ...grpc }, { 'grpc-status': '99' }],
    '/llm.Chat/ByProxy': ['stream 5xx', { ':status': 503, ...grpc }],
    '/grpc.health.v1.Health/Check': ['probe 2xx', { ':status': 200, ...grpc }, { 'grpc-status': '0' }],
    '/inference.GRPCInferenceService/ModelInfer': ['infer 2xx', { ':status': 200, ...grpc }, { 'grpc-status': '0' }],
    '/v1/chat/completions': ['chat 4xx', { ':status': 429 }],
    '/v1/embeddings': ['embeddings 2xx', { ':status': 202 }],
  };
  const http2 = createHttp2Server();
  http2.on('stream', (stream, { ':path': path }) => {
    const [, headers, trailers] = calls[path!]!;
    stream.additionalHeaders({ ':status': 103 });
    if (headers['grpc-status'] !== undefined) return stream.respond(headers, { endStream: true });
    stream.respond(headers, { waitForTrailers: trailers !== undefined });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers!));
    stream.end('an answer');
  });
  const { book, splice } = await start({ serve: (socket) => void http2.emit('connection', socket) });
  const session = connectHttp2(`http://127.0.0.1:${splice.port}`);
  // Twice: the second time most fields are indices of what was said before.
  for (const path of [...Object.keys(calls), ...Object.keys(calls)]) {
    await new Promise((resolve) => {
      session
        .request({ ':path': path, ':method': 'POST', ...grpc })
        .on('close', resolve)
        .resume()
        .end('ask');
    });
  }
  const counted = [...book.totals().routes].flatMap(([route, { statuses }]) =>
    [...statuses].map(([status, count]) => [`${route} ${status}`, count] as const),
  );
  const expected: Record<string, number> = {};
  for (const [key] of Object.values(calls)) expected[key] = (expected[key] ?? 0) + 2;
  expect(Object.fromEntries(counted)).toEqual(expected);
  expect(unobservedOf(book.totals())).toEqual({});
  await new Promise<void>((resolve) => session.close(resolve));
  http2.close();
});
