import { expect, test } from '@jest/globals';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { answering, event, get, ok, streamHead } from './testing/answering.ts';
import { answersOf, arrivalsOf, rigOfEachTest, unobservedOf } from './testing/rig.ts';

const start = rigOfEachTest();

test('an answer that comes before the request is complete counts, and the next request is told apart', async () => {
  const { book, connect } = await start({
    serve: answering((request, socket) => void (request.includes('HTTP/1.1') && socket.write(ok))),
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write('POST /generate HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello');
  await arrivals.length(ok.length);
  expect(answersOf(book.totals())).toEqual({ '2xx': 1 });
  client.write(`world${get}`);
  await arrivals.length(2 * ok.length);
  expect(answersOf(book.totals())).toEqual({ '2xx': 2 });
  expect(unobservedOf(book.totals())).toEqual({});
});

test('a WebSocket passes both ways, counted as upgraded', async () => {
  const { book, connect } = await start({
    serve: answering((_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x02hi');
      socket.removeAllListeners('data').on('data', (chunk: Buffer) => socket.write(chunk));
    }),
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write('GET /ws HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n');
  await arrivals.text('\x02hi');
  client.write(Buffer.from('\x81\x03GET', 'latin1'));
  await arrivals.text('\x03GET');
  expect(unobservedOf(book.totals())).toEqual({ Upgraded: 1 });
  expect(answersOf(book.totals())).toEqual({ '1xx': 1 });
  expect(book.open).toBe(0);
});

test('a stream tells its first token, the gaps and how many', async () => {
  const { book, connect } = await start({
    serve: answering((_request, socket) => {
      const usage = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n';
      socket.write(streamHead + event('a') + event('b'));
      setImmediate(() =>
        socket.write(`${event('c')}${usage.length.toString(16)}\r\n${usage}\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n`),
      );
    }),
  });
  const client = connect();
  client.write(get);
  await arrivalsOf(client).text('0\r\n\r\n');
  const traffic = book.closeWindow(book.totals().openConnections + 1e6);
  expect(traffic).toMatchObject({ finished: { '2xx': 1 }, promptTokens: 7, generatedTokens: 9 });
  const counted = (sketch: { readonly low?: number; readonly bins: readonly number[] }) =>
    (sketch.low ?? 0) + sketch.bins.reduce((sum, value, at) => sum + (at % 2 === 1 ? value : 0), 0);
  expect(counted(traffic.timeToFirstTokenMs)).toBe(1);
  expect(counted(traffic.latencyMs)).toBe(1);
  // Two events in the first chunk are one moment; how TCP joins the rest is not ours to say.
  expect(counted(traffic.interTokenMs)).toBeGreaterThanOrEqual(1);
});

test('probes and scrapes are not load', async () => {
  const { book, connect } = await start({ serve: answering((_request, socket) => socket.write(ok)) });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write(
    'GET /health HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\nGET /any HTTP/1.1\r\nUser-Agent: kube-probe/1.31\r\n\r\nGET /v1/models HTTP/1.1\r\n\r\n',
  );
  await arrivals.length(4 * ok.length);
  expect(book.closeWindow(1e9)).toMatchObject({ started: 0, finished: {}, inFlight: 0 });
  expect(answersOf(book.totals())).toEqual({ '2xx': 4 });
});

test('slow heads of many clients are kept within bounds, and others are served', async () => {
  const { book, connect } = await start({ serve: answering((_request, socket) => socket.write(ok)) });
  const slow = Array.from({ length: 200 }, () => connect());
  for (const socket of slow) socket.write('GET / HTTP/1.1\r\nX-Slow: ');
  await eventually(() => book.totals().connections === 200);
  const client = connect();
  client.write(get);
  await arrivalsOf(client).length(ok.length);
  expect(answersOf(book.totals())).toEqual({ '2xx': 1 });
  expect(book.open).toBe(0);
});

test('a head line of 64 KiB is read; what is longer passes unobserved', async () => {
  const { book, connect } = await start({ serve: answering((_request, socket) => socket.write(ok)) });
  for (const [length, expected] of [
    [64 * 1024, {}],
    [100 * 1024, { TooLong: 1 }],
  ] as const) {
    const client = connect();
    client.write(`GET / HTTP/1.1\r\nX-Long: ${'x'.repeat(length)}\r\n\r\n`);
    await arrivalsOf(client).length(ok.length);
    expect(unobservedOf(book.totals())).toEqual(expected);
  }
  expect(answersOf(book.totals())).toEqual({ '2xx': 1 });
});
