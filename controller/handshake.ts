// The first moments of an agent's connection: OpenSSL makes the TLS handshake and node:http reads the one request, both as
// they always do, over a stream through which the records pass under our eyes. Whoever is let in goes on as a SecureLine
// with the keys and counters of that moment, and what made the handshake is given back (docs/decisions/0011).
import assert from 'node:assert';
import { createServer, type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { type SecureContext, TLSSocket } from 'node:tls';
import { contentTypes, cutRecords, directionOf, outerTypeOf } from './record-layer.ts';
import { type LineEvents, openSecureLine, type SecureLine } from './secure-line.ts';

/** One that asks to be let in. Exactly one of the two is called, once. */
export interface Guest {
  readonly request: IncomingMessage;
  /** Answers and closes. */
  turnAway(code: number, headers: Readonly<Record<string, string>>, body: string): void;
  /** Answers `101 Switching Protocols`, after which both sides may speak. `entered` is not called for a guest who is gone. */
  letIn(protocol: string, entered: (line: SecureLine) => LineEvents): void;
}

export interface Handshakes {
  /** Begins one, with what the client has said so far. `over` is called once, when its request has been read or there will
   * be none. */
  begin(socket: Socket, context: SecureContext, hello: Buffer, over: () => void): void;
}

export function createHandshakes(receive: (guest: Guest) => void): Handshakes {
  const passages = new WeakMap<object, Passage>();
  const http = createServer();
  http.on('request', (request: IncomingMessage, response: ServerResponse) => {
    passages.get(request.socket)?.over();
    receive({
      request,
      turnAway: (code, headers, body) => response.writeHead(code, { ...headers, connection: 'close' }).end(body),
      letIn: () => assert.fail('a request for no other protocol can only be answered'),
    });
  });
  http.on('upgrade', (request: IncomingMessage, _socket: Duplex, early: Buffer) => {
    const passage = passages.get(request.socket);
    assert(passage !== undefined, 'every connection came through begin');
    passage.over();
    if (!passage.hold() || early.length > 0) return void request.socket.destroy();
    receive({ request, turnAway: passage.turnAway, letIn: passage.letIn });
  });

  return {
    begin(socket, context, hello, over) {
      const { secure, passage, onData } = createPassage(socket, context, over);
      passages.set(secure, passage);
      secure.once('secure', () => http.emit('connection', secure));
      onData(hello);
    },
  };
}

interface Passage {
  over(): void;
  /** No record goes through any more; false when some already wait. */
  hold(): boolean;
  readonly turnAway: Guest['turnAway'];
  readonly letIn: Guest['letIn'];
}

const nothing = Buffer.alloc(0);

function createPassage(socket: Socket, context: SecureContext, over: () => void) {
  let state: 'open' | 'held' | 'left' = 'open';
  const secrets = new Map<string, string>();
  // Records of the handshake look like those after it. The client's first protected one is its last of the handshake, and
  // what the server protects after that one is under the keys of the application, tickets included.
  let handshakeMade = false;
  let received = 0;
  let sent = 0;
  let receivedRest: Buffer = nothing;
  let sentRest: Buffer = nothing;
  const isProtected = (record: Buffer) => outerTypeOf(record) === contentTypes.applicationData;

  const stream = new Duplex({
    read: () => void (state === 'open' && socket.resume()),
    write(chunk: Buffer, _encoding, done) {
      if (state === 'left') return done();
      if (handshakeMade) {
        const left = cutRecords(Buffer.concat([sentRest, chunk]), (record) => {
          if (isProtected(record)) sent += 1;
        });
        assert(left !== undefined, 'OpenSSL writes records');
        sentRest = left;
      }
      socket.write(chunk, done);
    },
    final: (done) => void (state === 'left' ? done() : socket.end(done)),
    destroy(cause, done) {
      if (state !== 'left') socket.destroy();
      done(cause);
    },
  });
  const secure = new TLSSocket(stream, { isServer: true, secureContext: context });
  secure.on('keylog', (line: Buffer) => {
    const [label, , secret] = line.toString('latin1').trim().split(' ');
    secrets.set(label!, secret!);
  });
  secure.on('error', () => undefined);

  const onData = (chunk: Buffer) => {
    let orderly = true;
    const left = cutRecords(Buffer.concat([receivedRest, chunk]), (record) => {
      // An agent speaks when it was let in and not before.
      if (state !== 'open') orderly = false;
      if (isProtected(record)) {
        if (handshakeMade) received += 1;
        handshakeMade = true;
      }
      if (!stream.push(record)) socket.pause();
    });
    if (left === undefined || !orderly) return void socket.destroy();
    receivedRest = left;
  };
  const onEnd = () => void stream.push(null);
  const onError = () => undefined;
  const onClose = () => {
    passage.over();
    stream.destroy();
  };
  socket.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose);

  /** The keys and counters of now, from which the socket goes on without this passage. */
  const leave = () => {
    assert(receivedRest.length === 0 && sentRest.length === 0, 'both directions stand between two records');
    state = 'left';
    socket.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose);
    const direction = (label: string, sequence: number) =>
      directionOf(Buffer.from(secrets.get(label)!, 'hex'), sequence);
    const inward = direction('CLIENT_TRAFFIC_SECRET_0', received);
    const outward = direction('SERVER_TRAFFIC_SECRET_0', sent);
    secure.destroy();
    return { inward, outward };
  };

  const passage: Passage = {
    over: once(over),
    hold() {
      state = 'held';
      socket.pause();
      return receivedRest.length === 0;
    },
    turnAway(code, headers, body) {
      const lines = Object.entries({ ...headers, connection: 'close', 'content-length': Buffer.byteLength(body) });
      const head = [statusLine(code), ...lines.map(([name, value]) => `${name}: ${value}`)].join('\r\n');
      secure.end(`${head}\r\n\r\n${body}`);
      secure.destroySoon();
    },
    letIn(protocol, entered) {
      const head = [statusLine(101), 'connection: upgrade', `upgrade: ${protocol}`].join('\r\n');
      secure.write(`${head}\r\n\r\n`, (failed) => {
        if (failed || socket.destroyed) return;
        const { inward, outward } = leave();
        openSecureLine(socket, inward, outward, entered);
        socket.resume();
      });
    },
  };
  return { secure, passage, onData };
}

const statusLine = (code: number) => `HTTP/1.1 ${code} ${STATUS_CODES[code]}`;

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (!done) action();
    done = true;
  };
}
