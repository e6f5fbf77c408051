// What a concurrency limit must not break: bytes that are no plain HTTP/1, and clients that close their side.
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { ok } from './testing/answering.ts';
import { answersOf, arrivalsOf, rigOfEachTest, sumOf } from './testing/rig.ts';

const start = rigOfEachTest();
const startLimited = (serve: (socket: Socket) => void) => start({ limit: 1, serve });
const ask = (path: string) => `POST ${path} HTTP/1.1\r\nContent-Length: 0\r\n\r\n`;

test.each([
  ['at once', ['GET / HTTP/1.1\nHost: a\n\n']],
  ['in pieces', ['GET / HTTP/1.1', '\n', 'Host: a\n', '\n']],
  ['behind a line that has one', ['GET / HTTP/1.1\r\nHost: a\r\n\n']],
])('a head whose lines end without carriage return passes, %s, though its end is never found', async (_how, pieces) => {
  const whole = pieces.join('');
  const { book, connect } = await startLimited((socket) => {
    const arrivals = arrivalsOf(socket);
    void arrivals.length(whole.length).then(() => socket.end(arrivals.bytes()));
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  for (const piece of pieces) {
    client.write(piece);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await arrivals.end();
  expect(arrivals.bytes().toString()).toBe(whole);
  expect(Object.fromEntries(book.totals().unobserved)).toEqual({ NotHttp: 1 });
});

test('who sends several requests and closes gets all answers, and then the server learns of the end', async () => {
  const seen: string[] = [];
  const { book, connect } = await startLimited((socket) => {
    socket.on('data', (chunk: Buffer) => {
      seen.push(/\/\w/.exec(chunk.toString())![0]);
      setTimeout(() => socket.write(ok), 20);
    });
    socket.on('end', () => {
      seen.push('end');
      setTimeout(() => socket.end(), 40);
    });
  });
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.end(ask('/a') + ask('/b') + ask('/c'));
  expect(await arrivals.end()).toBe('end');
  expect(arrivals.bytes().toString()).toBe(ok + ok + ok);
  expect(seen).toEqual(['/a', '/b', '/c', 'end']);
  await eventually(() => book.totals().openConnections === 0);
  expect(answersOf(book.totals())).toEqual({ '2xx': 3 });
});

test('who closes while its only request waits for a place is not waited for', async () => {
  const paths: string[] = [];
  const { book, connect } = await startLimited((socket) => {
    socket.on('data', (chunk: Buffer) => paths.push(/\/\w/.exec(chunk.toString())![0]));
  });
  connect().write(ask('/a'));
  await eventually(() => paths.length === 1);
  const client = connect();
  const arrivals = arrivalsOf(client);
  client.end(ask('/b'));
  await arrivals.end();
  await eventually(() => sumOf(book.totals(), 'aborted') === 1);
  expect(paths).toEqual(['/a']);
});
