import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { answering, event, get, ok, streamHead } from './testing/answering.ts';
import { answersOf, arrivalsOf, rigOfEachTest, sumOf } from './testing/rig.ts';

const start = rigOfEachTest();

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
      socket.write(streamHead + event('a'));
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
      socket.write(streamHead + event('a'));
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
