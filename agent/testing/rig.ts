// A splice between a raw server and raw clients, all on loopback: what arrives is compared byte for byte.

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach } from '@jest/globals';
import { createClock, createLog } from '@kubeai/daemon';
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { createGate, type Gate } from '../gate.ts';
import { type Splice, startSplice } from '../splice.ts';
import { createTrafficBook, type Totals, type TrafficBook } from '../traffic.ts';

const host = '127.0.0.1';

export interface Rig {
  readonly book: TrafficBook;
  readonly splice: Splice;
  readonly gate: Gate | undefined;
  readonly serverPort: number;
  /** A client's connection to the agent. */
  connect(): Socket;
  close(): Promise<void>;
}

export interface RigOptions {
  /** What the model server does with a connection; absent: nobody listens. */
  readonly serve: ((socket: Socket) => void) | undefined;
  readonly limit?: number;
  readonly maxQueued?: number;
  readonly deadline?: Milliseconds;
}

async function startRig({ serve, limit, maxQueued = 100, deadline = milliseconds(5_000) }: RigOptions): Promise<Rig> {
  const clock = createClock();
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    // Resets are part of what is tested; whoever expects one listens for it.
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    return socket;
  };
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => serve?.(keep(socket)));
  await listen(server);
  const serverPort = (server.address() as AddressInfo).port;
  if (serve === undefined) await new Promise((resolve) => server.close(resolve));
  const book = createTrafficBook(clock.monotonic());
  const gate = limit === undefined ? undefined : createGate({ limit, maxQueued, deadline }, clock);
  const splice = await startSplice({
    listen: { host, port: 0 },
    upstream: { host, port: serverPort },
    book,
    clock,
    log: createLog({ level: 'silent', name: 'test' }),
    gate,
  });
  return {
    // What waits to be read counts for whoever looks.
    book: new Proxy(book, {
      get(target, key) {
        splice.catchUp();
        return Reflect.get(target, key);
      },
    }),
    splice,
    gate,
    serverPort,
    connect: () => keep(connect({ host, port: splice.port, noDelay: true, allowHalfOpen: true })),
    async close() {
      for (const socket of sockets) socket.destroy();
      await splice.close();
      if (serve !== undefined) await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** How the tests of a file start their rigs: one at a time, closed after each test. */
export function rigOfEachTest(): (options: RigOptions) => Promise<Rig> {
  let rig: Rig | undefined;
  afterEach(async () => {
    await rig?.close();
    rig = undefined;
  });
  return async (options) => {
    rig = await startRig(options);
    return rig;
  };
}

const listen = (server: Server): Promise<void> => new Promise((resolve) => server.listen(0, host, resolve));

/** Everything that arrives on a socket, and how to wait for some of it. */
export interface Arrivals {
  bytes(): Buffer;
  /** Resolves when so many bytes have arrived in all; rejects when the socket ends before. */
  length(wanted: number): Promise<void>;
  /** Resolves when the text has arrived. */
  text(wanted: string): Promise<void>;
  /** Resolves when the other side has closed, cleanly or not. */
  end(): Promise<'end' | 'reset'>;
}

export function arrivalsOf(socket: Socket): Arrivals {
  const chunks: Buffer[] = [];
  let length = 0;
  let ended: 'end' | 'reset' | undefined;
  const waiting = new Set<() => void>();
  const wake = () => {
    for (const check of [...waiting]) check();
  };
  socket.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    length += chunk.length;
    wake();
  });
  socket.on('end', () => {
    ended ??= 'end';
    wake();
  });
  socket.on('close', () => {
    ended ??= 'reset';
    wake();
  });
  const bytes = () => Buffer.concat(chunks);
  const until = (done: () => boolean, what: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = () => {
        if (done()) {
          waiting.delete(check);
          resolve();
        } else if (ended !== undefined) {
          waiting.delete(check);
          reject(
            new Error(
              `the connection ended (${ended}) before ${what}; it brought ${JSON.stringify(bytes().toString('latin1').slice(0, 500))}`,
            ),
          );
        }
      };
      waiting.add(check);
      check();
    });
  return {
    bytes,
    length: (wanted) => until(() => length >= wanted, `${wanted} bytes arrived (${length} did)`),
    text: (wanted) => until(() => bytes().includes(wanted), JSON.stringify(wanted)),
    async end() {
      await until(() => ended !== undefined, 'its end');
      return ended!;
    },
  };
}

/** Sum over routes of the answers by status class. */
export function answersOf(totals: Totals): Record<string, number> {
  const answers: Record<string, number> = {};
  for (const { statuses } of totals.routes.values())
    for (const [status, count] of statuses) answers[status] = (answers[status] ?? 0) + count;
  return answers;
}

/** How many connections are not observed, by reason. */
export const unobservedOf = (totals: Totals): Record<string, number> => Object.fromEntries(totals.unobserved);

export function sumOf(totals: Totals, what: 'failed' | 'aborted' | 'rejected'): number {
  let sum = 0;
  for (const route of totals.routes.values()) sum += route[what];
  return sum;
}

/** Writes pieces one by one, each in a turn of the loop of its own, so that TCP may deliver them apart. */
export async function writeApart(socket: Socket, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) {
    socket.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
