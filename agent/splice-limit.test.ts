import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { milliseconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { answering, get, ok } from './testing/answering.ts';
import { answersOf, arrivalsOf, rigOfEachTest, sumOf } from './testing/rig.ts';

const start = rigOfEachTest();

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
