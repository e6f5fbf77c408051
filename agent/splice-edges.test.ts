import { createHash, randomBytes } from 'node:crypto';
import { connect as connectHttp2, createServer as createHttp2Server, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import { milliseconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { answersOf, arrivalsOf, type Rig, type RigOptions, startRig, sumOf } from './testing/rig.ts';

let rig: Rig | undefined;
afterEach(async () => {
  await rig?.close();
  rig = undefined;
});
const start = async (options: RigOptions): Promise<Rig> => {
  rig = await startRig(options);
  return rig;
};

/** A server that answers each request head it gets, in order, by what `answer` says. */
const answering =
  (answer: (request: string, socket: Socket) => void) =>
  (socket: Socket): void => {
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        answer(text.slice(0, end), socket);
        text = text.slice(end + 4);
      }
    });
    socket.on('end', () => socket.end());
  };
const ok = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const get = 'GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n\r\n';
const stream = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const event = (text: string): string => {
  const data = `data: {"choices":[{"delta":{"content":"${text}"}}]}\n\n`;
  return `${data.length.toString(16)}\r\n${data}\r\n`;
};
const unobserved = ({ book }: Rig) => Object.fromEntries(book.totals().unobserved);

test('a server that does not listen: the client is told so, with a reason and when to come again', async () => {
  const { book, splice, connect } = await start({ serve: undefined });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write(get);
  expect(await arrivals.end()).toBe('end');
  const answer = arrivals.bytes().toString();
  expect(answer).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
  expect(answer).toMatch(/\r\nretry-after: 1\r\nx-kubeai-reason: UpstreamRefused\r\n/);
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ error: { code: 'UpstreamRefused' } });
  client.end();
  await eventually(() => book.totals().openConnections === 0);
  expect({ failed: sumOf(book.totals(), 'failed'), refused: splice.refused, open: book.open }).toEqual({
    failed: 1,
    refused: 1,
    open: 0,
  });
});

test('a server that does not listen: a client of another protocol finds the door closed', async () => {
  const { connect } = await start({ serve: undefined });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write(Buffer.from([0x16, 0x03, 0x01, 0x00]));
  expect(await arrivals.end()).toBe('reset');
  expect(arrivals.bytes().length).toBe(0);
});

