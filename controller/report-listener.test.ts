// The door against OpenSSL as a client: what is let in, what is cut, and that nothing is lost or changed on the way.
import { once } from 'node:events';
import { type AddressInfo, connect as connectPlain, createServer, type Socket } from 'node:net';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type CertificateState, ensureCertificates, type SecretStore } from '@kubeai/certificates';
import { createClock, createLog, createManualClock, type ManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import type { Guest } from './handshake.ts';
import { limits } from './limits.ts';
import { type ReportListener, serveReports } from './report-listener.ts';
import type { SecureLine } from './secure-line.ts';

let identity: CertificateState & { readonly authority: Readonly<Record<string, string>> };
let ca: string;
let clock: ManualClock;
let listener: ReportListener;
let receive: (guest: Guest) => void;
let sockets: Socket[];
/** What was heard on lines, in order. */
let heard: string[];

/** What a controller shows; of the same authority where that is given. */
async function createIdentity(authority?: Readonly<Record<string, string>>) {
  let data = authority;
  const store: SecretStore = {
    read: async () => (data === undefined ? undefined : { version: '1', data }),
    async create(made) {
      data = made;
      return true;
    },
    replace: async () => false,
  };
  const log = createLog({ level: 'silent', name: 'test' });
  const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock: createClock(), log });
  certificates.stop();
  return { ...certificates.current(), authority: data! };
}

beforeAll(async () => {
  identity = await createIdentity();
  ca = identity.bundle;
});
beforeEach(async () => {
  clock = createManualClock();
  sockets = [];
  heard = [];
  receive = (guest) =>
    guest.letIn(
      'test',
      listen(() => undefined),
    );
  listener = await serveReports((guest) => receive(guest), identity, { clock, host: '127.0.0.1', port: 0 });
});
afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  const drained = listener.drain(milliseconds(0));
  await clock.advance(seconds(1));
  await drained;
});

/** Notes what is heard, and has `answer` do with it what it likes. */
const listen = (answer: (line: SecureLine, text: string) => void) => (line: SecureLine) => ({
  text(chunk: Buffer) {
    heard.push(chunk.toString());
    answer(line, chunk.toString());
  },
  ended: () => line.end('ended\n'),
  closed: () => void heard.push('closed'),
});

interface Client {
  readonly socket: Socket;
  text(): string;
  closed(): boolean;
}

function follow(socket: Socket): Client {
  sockets.push(socket);
  let text = '';
  let closed = false;
  socket.on('data', (chunk) => {
    text += chunk;
  });
  socket
    .on('error', () => undefined)
    .on('close', () => {
      closed = true;
    });
  return { socket, text: () => text, closed: () => closed };
}

async function dial(options: ConnectionOptions = {}): Promise<Client> {
  const socket = connect({ host: '127.0.0.1', port: listener.port, ca, servername: 'kubeai-controller', ...options });
  const client = follow(socket);
  await new Promise((resolve) => socket.once('secureConnect', resolve).once('close', resolve));
  return client;
}

const ask = 'GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: test\r\n\r\n';

async function enter(options?: ConnectionOptions): Promise<Client> {
  const client = await dial(options);
  client.socket.write(ask);
  await eventually(() => client.text().endsWith('\r\n\r\n'));
  return client;
}

test('long texts pass whole in both directions, and both sides take leave', async () => {
  receive = (guest) =>
    guest.letIn(
      'test',
      listen((line, text) => line.write(text)),
    );
  const { socket, text, closed } = await enter();
  const long = 'report '.repeat(10_000);
  socket.write(long);
  await eventually(() => text().length >= long.length + 60);
  expect(text().split('\r\n\r\n')[1]).toBe(long);
  expect(heard.join('')).toBe(long);
  socket.end();
  await eventually(closed);
  expect(text().endsWith('ended\n')).toBe(true);
  await eventually(() => heard.at(-1) === 'closed');
});

test('what many say at the same time is taken apart, and stays as it was said', async () => {
  const said = new Map<string, string>();
  let lines = 0;
  receive = (guest) => {
    const name = `line ${lines++}`;
    guest.letIn('test', (line) => {
      said.set(name, '');
      return {
        text: (chunk) => void said.set(name, said.get(name)! + chunk),
        ended: () => line.end(''),
        closed: () => undefined,
      };
    });
  };
  const clients = await Promise.all(Array.from({ length: 8 }, () => enter()));
  // Longer than what is read at once, in pieces that end within a record.
  const texts = clients.map((_, number) => `${number}`.repeat(3 * limits.readBytes + 4_321));
  for (const [number, { socket }] of clients.entries()) socket.write(texts[number]!);
  await eventually(() => [...said.values()].every((text) => text.length >= texts[0]!.length));
  expect([...said.values()].sort()).toEqual(texts.sort());
});

test('a drain waits for who is connected, and cuts them at its deadline', async () => {
  const { closed } = await enter();
  let drained = false;
  const draining = listener.drain(seconds(2)).then(() => {
    drained = true;
  });
  await clock.advance(seconds(1));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect([drained, closed()]).toEqual([false, false]);
  await clock.advance(seconds(1));
  await draining;
  await eventually(closed);
});

