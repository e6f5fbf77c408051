// The player against small real servers, each broken in its own way.
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { milliseconds, seconds } from '@kubeai/units';
import { type ReplayOptions, replay } from './replay.ts';
import type { Trace } from './trace.ts';

const servers: Server[] = [];

async function serve(handle: RequestListener): Promise<string> {
  const server = createServer(handle);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

const traceOf = (count: number, gapMs = 0, outputTokens = 3): Trace =>
  Array.from({ length: count }, (_, index) => ({ at: milliseconds(index * gapMs), promptTokens: 5, outputTokens }));

const token = 'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n';
const done = 'data: [DONE]\n\n';
const head = { 'content-type': 'text/event-stream' };

/** Reads the body first, as real servers do, then answers. */
const answering =
  (answer: (response: Parameters<RequestListener>[1], body: string) => void): RequestListener =>
  (request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk));
    request.on('end', () => answer(response, body));
  };

const play = (url: string, trace: Trace, more: Partial<ReplayOptions> = {}) => replay(trace, { url, ...more });

test('what a good server answers is measured, on a new connection each time', async () => {
  const ports = new Set<number | undefined>();
  const bodies: string[] = [];
  const paths = new Set<string | undefined>();
  const url = await serve((request, response) => {
    ports.add(request.socket.remotePort);
    paths.add(request.url);
    answering((answer, body) => {
      bodies.push(body);
      answer.writeHead(200, head);
      answer.write(`data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n`);
      answer.write(token);
      answer.write(token);
      answer.end(`${token}data: {"choices":[],"usage":{"completion_tokens":3}}\n\n${done}`);
    })(request, response);
  });
  const report = await play(url, traceOf(4), { model: 'm' });
  expect(report).toMatchObject({ requests: 4, succeeded: 4, promptTokens: 20, generatedTokens: 12 });
  expect(report.records.every(({ outcome, status }) => outcome === 'ok' && status === 200)).toBe(true);
  expect(report.interTokenMs).toBeDefined();
  expect(ports.size).toBe(4);
  expect([...paths]).toEqual(['/v1/chat/completions']);
  const body = JSON.parse(bodies[0]!);
  expect(body).toMatchObject({ model: 'm', max_tokens: 3, stream: true, stream_options: { include_usage: true } });
  expect(body.messages[0].content).toHaveLength(20);
});

test.each<[string, string, (response: Parameters<RequestListener>[1]) => void]>([
  ['no [DONE]', 'truncated', (response) => response.writeHead(200, head).end(token.repeat(3))],
  ['fewer tokens than asked', 'truncated', (response) => response.writeHead(200, head).end(token.repeat(2) + done)],
  ['an empty answer', 'truncated', (response) => response.writeHead(200, head).end()],
  [
    'usage that says fewer',
    'truncated',
    (response) => response.writeHead(200, head).end(`${token}data: {"usage":{"completion_tokens":1}}\n\n${done}`),
  ],
  ['status 503', 'status', (response) => response.writeHead(503).end('loading')],
  ['a cut connection', 'reset', (response) => response.writeHead(200, head).write(token, () => response.destroy())],
  ['a reset before the answer', 'reset', (response) => response.socket!.resetAndDestroy()],
])('%s is a failure of kind %s', async (_name, kind, answer) => {
  const url = await serve(answering(answer));
  const report = await play(url, traceOf(2));
  expect(report.records.map(({ outcome }) => outcome)).toEqual([kind, kind]);
  expect(report).toMatchObject({ succeeded: 0, failed: { [kind]: 2 } });
});

test('a refused connection is a failure of its own kind', async () => {
  const url = await serve(() => undefined);
  await new Promise((resolve) => servers.pop()!.close(resolve));
  const report = await play(url, traceOf(1));
  expect(report.failed.connect).toBe(1);
  expect(report.records[0]).toMatchObject({ generatedTokens: 0, status: undefined, timeToFirstTokenMs: undefined });
});

test('an answer that takes too long is given up', async () => {
  const url = await serve(answering((response) => response.writeHead(200, head).write(token)));
  const report = await play(url, traceOf(1), { timeout: milliseconds(100) });
  expect(report.records[0]).toMatchObject({ outcome: 'timeout' });
  expect(report.records[0]!.latencyMs).toBeGreaterThan(98); // timers may be a millisecond early
});

test('arrivals do not wait for answers', async () => {
  let open = 0;
  const waiting: (() => void)[] = [];
  const url = await serve(
    answering((response) => {
      open += 1;
      waiting.push(() => response.writeHead(200, head).end(token.repeat(3) + done));
      // Nobody is answered before all have come: a client that waits would never end.
      if (open === 5) for (const answer of waiting) answer();
    }),
  );
  expect(await play(url, traceOf(5, 10))).toMatchObject({ succeeded: 5 });
});

test('more requests than may be open are counted, never dropped', async () => {
  const waiting: (() => void)[] = [];
  const url = await serve(
    answering((response) => {
      waiting.push(() => response.writeHead(200, head).end(token.repeat(3) + done));
      if (waiting.length === 2) for (const answer of waiting) answer();
    }),
  );
  const report = await play(url, traceOf(5), { maxInFlight: 2 });
  expect(report).toMatchObject({ requests: 5, succeeded: 2, failed: { tooManyInFlight: 3 } });
});

test('a stopped replay sends nothing more and says what it left open', async () => {
  const stop = new AbortController();
  const url = await serve(answering(() => stop.abort()));
  const trace = [...traceOf(1), { at: seconds(3_600), promptTokens: 1, outputTokens: 1 }];
  const report = await play(url, trace, { signal: stop.signal });
  expect(report).toMatchObject({ requests: 1, stopped: 1, succeeded: 0 });
  expect(Object.values(report.failed).every((count) => count === 0)).toBe(true);
});

test('progress is told while it runs', async () => {
  const url = await serve(answering((response) => response.writeHead(200, head).end(token.repeat(3) + done)));
  const stop = new AbortController();
  const trace = [...traceOf(1), { at: seconds(3_600), promptTokens: 1, outputTokens: 1 }];
  const told: object[] = [];
  await play(url, trace, {
    signal: stop.signal,
    onProgress(progress) {
      told.push(progress);
      if (progress.succeeded === 1) stop.abort();
    },
  });
  expect(told.at(-1)).toMatchObject({ planned: 2, sent: 1, inFlight: 0, succeeded: 1, failed: 0 });
});
