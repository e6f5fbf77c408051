// Stands between clients and the model server: one connection to the server for each client connection, bytes passed on
// as they came. First the bytes go on, some milliseconds later the observer looks at them (backlog.ts); only under a concurrency limit is a request's
// head looked at before. What happens to one side (half-closing, resetting) happens to the other, so both sides
// behave as if nobody stood between them.
import { connect, createServer, type OnReadOpts, type Socket } from 'node:net';
import { type Clock, type Log, listenOn, readInto } from '@kubeai/daemon';
import type { TokenReader } from '@kubeai/engines';
import { createBacklog } from './backlog.ts';
import type { Gate } from './gate.ts';
import {
  connectTimeout,
  keepAliveDelay,
  largeRead,
  lingerTime,
  maxGatheredBytes,
  refusedWait,
  smallAnswerRead,
  smallRequestRead,
} from './limits.ts';
import { type AnswerReason, answerOf } from './local-answer.ts';
import { createObserver } from './observer.ts';
import type { TrafficBook } from './traffic.ts';
import { createTurnstile } from './turnstile.ts';

export interface SpliceOptions {
  readonly listen: { readonly host: string; readonly port: number };
  readonly upstream: { readonly host: string; readonly port: number };
  readonly book: TrafficBook;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent when there is no concurrency limit. */
  readonly gate: Gate | undefined;
}

export interface Splice {
  readonly host: string;
  readonly port: number;
  /** Closes connections on which nothing was on its way for so many milliseconds. */
  closeIdle(longerThan: number): void;
  /** When the last byte passed on a connection that is not observed; 0 when none ever did. */
  lastBlindByte(): number;
  /** Reads what was put off, so that the books are complete. */
  catchUp(): void;
  /** Connections the server did not accept. */
  readonly refused: number;
  /** Stops accepting and cuts what is left. */
  close(): Promise<void>;
}

interface Connection {
  readonly client: Socket;
  readonly idleSince: () => number | undefined;
}

