// The streams of one HTTP/2 connection: each is a request and its answer. What they are for and how they ended stands in
// their header fields; where those cannot be read, a stream is load like any other and its status unknown.
import type { StatusClass } from '@kubeai/protocol';
import type { Budget } from './http1-framing.ts';
import { createFrameReader, type FrameReader, type Headers } from './http2-framing.ts';
import { maxStreams } from './limits.ts';
import { routeOf } from './route.ts';
import type { Exchange, TrafficBook } from './traffic.ts';

export interface Streams {
  readonly request: FrameReader;
  readonly response: FrameReader;
  open(): number;
  /** The connection is no longer understood. */
  lose(now: number): void;
  close(by: 'client' | 'server', now: number): void;
}

interface Stream {
  readonly exchange: Exchange;
  status: StatusClass;
  isGrpc: boolean;
}

/** What comes after the first line of a preface, which says nothing yet about what follows. */
const prefaceRest = 'SM\r\n\r\n';
const ofRequests: ReadonlySet<string> = new Set([':method', ':path', 'user-agent']);
const ofAnswers: ReadonlySet<string> = new Set([':status', 'content-type', 'grpc-status']);

/** Of gRPC's codes those that the caller brought about, by the HTTP status that stands for each; the rest is the server's. */
const callersFaults: ReadonlySet<number> = new Set([1, 3, 5, 6, 7, 8, 9, 10, 11, 16]);
const highestGrpcCode = 16;

/** The class of a `grpc-status`; `unknown` when it is no code. */
function classOfGrpc(text: string): StatusClass {
  const code = /^\d{1,2}$/.test(text) ? Number(text) : highestGrpcCode + 1;
  if (code > highestGrpcCode) return 'unknown';
  if (code === 0) return '2xx';
  return callersFaults.has(code) ? '4xx' : '5xx';
}

const classOfStatus = (text: string): StatusClass =>
  /^[1-5]\d\d$/.test(text) ? (`${text[0]!}xx` as StatusClass) : 'unknown';

/** Takes note of what a header block of an answer says; false when the answer is still to come. */
function readAnswer(stream: Stream, fields: Headers, isLast: boolean): boolean {
  if (fields === undefined) {
    stream.status = 'unknown';
    return true;
  }
  const status = fields.get(':status');
  if (status !== undefined) {
    const found = classOfStatus(status);
    if (found === '1xx' && !isLast) return false;
    stream.status = found;
    stream.isGrpc = fields.get('content-type')?.startsWith('application/grpc') === true;
  }
  // A proxy's error may come without gRPC's own; a good answer is good only when gRPC says so.
  if (stream.isGrpc && isLast && stream.status === '2xx') stream.status = classOfGrpc(fields.get('grpc-status') ?? '');
  return true;
}

export function createStreams(book: TrafficBook, budget: Budget, goBlind: () => void): Streams {
  const open = new Map<number, Stream>();
  let highest = 0;

  /** Takes a stream out; undefined when none of this number is open. */
  const take = (id: number): Stream | undefined => {
    const stream = open.get(id);
    open.delete(id);
    return stream;
  };

  const end = (id: number, now: number): void => {
    const stream = take(id);
    if (stream !== undefined) book.finish(stream.exchange, stream.status, now);
  };

  const request = createFrameReader(
    {
      headers(id, _endStream, fields, now) {
        // Trailers and pushed streams begin nothing.
        if (id <= highest || id % 2 === 0) return;
        if (open.size >= maxStreams) return goBlind();
        highest = id;
        const path = fields?.get(':path');
        const known =
          path === undefined ? 'other' : routeOf(fields?.get(':method') ?? '', path, fields?.get('user-agent') ?? '');
        const route = known === 'other' ? 'stream' : known;
        open.set(id, { exchange: book.begin(route, now), status: 'unknown', isGrpc: false });
      },
      data: () => undefined,
      reset(id, now) {
        const stream = take(id);
        if (stream !== undefined) book.abort(stream.exchange, now);
      },
      goAway: () => undefined,
      lost: goBlind,
    },
    prefaceRest,
    ofRequests,
    budget,
  );

  const response = createFrameReader(
    {
      headers(id, endStream, fields, now) {
        const stream = open.get(id);
        if (stream === undefined) return;
        if (readAnswer(stream, fields, endStream)) book.firstByte(stream.exchange, now);
        if (endStream) end(id, now);
      },
      data(id, endStream, now) {
        const stream = open.get(id);
        if (stream === undefined) return;
        if (!endStream) return book.firstByte(stream.exchange, now);
        // Without trailers gRPC has not said how it went.
        if (stream.isGrpc && stream.status === '2xx') stream.status = 'unknown';
        end(id, now);
      },
      reset(id, now) {
        const stream = take(id);
        if (stream !== undefined) book.fail(stream.exchange, now);
      },
      goAway(lastStream, now) {
        for (const [id, stream] of open) {
          if (id <= lastStream) continue;
          open.delete(id);
          book.fail(stream.exchange, now);
        }
      },
      lost: goBlind,
    },
    '',
    ofAnswers,
    budget,
  );

  const release = (): void => {
    request.close();
    response.close();
  };

  return {
    request,
    response,
    open: () => open.size,
    lose(now: number): void {
      for (const { exchange } of open.values()) book.lose(exchange, now);
      open.clear();
      release();
    },
    close(by: 'client' | 'server', now: number): void {
      const leave = by === 'client' ? book.abort : book.fail;
      for (const { exchange } of open.values()) leave(exchange, now);
      open.clear();
      release();
    },
  };
}
