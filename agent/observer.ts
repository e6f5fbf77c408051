// Reads along with one connection, both directions, and writes down what it finds. It never holds, changes or delays a
// byte; whatever it does not understand ends the observation of this connection, which is counted with its reason.
// Requests and responses are matched in order, as HTTP/1 wants it; an HTTP/2 preface switches to frames.
import { bodyKindOf, createTokenReader, type TokenReader } from '@kubeai/engines';
import type { StatusClass } from '@kubeai/protocol';
import type { Backlog } from './backlog.ts';
import { type Budget, createFraming, stopHere } from './http1-framing.ts';
import { parseRequestHead, parseResponseHead, type ResponseHead } from './http1-head.ts';
import { createStreams, type Streams } from './http2-streams.ts';
import { maxEarlyAnswerBytes, maxFreeReaders, maxPipelined, maxReadBytes } from './limits.ts';
import { routeOf } from './route.ts';
import type { BlindReason, Exchange, TrafficBook } from './traffic.ts';

export interface Observer {
  /** Bytes of the client from `at` on; returns where it stopped (see Framing.feed). */
  request(chunk: Buffer, at: number, now: number): number;
  /** Bytes of the client that need not be understood at once. */
  requestSoon(chunk: Buffer, now: number): void;
  /** Bytes of the server. */
  response(chunk: Buffer, now: number): void;
  requestEnd(now: number): void;
  responseEnd(now: number): void;
  /** The connection is gone; what was on its way was given up by the client, or broken off by the server. */
  close(by: 'client' | 'server', now: number): void;
  /** The server did not accept the connection: everything on its way has failed. */
  fail(now: number): void;
  /** The newest request was turned away. */
  reject(now: number): void;
  readonly blind: BlindReason | undefined;
  /** Requests without their whole answer. */
  inFlight(): number;
  /** The newest request, for whoever decides whether it may go on. */
  newest(): Exchange | undefined;
  /** Where in the last chunk the newest head began, 0 when before it; -1 when no part of a head was read. */
  headStart(): number;
  /** Still followed as HTTP/1, so that requests can be told apart before they are sent on. */
  framed(): boolean;
  /** Nothing of a request is on its way in either direction. */
  idle(): boolean;
}

export interface ObserverOptions {
  readonly book: TrafficBook;
  readonly budget: Budget;
  /** Token readers that nobody uses now, shared by all connections. */
  readonly readers: TokenReader[];
  /** Stop behind every request head, so that the caller can decide about it. */
  readonly stopAtHeads: boolean;
  /** A request has got its whole answer, or is no longer waited for. */
  readonly ended: () => void;
  /** What need not be read at once; shared by all connections, so that what one finds is in order with the others. */
  readonly backlog: Backlog;
  /** Something threw in here. The connection goes on without being observed. */
  readonly fault: (cause: unknown) => void;
}

interface Pending {
  readonly exchange: Exchange;
  readonly headOnly: boolean;
}

const prefaceHead = 'PRI * HTTP/2.0';
const statusClassOf = (status: number): StatusClass => `${Math.floor(status / 100)}xx` as StatusClass;