test('a handshake over another curve ends with counters that fit, too', async () => {
  const { socket } = await enter({ ecdhCurve: 'P-521:P-256' });
  socket.write('one\n');
  await eventually(() => heard.length > 0);
  expect(heard).toEqual(['one\n']);
});

test('who speaks before it was let in is cut', async () => {
  let guests = 0;
  receive = () => {
    guests += 1;
  };
  const { socket, closed } = await dial();
  socket.write(`${ask}too early\n`);
  await eventually(closed);
  expect(guests).toBe(0);
});

test('an answer without being let in is a whole answer of HTTP', async () => {
  receive = (guest) => guest.turnAway(401, { 'content-type': 'text/plain' }, 'no\n');
  const { socket, text, closed } = await dial();
  socket.write(ask);
  await eventually(closed);
  expect(text()).toBe(
    'HTTP/1.1 401 Unauthorized\r\ncontent-type: text/plain\r\nconnection: close\r\ncontent-length: 3\r\n\r\nno\n',
  );
});

test.each<[string, () => Promise<Client>]>([
  ['a client of TLS 1.2', () => dial({ maxVersion: 'TLSv1.2' })],
  ['a client with other suites only', () => dial({ ciphers: 'TLS_CHACHA20_POLY1305_SHA256' })],
  [
    'a client without TLS',
    async () => {
      const client = follow(connectPlain(listener.port, '127.0.0.1'));
      client.socket.write(ask);
      return client;
    },
  ],
  [
    'a client that writes bytes of its own into the connection',
    async () => {
      const under = connectPlain(listener.port, '127.0.0.1');
      const client = await enter({ socket: under } as ConnectionOptions);
      under.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 40]), Buffer.alloc(40, 1)]));
      return client;
    },
  ],
  [
    'a client that repeats a record',
    async () => {
      // Somebody on the way who says again what was said.
      const relay = createServer((near) => {
        const far = connectPlain(listener.port, '127.0.0.1');
        sockets.push(near, far);
        near.on('data', (chunk) => far.write(heard.length === 0 && entered ? Buffer.concat([chunk, chunk]) : chunk));
        far.on('error', () => undefined).pipe(near.on('error', () => undefined));
      }).listen(0, '127.0.0.1');
      await once(relay, 'listening');
      let entered = false;
      const client = await enter({ port: (relay.address() as AddressInfo).port });
      entered = true;
      client.socket.write('once\n');
      relay.close();
      return client;
    },
  ],
])('%s is cut', async (who, come) => {
  const { closed } = await come();
  await eventually(closed);
  expect(heard.filter((text) => text !== 'closed')).toEqual(who.includes('repeats') ? ['once\n'] : []);
});

test('who begins and does not go on is cut when its time is over, and keeps nobody waiting for ever', async () => {
  const silent = follow(connectPlain(listener.port, '127.0.0.1'));
  const halfway = await dial();
  halfway.socket.write('GET / HTTP/1.1\r\n');
  // The controller has seen both when it has served a third.
  await enter();
  await clock.advance(milliseconds(limits.greeting - 1));
  expect([silent.closed(), halfway.closed()]).toEqual([false, false]);
  await clock.advance(seconds(1));
  await eventually(() => silent.closed() && halfway.closed());
});

test('two thousand who say nothing, or not a whole word, keep no agent waiting', async () => {
  const silent = Array.from({ length: 2_000 }, () => follow(connectPlain(listener.port, '127.0.0.1')));
  for (const { socket } of silent.slice(0, 200)) socket.write(Buffer.from([22, 3, 1, 2, 0, 1]));
  await Promise.all(silent.map(({ socket }) => socket.connecting && once(socket, 'connect')));
  const { socket } = await enter();
  socket.write('one\n');
  await eventually(() => heard.includes('one\n'));
  expect(silent.filter(({ closed }) => closed())).toEqual([]);
  await clock.advance(milliseconds(limits.greeting));
  await eventually(() => silent.every(({ closed }) => closed()));
  expect(socket.destroyed).toBe(false);
});

test('who says too much before its turn is cut', async () => {
  const { socket, closed } = follow(connectPlain(listener.port, '127.0.0.1'));
  socket.write(Buffer.concat([Buffer.from([22, 3, 1, 0x40, 0]), Buffer.alloc(limits.helloBytes)]));
  await eventually(closed);
});

test('a new certificate is shown to who comes next', async () => {
  const shown = async () => ((await enter()).socket as TLSSocket).getPeerCertificate().fingerprint256;
  const first = await shown();
  const other = await createIdentity();
  ca += other.bundle;
  listener.setIdentity(other);
  expect(await shown()).not.toBe(first);
});

test.each([
  ['resumed by another controller of the authority, with a certificate of its own', true],
  ['begun anew where the authority is another', false],
])('a session is %s', async (_, same) => {
  const before = await dial();
  const [session] = (await once(before.socket, 'session')) as [Buffer];
  const other = await createIdentity(same ? identity.authority : undefined);
  listener.setIdentity(other);
  const { socket } = await enter({ session, ca: other.bundle });
  expect((socket as TLSSocket).isSessionReused()).toBe(same);
  // The counters fit.
  socket.write('one\n');
  socket.write('two\n');
  await eventually(() => heard.join('') === 'one\ntwo\n');
});
