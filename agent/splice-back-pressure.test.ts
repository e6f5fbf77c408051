import { createHash, randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { answering, get } from './testing/answering.ts';
import { arrivalsOf, rigOfEachTest } from './testing/rig.ts';

const start = rigOfEachTest();

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