test('a server killed in the middle of a stream: the client sees a broken connection, not an end', async () => {
  const sockets: Socket[] = [];
  const { book, connect } = await start({
    serve: answering((_request, socket) => {
      sockets.push(socket);
      socket.write(stream + event('a'));
    }),
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write(get);
  await arrivals.text('"a"');
  sockets[0]!.resetAndDestroy();
  expect(await arrivals.end()).toBe('reset');
  await eventually(() => book.open === 0);
  expect({ failed: sumOf(book.totals(), 'failed'), aborted: sumOf(book.totals(), 'aborted') }).toEqual({
    failed: 1,
    aborted: 0,
  });
});

test('a client that leaves a stream: the server learns it, and nothing stays in flight', async () => {
  let left = false;
  const { book, connect } = await start({
    serve: answering((_request, socket) => {
      socket.on('close', () => {
        left = true;
      });
      socket.write(stream + event('a'));
    }),
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.write(get);
  await arrivals.text('"a"');
  expect(book.inFlight).toBe(1);
  client.destroy();
  await eventually(() => left && book.open === 0, 'the server to learn it');
  expect({ failed: sumOf(book.totals(), 'failed'), aborted: sumOf(book.totals(), 'aborted') }).toEqual({
    failed: 0,
    aborted: 1,
  });
});

test('a client that closes its half still gets its answer', async () => {
  const { book, connect } = await start({
    serve(socket) {
      socket.resume().on('end', () => socket.end(ok));
    },
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.end(get);
  expect(await arrivals.end()).toBe('end');
  expect(arrivals.bytes().toString()).toBe(ok);
  await eventually(() => book.totals().openConnections === 0);
  expect(answersOf(book.totals())).toEqual({ '2xx': 1 });
});

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
  expect(unobserved(rig!)).toEqual({});
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
  expect(unobserved(rig!)).toEqual({ Upgraded: 1 });
  expect(answersOf(book.totals())).toEqual({ '1xx': 1 });
  expect(book.open).toBe(0);
});

test('a stream tells its first token, the gaps and how many', async () => {
  const { book, connect } = await start({
    serve: answering((_request, socket) => {
      const usage = 'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":9}}\n\n';
      socket.write(stream + event('a') + event('b'));
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
    expect(unobserved(rig!)).toEqual(expected);
  }
  expect(answersOf(book.totals())).toEqual({ '2xx': 1 });
});

test('a reader that does not read holds the writer up instead of filling memory', async () => {
  let written = 0;
  let stalled = false;
  const block = randomBytes(256 * 1024);
  const total = 128 * block.length;
  const { connect } = await start({
    serve: answering((_request, socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`);
      const more = () => {
        while (written < total) {
          written += block.length;
          if (!socket.write(block)) {
            stalled = true;
            socket.once('drain', more);
            return;
          }
        }
      };
      more();
    }),
  });
  const client = connect();
  client.write(get);
  client.pause();
  await eventually(() => stalled && written > 0);
  // Kernel buffers of two connections take a few MB; the rest stays with the server.
  let before = -1;
  while (before !== written) {
    before = written;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(written).toBeLessThan(total / 2);
  let received = 0;
  const arrived = createHash('sha256');
  client.on('data', (chunk: Buffer) => {
    received += chunk.length;
    arrived.update(chunk);
  });
  client.resume();
  const head = `HTTP/1.1 200 OK\r\nContent-Length: ${total}\r\n\r\n`;
  await eventually(() => received >= head.length + total, 'the whole body');
  const sent = createHash('sha256').update(head);
  for (let at = 0; at < total; at += block.length) sent.update(block);
  // Every byte, although the agent's own buffers were full all the while.
  expect(arrived.digest('hex')).toBe(sent.digest('hex'));
});

/** Writes small pieces, each in a turn of its own, so that each is read by itself, into a buffer that is mostly empty. */
async function writePieces(socket: Socket, pieces: number, onStall: () => void): Promise<string> {
  const sent = createHash('sha256');
  for (let written = 0; written < pieces; written += 1) {
    const piece = randomBytes(1_000);
    sent.update(piece);
    if (socket.write(piece)) await new Promise((resolve) => setImmediate(resolve));
    else {
      onStall();
      await new Promise((resolve) => socket.once('drain', resolve));
    }
  }
  return sent.digest('hex');
}

/** Reads nothing until told, then everything. */
function readPieces(socket: Socket): { begin(): void; received: number; digest(): string } {
  const arrived = createHash('sha256');
  socket.pause();
  const pieces = {
    received: 0,
    begin() {
      socket.on('data', (chunk: Buffer) => {
        pieces.received += chunk.length;
        arrived.update(chunk);
      });
      socket.resume();
    },
    digest: () => arrived.digest('hex'),
  };
  return pieces;
}

const pieces = 12_000;

test('small pieces of an answer that a full socket did not take at once are not overwritten by the next ones', async () => {
  let stalled = false;
  let sent: Promise<string> | undefined;
  const { connect } = await start({
    serve: answering((_request, socket) => {
      sent = writePieces(socket, pieces, () => {
        stalled = true;
      });
    }),
  });
  const client = connect();
  client.write(get);
  const reading = readPieces(client);
  await eventually(() => stalled, 'the kernel to be full');
  reading.begin();
  await eventually(() => reading.received === pieces * 1_000, 'all pieces');
  expect(reading.digest()).toBe(await sent);
});

test.each([undefined, 1])('nor are those of a request, under a limit of %s', async (limit) => {
  let stalled = false;
  let server: Socket | undefined;
  const { connect } = await start({
    ...(limit === undefined ? {} : { limit }),
    serve(socket) {
      socket.pause();
      server = socket;
    },
  });
  const client = connect();
  const head = `POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ${pieces * 1_000}\r\n\r\n`;
  client.write(head);
  const sent = writePieces(client, pieces, () => {
    stalled = true;
  });
  await eventually(() => stalled && server !== undefined, 'the kernel to be full');
  const arrivals = arrivalsOf(server!);
  server!.resume();
  await arrivals.length(head.length + pieces * 1_000);
  expect(createHash('sha256').update(arrivals.bytes().subarray(head.length)).digest('hex')).toBe(await sent);
});

test('requests that wait behind another under a limit keep their bytes while others are read', async () => {
  const answers: (() => void)[] = [];
  const heads: string[] = [];
  const { connect } = await start({
    limit: 1,
    serve: answering((request, socket) => {
      heads.push(request);
      answers.push(() => socket.write(ok));
    }),
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  const asked = ['first', 'second', 'third'].map((name) => `GET /v1/${name} HTTP/1.1\r\nHost: a`);
  for (const head of asked) {
    client.write(`${head}\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let at = 0; at < asked.length; at += 1) {
    await eventually(() => answers.length > at, 'the next request');
    answers[at]!();
  }
  await arrivals.length(asked.length * ok.length);
  expect(heads).toEqual(asked);
});

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
  const { book, connect, splice } = await start({ serve: (socket) => void http2.emit('connection', socket) });
  void connect;
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
  expect({ open: book.open, unobserved: unobserved(rig!) }).toEqual({ open: 0, unobserved: {} });
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
  expect(unobserved(rig!)).toEqual({});
  await new Promise<void>((resolve) => session.close(resolve));
  http2.close();
});

test('under a limit requests reach the server one at a time, in order', async () => {
  const arrived: string[] = [];
  const waiting: (() => void)[] = [];
  const { book, gate, connect } = await start({
    limit: 1,
    serve: answering((request, socket) => {
      arrived.push(/\/(\w+)/.exec(request)![1]!);
      waiting.push(() => socket.write(ok));
    }),
  });
  const clients = ['a', 'b', 'c', 'd'].map((name) => ({ name, socket: connect() }));
  const answers = clients.map(({ socket }) => arrivalsOf(socket));
  for (const [at, { name, socket }] of clients.entries()) {
    socket.write(`POST /${name} HTTP/1.1\r\nContent-Length: 5\r\n\r\nhe`);
    await eventually(() => book.inFlight === at + 1, `${name} to be seen`);
    socket.write('llo');
  }
  await eventually(() => arrived.length === 1);
  expect({ inside: gate!.inside, waiting: gate!.waiting }).toEqual({ inside: 1, waiting: 3 });
  // A probe needs no place.
  const probe = connect();
  probe.write('GET /health HTTP/1.1\r\n\r\n');
  await eventually(() => arrived.includes('health'), 'the probe');
  waiting[1]!();
  // The second gives up: its place in the queue goes with it.
  clients[1]!.socket.destroy();
  await eventually(() => gate!.waiting === 2, 'two to wait');
  for (const [at, turn] of [
    [0, 0],
    [2, 2],
    [3, 3],
  ] as const) {
    await eventually(() => waiting.length > turn, `turn ${turn}`);
    waiting[turn]!();
    await answers[at]!.length(ok.length);
  }
  expect(arrived).toEqual(['a', 'health', 'c', 'd']);
  await eventually(() => gate!.inside === 0);
  expect({ aborted: sumOf(book.totals(), 'aborted'), answers: answersOf(book.totals()) }).toEqual({
    aborted: 1,
    answers: { '2xx': 4 },
  });
});

test('who waits too long, or finds the queue full, is told so', async () => {
  const { book, gate, connect } = await start({
    limit: 1,
    maxQueued: 1,
    deadline: milliseconds(50),
    serve: answering(() => undefined),
  });
  const first = connect();
  first.write(get);
  await eventually(() => gate!.inside === 1);
  const second = arrivalsOf(
    connect().on('connect', function write(this: Socket) {
      this.write(get);
    }),
  );
  await eventually(() => gate!.waiting === 1);
  const third = arrivalsOf(
    connect().on('connect', function write(this: Socket) {
      this.write(`POST /generate HTTP/1.1\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`);
    }),
  );
  expect(await third.end()).toBe('end');
  expect(third.bytes().toString()).toContain('x-kubeai-reason: QueueFull');
  expect(await second.end()).toBe('end');
  expect(second.bytes().toString()).toContain('x-kubeai-reason: QueueTimeout');
  expect(second.bytes().toString()).toMatch(/^HTTP\/1\.1 503 .*\r\nretry-after: 1\r\n/);
  expect({ rejected: sumOf(book.totals(), 'rejected'), inFlight: book.inFlight }).toEqual({ rejected: 2, inFlight: 1 });
});

test('a place is given back when the server dies', async () => {
  const sockets: Socket[] = [];
  const { gate, connect } = await start({
    limit: 1,
    serve: answering((_request, socket) => void sockets.push(socket)),
  });
  connect().write(get);
  await eventually(() => sockets.length === 1);
  connect().write(get);
  await eventually(() => gate!.waiting === 1);
  sockets[0]!.resetAndDestroy();
  await eventually(() => sockets.length === 2, 'the next one to be let in');
  expect({ inside: gate!.inside, waiting: gate!.waiting }).toEqual({ inside: 1, waiting: 0 });
});
