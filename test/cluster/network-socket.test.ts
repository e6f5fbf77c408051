// The door into the cluster's network, without a cluster: here, inside and outside are the same network.
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Forward, forward, serveNetwork } from './network-socket.ts';

let directory: string;
let path: string;
let door: Server;
const forwards: Forward[] = [];
const echo = createServer({ allowHalfOpen: true }, (socket) => socket.on('error', () => undefined).pipe(socket));
const portOf = (server: typeof echo) => (server.address() as { port: number }).port;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'network-socket-'));
  path = join(directory, 'network.sock');
  door = await serveNetwork(path);
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  for (const each of forwards) await each.close();
  door.close();
  echo.close();
  await rm(directory, { recursive: true });
});

async function opened(port: number): Promise<Forward> {
  const made = await forward(path, { host: '127.0.0.1', port });
  forwards.push(made);
  return made;
}

const everything = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    socket.on('data', (chunk) => {
      text += String(chunk);
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(text));
  });

test('what is sent comes through whole and in order, both ways', async () => {
  const { port } = await opened(portOf(echo));
  const sent = Array.from({ length: 20_000 }, (_, index) => `line ${index}\n`).join('');
  const socket = connect(port, '127.0.0.1');
  const received = everything(socket);
  socket.end(sent);
  expect(await received).toBe(sent);
});

test('a place where nobody listens ends the connection', async () => {
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve));
  const gone = portOf(closed);
  await new Promise((resolve) => closed.close(resolve));
  const { port } = await opened(gone);
  expect(await everything(connect(port, '127.0.0.1'))).toBe('');
});

test('a connection that never says where it wants to go is ended', async () => {
  const socket = connect(path);
  const received = everything(socket);
  socket.write('x'.repeat(1_000));
  expect(await received).toBe('');
});

test('a port that is taken is told', async () => {
  await expect(forward(path, { host: '127.0.0.1', port: 1 }, portOf(echo))).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
});