export function createObserver({
  book,
  budget,
  readers,
  stopAtHeads,
  ended,
  backlog,
  fault,
}: ObserverOptions): Observer {
  const pending: Pending[] = [];
  let blind: BlindReason | undefined;
  let mode: 'unknown' | 'http1' | 'http2' = 'unknown';
  let last = false;
  let firstByte = -1;
  let early: Buffer | undefined;
  // Of the response that is arriving.
  let status = 0;
  let answering: Exchange | undefined;
  let reader: TokenReader | undefined;
  let streamed = false;
  let readBytes = 0;
  let streams: Streams | undefined;

  const goBlind = (reason: BlindReason, now: number): void => {
    if (blind !== undefined) return;
    blind = reason;
    book.unobserved(reason);
    for (const { exchange } of pending) book.lose(exchange, now);
    pending.length = 0;
    answering = undefined;
    closeReader();
    streams?.lose(now);
    requests.close();
    responses.close();
    ended();
  };

  /** Tokens are looked for where the type says that there may be some, and the bytes are plain. */
  const openReader = ({ contentType, contentEncoding }: ResponseHead): void => {
    const kind = bodyKindOf(contentType);
    if (kind !== 'sse' && kind !== 'json') return;
    if (contentEncoding !== '' && contentEncoding !== 'identity') return;
    reader = readers.pop() ?? createTokenReader(undefined);
    reader.reset(contentType);
    streamed = streamedType.test(contentType);
    readBytes = 0;
  };

  const closeReader = (): void => {
    if (reader !== undefined && readers.length < maxFreeReaders) readers.push(reader);
    reader = undefined;
  };

  const requests = createFraming(
    {
      head(text, now) {
        if (mode === 'unknown' && text === prefaceHead) {
          mode = 'http2';
          streams = createStreams(book, budget, () => goBlind('Unexpected', now));
          return stopHere;
        }
        // One empty line before a request is to be ignored (RFC 9112, 2.2).
        const head = parseRequestHead(text.startsWith('\r\n') ? text.slice(2) : text);
        if (head === undefined) return refuse('NotHttp', now);
        if (last) return refuse('Unexpected', now);
        if (head.method === 'CONNECT') return refuse('Tunnel', now);
        if (pending.length >= maxPipelined) return refuse('TooDeep', now);
        mode = 'http1';
        last = !head.persistent;
        const route = routeOf(head.method, head.path, head.userAgent);
        pending.push({ exchange: book.begin(route, now), headOnly: head.method === 'HEAD' });
        return head.body;
      },
      body: () => undefined,
      end: () => undefined,
      lost: (tooLong) => goBlind(tooLong ? 'TooLong' : reasonOf(firstByte), lostAt),
    },
    budget,
    stopAtHeads,
  );

  const responses = createFraming(
    {
      head(text, now) {
        const head = parseResponseHead(text);
        if (head === undefined) return refuse('NotHttp', now);
        const next = pending[0];
        if (next === undefined) return refuse('Unexpected', now);
        if (head.status === 101) {
          book.firstByte(next.exchange, now);
          book.finish(next.exchange, '1xx', now);
          pending.shift();
          return refuse('Upgraded', now);
        }
        if (head.status < 200) return 0;
        status = head.status;
        answering = next.exchange;
        book.firstByte(answering, now);
        if (next.headOnly || status === 204 || status === 304) return 0;
        if (answering.load && status < 300) openReader(head);
        return head.body;
      },
      body(chunk, start, end, now) {
        if (reader === undefined || answering === undefined) return;
        readBytes += end - start;
        if (!streamed && readBytes > maxReadBytes) return closeReader();
        const events = reader.feed(chunk, start, end);
        // Only a stream has a first token: the one event of a plain JSON answer is the answer.
        if (events > 0 && streamed) book.tokens(answering, events, now);
      },
      end(now) {
        if (answering === undefined) return;
        if (reader !== undefined) {
          const reading = reader.end();
          book.usage(answering, reading.promptTokens, reading.completionTokens);
          closeReader();
        }
        book.finish(answering, statusClassOf(status), now);
        answering = undefined;
        pending.shift();
        ended();
      },
      lost: (tooLong) => goBlind(tooLong ? 'TooLong' : 'NotHttp', lostAt),
    },
    budget,
    false,
  );

  // The framing's `lost` knows no time; it is the time of the chunk that is being read.
  let lostAt = 0;

  const refuse = (reason: BlindReason, now: number): number => {
    goBlind(reason, now);
    return stopHere;
  };

  const readRequest = (chunk: Buffer, at: number, now: number): number => {
    if (mode === 'http2') {
      streams!.request.feed(chunk, at, now);
      return chunk.length;
    }
    if (firstByte < 0 && at < chunk.length) firstByte = chunk[at]!;
    lostAt = now;
    const stopped = requests.feed(chunk, at, now);
    // It may have changed while feeding, which the compiler cannot see.
    const switched = mode as string;
    if (early !== undefined && switched !== 'unknown') {
      const held = early;
      early = undefined;
      if (switched === 'http2') streams!.response.feed(held, 0, now);
      else goBlind('Unexpected', now);
    }
    if (switched !== 'http2') return stopped;
    streams!.request.feed(chunk, stopped, now);
    return chunk.length;
  };

  const readResponse = (chunk: Buffer, now: number): void => {
    lostAt = now;
    if (mode === 'http2') streams!.response.feed(chunk, 0, now);
    else if (mode === 'http1') responses.feed(chunk, 0, now);
    else if (chunk.length + (early?.length ?? 0) > maxEarlyAnswerBytes) goBlind('Unexpected', now);
    // An HTTP/2 server may speak first; what it is can be told when the client has spoken. A copy: buffers are used again.
    else early = Buffer.concat(early === undefined ? [chunk] : [early, chunk]);
  };

  const failed = (cause: unknown, now: number): void => {
    fault(cause);
    // Whatever it was, it is not handed on.
    reader = undefined;
    goBlind('Fault', now);
  };

  const readSafely = (chunk: Buffer, at: number, now: number): number => {
    if (blind !== undefined) return chunk.length;
    try {
      return readRequest(chunk, at, now);
    } catch (cause) {
      failed(cause, now);
      return chunk.length;
    }
  };

  const readRequestLate = (piece: Buffer, now: number): void => {
    readSafely(piece, 0, now);
  };

  const readAnswer = (chunk: Buffer, now: number): void => {
    if (blind !== undefined) return;
    try {
      readResponse(chunk, now);
    } catch (cause) {
      failed(cause, now);
    }
  };

  return {
    request(chunk, at, now) {
      backlog.read();
      return readSafely(chunk, at, now);
    },

    requestSoon: (chunk, now) => backlog.readLater(chunk, now, readRequestLate),

    response(chunk, now) {
      if (!stopAtHeads) return backlog.readLater(chunk, now, readAnswer);
      // Under a limit another request waits for the end of this one.
      backlog.read();
      readAnswer(chunk, now);
    },

    requestEnd(now) {
      backlog.read();
      if (blind === undefined && mode !== 'http2') requests.finish(now);
    },

    responseEnd(now) {
      backlog.read();
      if (blind === undefined && mode !== 'http2') responses.finish(now);
    },

    close(by, now) {
      backlog.read();
      requests.close();
      responses.close();
      const leave = by === 'client' ? book.abort : book.fail;
      for (const { exchange } of pending) leave(exchange, now);
      pending.length = 0;
      answering = undefined;
      closeReader();
      streams?.close(by, now);
      ended();
    },

    fail(now) {
      backlog.read();
      for (const { exchange } of pending) book.fail(exchange, now);
      pending.length = 0;
      ended();
    },

    reject(now) {
      const newest = pending.pop();
      if (newest !== undefined) book.reject(newest.exchange, now);
    },

    get blind() {
      return blind;
    },
    inFlight() {
      backlog.read();
      return pending.length + (streams?.open() ?? 0);
    },
    newest: () => pending.at(-1)?.exchange,
    headStart: requests.headStart,
    framed() {
      backlog.read();
      return blind === undefined && mode !== 'http2';
    },
    idle() {
      backlog.read();
      if (blind !== undefined || pending.length > 0) return false;
      return mode === 'http2' ? streams!.open() === 0 : !requests.insideMessage() && !responses.insideMessage();
    },
  };
}

const reasonOf = (firstByte: number): BlindReason => (firstByte === 0x16 ? 'Tls' : 'NotHttp');

const streamedType = /^text\/event-stream|ndjson|jsonl|json-seq|stream\+json/;
