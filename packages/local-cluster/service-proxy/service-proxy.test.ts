import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from '@jest/globals';
import type { EndpointSlice } from '../workloads/objects.ts';
import { createRotation } from './endpoint-choice.ts';
import { splice, type Target } from './splice.ts';

const slice = (portName: string, port: number, ...endpoints: [string, boolean, boolean][]): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name: 's' },
  addressType: 'IPv4',
  endpoints: endpoints.map(([address, serving, terminating]) => ({
    addresses: [address],
    conditions: { ready: serving && !terminating, serving, terminating },
  })),
  ports: [{ name: portName, port }],
});

test.each<[string, EndpointSlice[], string[]]>([
  ['only ready ones', [slice('http', 80, ['a', true, false], ['b', false, false], ['c', true, true])], ['a:80']],
  ['leaving ones when nobody is ready', [slice('http', 80, ['b', false, false], ['c', true, true])], ['c:80']],
  ['nobody', [slice('http', 80, ['b', false, false])], []],
  [
    'each slice with its own port',
    [slice('http', 80, ['a', true, false]), slice('http', 81, ['b', true, false])],
    ['a:80', 'b:81'],
  ],
  ['only ports of the name', [slice('admin', 90, ['a', true, false])], []],
])('a connection may go to %s', (_case, slices, expected) => {
  const { order } = createRotation();
  expect(order(slices, 'http').map(({ address, port }) => `${address}:${port}`)).toEqual(expected);
});

test('connections take the endpoints in turn, each with the others to fall back on', () => {
  const rotation = createRotation();
  const slices = [slice('', 80, ['a', true, false], ['b', true, false])];
  const orders = [1, 2, 3].map(() => rotation.order(slices, '').map(({ address }) => address));
  expect(orders).toEqual([
    ['a', 'b'],
    ['b', 'a'],
    ['a', 'b'],
  ]);
});

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const one of open.splice(0)) 'destroy' in one ? one.destroy() : one.close();
});

async function listening(handle: (socket: Socket) => void): Promise<Target> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.push(socket);
    handle(socket);
  });
  open.push(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

const proxyTo = (...targets: Target[]) => listening((socket) => splice(socket, targets, () => undefined));

async function refusing(): Promise<Target> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return { address: '127.0.0.1', port };
}

function dial({ address, port }: Target): Socket {
  const socket = connect({ host: address, port, allowHalfOpen: true });
  open.push(socket);
  return socket;
}

/** All that arrives until the other side has said its last word; the connection stays open for our own. */
async function wordsFrom(socket: Socket): Promise<string> {
  let words = '';
  socket.setEncoding('utf8').on('data', (more) => {
    words += more;
  });
  await once(socket, 'end');
  return words;
}

const echoAfterEnd = (socket: Socket) => {
  wordsFrom(socket).then(
    (words) => socket.end(`heard ${words}`),
    () => socket.destroy(),
  );
};

test('a refusing endpoint is passed over, and a closed half still gets its answer', async () => {
  const proxy = await proxyTo(await refusing(), await listening(echoAfterEnd));
  const client = dial(proxy);
  client.end('hello');
  expect(await wordsFrom(client)).toBe('heard hello');
});

test('without an endpoint the connection is reset', async () => {
  const client = dial(await proxyTo(await refusing()));
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

test('an endpoint that breaks off resets the client instead of ending its answer', async () => {
  const proxy = await proxyTo(await listening((socket) => socket.write('half', () => socket.resetAndDestroy())));
  const client = dial(proxy);
  client.resume();
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNRESET');
});

test('a client that goes away takes its upstream connection with it', async () => {
  const arrived: Socket[] = [];
  const proxy = await proxyTo(
    await listening((socket) => {
      arrived.push(socket);
      socket.on('error', () => undefined);
      socket.write('first');
    }),
  );
  const client = dial(proxy);
  await once(client, 'data');
  const closed = new Promise((resolve) => arrived[0]!.once('close', resolve));
  client.resetAndDestroy();
  await closed;
  expect(arrived[0]!.destroyed).toBe(true);
});

test('a slow reader holds the writer back', async () => {
  const size = 32 * 1024 * 1024;
  let stalled = false;
  const proxy = await proxyTo(
    await listening((socket) => {
      const chunk = Buffer.alloc(64 * 1024);
      let sent = 0;
      const more = () => {
        while (sent < size) {
          sent += chunk.length;
          if (!socket.write(chunk)) {
            stalled = true;
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    }),
  );
  const client = dial(proxy);
  let received = 0;
  client.on('data', (bytes) => {
    received += bytes.length;
  });
  await once(client, 'end');
  client.end();
  expect({ received, stalled }).toEqual({ received: size, stalled: true });
});