/** Listens and splices until closed. Rejects with one line when the address cannot be had. */
export async function startSplice(options: SpliceOptions): Promise<Splice> {
  const { book, clock, log, gate, upstream: target } = options;
  const connections = new Set<Connection>();
  const budget = { free: maxGatheredBytes };
  const readers: TokenReader[] = [];
  let lastBlind = 0;
  let refused = 0;
  const backlog = createBacklog(clock);

  const accept = (accepted: Socket): void => {
    const client = readInto(
      accepted,
      readsOf(
        smallRequestRead,
        (chunk) => requestBytes(chunk),
        () => upstream,
      ),
      { allowHalfOpen: true },
    );
    const upstream = connect({
      ...target,
      noDelay: true,
      allowHalfOpen: true,
      keepAlive: true,
      onread: readsOf(
        smallAnswerRead,
        (chunk) => answerBytes(chunk),
        () => client,
      ),
    });
    upstream.setKeepAlive(true, keepAliveDelay);
    let connected = false;
    let refusal = false;
    let answered = false;
    let lastByte = clock.monotonic();
    book.connected();

    // Who left first: a request without its answer was given up by the client, or broken off by the server.
    let first: 'client' | 'server' | undefined;

    const observer = createObserver({
      book,
      budget,
      readers,
      stopAtHeads: gate !== undefined,
      ended: () => turnstile?.ended(),
      backlog,
      fault: (cause) => log.error('The observer failed; the connection passes on unobserved', { cause }),
    });

    const forward = (chunk: Buffer): void => {
      if (refusal) return;
      if (!upstream.write(chunk)) client.pause();
    };

    /** Answers in the server's place and sees the client out, who may still be sending. */
    const answer = (reason: AnswerReason): void => {
      if (answered) return;
      answered = true;
      upstream.destroy();
      client.end(answerOf(reason));
      client.resume();
      clock.after(lingerTime, () => client.destroy());
    };

    const turnstile =
      gate === undefined
        ? undefined
        : createTurnstile({
            gate,
            observer,
            forward,
            forwardEnd: () => endRequests(),
            turnAway: answer,
            pause: () => client.pause(),
            resume: () => client.resume(),
            now: () => clock.monotonic(),
          });

    const endRequests = (): void => {
      if (!answered) upstream.end();
    };

    /** The server refused and nothing was sent to it: whoever asked in HTTP/1 gets an answer, others a closed door. */
    const answerRefusal = (): void => {
      if (observer.inFlight() > 0 && observer.framed()) {
        observer.fail(clock.monotonic());
        answer('UpstreamRefused');
      } else if (!observer.framed()) client.resetAndDestroy();
    };

    const requestBytes = (chunk: Buffer): void => {
      const now = clock.monotonic();
      lastByte = now;
      if (answered) return;
      if (turnstile !== undefined && !refusal) {
        turnstile.take(chunk, now);
        return;
      }
      forward(chunk);
      if (observer.blind !== undefined) lastBlind = now;
      else observer.requestSoon(chunk, now);
      if (refusal) answerRefusal();
    };

    const answerBytes = (chunk: Buffer): void => {
      const now = clock.monotonic();
      lastByte = now;
      if (!client.write(chunk)) upstream.pause();
      if (observer.blind !== undefined) lastBlind = now;
      else observer.response(chunk, now);
    };

    client.on('drain', () => upstream.resume());
    upstream.on('drain', () => client.resume());

    client.on('end', () => {
      first ??= 'client';
      observer.requestEnd(clock.monotonic());
      if (turnstile === undefined) endRequests();
      else if (!turnstile.end()) client.destroy();
    });
    upstream.on('end', () => {
      first ??= 'server';
      observer.responseEnd(clock.monotonic());
      client.end();
      // A client that keeps its half open for nothing does not keep it for ever.
      client.setTimeout(keepAliveDelay, () => client.destroy());
    });

    upstream.setTimeout(connectTimeout, () => {
      if (!connected) upstream.destroy(new Error('the model server did not accept in time'));
    });
    upstream.on('connect', () => {
      connected = true;
      upstream.setTimeout(0);
    });

    upstream.on('error', (cause) => {
      if (answered) return;
      if (!connected) {
        refused += 1;
        refusal = true;
        log.debug('The model server refused a connection', { cause });
        answerRefusal();
        // Nobody has asked yet: the answer waits for the question, for a while.
        clock.after(refusedWait, () => {
          if (!answered) client.destroy();
        });
        client.resume();
        return;
      }
      first ??= 'server';
      observer.close(first, clock.monotonic());
      // A server that has said all it had to say may reset what comes after; the client keeps what it got.
      if (upstream.readableEnded) {
        client.resume();
        clock.after(lingerTime, () => client.destroy());
      } else client.resetAndDestroy();
    });
    client.on('error', () => {
      first ??= 'client';
      observer.close(first, clock.monotonic());
      if (connected) upstream.resetAndDestroy();
      else upstream.destroy();
    });

    const connection: Connection = {
      client,
      idleSince: () => (observer.idle() ? lastByte : undefined),
    };
    connections.add(connection);
    client.on('close', () => {
      connections.delete(connection);
      book.disconnected();
      turnstile?.close();
      observer.close(first ?? 'client', clock.monotonic());
      upstream.destroy();
    });
    upstream.on('close', () => {
      if (refusal || answered) return;
      observer.close(first ?? 'server', clock.monotonic());
      if (client.writableEnded) return;
      client.destroy();
    });
  };

  const server = createServer({
    allowHalfOpen: true,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelay,
    pauseOnConnect: true,
  });
  server.on('connection', accept);
  const { port } = await listenOn(server, options.listen);
  // A later failure to accept (too many open files) costs that connection, not the process.
  server.on('error', (cause) => log.warn('A connection could not be accepted', { cause }));

  return {
    host: options.listen.host,
    port,
    closeIdle(longerThan) {
      const now = clock.monotonic();
      for (const { client, idleSince } of connections) {
        const since = idleSince();
        if (since !== undefined && now - since >= longerThan) client.end();
      }
    },
    catchUp: backlog.read,
    lastBlindByte: () => lastBlind,
    get refused() {
      return refused;
    },
    async close() {
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const { client } of connections) client.destroy();
      });
    },
  };
}

/**
 * Reads into a buffer that is used again as soon as the other side's socket has taken all of it at once, which is the rule: Node
 * would make a new one of 64 KiB each time. What fills its buffer gets a large one.
 */
function readsOf(small: number, pass: (chunk: Buffer) => void, to: () => Socket): OnReadOpts {
  let buffer = Buffer.allocUnsafeSlow(small);
  return {
    buffer: () => buffer,
    callback(length) {
      pass(buffer.subarray(0, length));
      const filled = length === buffer.length;
      if (to().writableLength > 0 || filled !== (buffer.length === largeRead))
        buffer = Buffer.allocUnsafeSlow(filled ? largeRead : small);
      return true;
    },
  };
}
