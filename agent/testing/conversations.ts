// Random conversations in HTTP/1, as a client and a server of good manners would have them, in all the ways in which a
// message can be framed; and random places to cut the bytes.
import fc from 'fast-check';

export interface Exchange {
  readonly request: Buffer;
  readonly response: Buffer;
}

export interface Conversation {
  readonly exchanges: readonly Exchange[];
  /** The client sends its next request without waiting for the answer. */
  readonly pipelined: boolean;
  /** The last answer ends with the connection. */
  readonly untilClose: boolean;
  readonly cuts: readonly number[];
}

const letters = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';
const word = fc.string({ unit: fc.constantFrom(...letters), minLength: 1, maxLength: 12 });
const fieldValue = fc.string({
  unit: fc.constantFrom(...letters, ' ', ',', ';', '=', '/', '"', '\t', 'é'),
  maxLength: 20,
});
const field = fc.tuple(word, fieldValue).map(([name, value]) => `X-${name}: ${value}\r\n`);
const fields = fc.array(field, { maxLength: 4 }).map((lines) => lines.join(''));
// Bodies that look like heads and chunk ends: a parser that loses its place will trip over them.
const body = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom('GET / HTTP/1.1\r\n\r\n', '0\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '\r\n\r\n', '5\r\nhello\r\n')
    .map((text) => Buffer.from(text)),
  fc
    .constantFrom('data: {"choices":[{"delta":{"content":"a"}}]}\n\n', '{"usage":{"prompt_tokens":3}}')
    .map((text) => Buffer.from(text)),
);

type Framed = { readonly head: string; readonly body: Buffer };
const cased = (name: string) => fc.constantFrom(name, name.toLowerCase(), name.toUpperCase());

const byLength = fc
  .tuple(cased('Content-Length'), body, fc.constantFrom('', ' ', '\t', '  '))
  .map(([name, bytes, blank]): Framed => ({ head: `${name}:${blank}${bytes.length}\r\n`, body: bytes }));

const chunkOf = fc.tuple(
  body.filter((bytes) => bytes.length > 0),
  fc.constantFrom('', ';a', ';name=value', ';q="a b"'),
  fc.boolean(),
);
const byChunks = fc
  .tuple(
    cased('Transfer-Encoding'),
    fc.array(chunkOf, { maxLength: 4 }),
    fc.constantFrom('', 'X-Sum: 12\r\n', 'A: b\r\nC: d\r\n'),
    fc.constantFrom('chunked', 'Chunked'),
  )
  .map(([name, chunks, trailers, coding]): Framed => {
    const parts = chunks.map(([bytes, extension, upper]) => {
      const size = bytes.length.toString(16);
      return Buffer.concat([
        Buffer.from(`${upper ? size.toUpperCase() : size}${extension}\r\n`),
        bytes,
        Buffer.from('\r\n'),
      ]);
    });
    return { head: `${name}: ${coding}\r\n`, body: Buffer.concat([...parts, Buffer.from(`0\r\n${trailers}\r\n`)]) };
  });
const noBody = fc.constant<Framed>({ head: '', body: Buffer.alloc(0) });

const path = fc.constantFrom(
  '/',
  '/v1/chat/completions',
  '/v1/completions?x=1',
  '/generate',
  '/health',
  '/metrics',
  '/v1/models',
  '/a/b%20c',
);
const method = fc.constantFrom('GET', 'POST', 'POST', 'POST', 'PUT', 'HEAD', 'DELETE', 'PATCH', 'OPTIONS');

interface RequestParts {
  readonly method: string;
  readonly bytes: Buffer;
}
const request = fc
  .tuple(method, path, fields, fc.oneof(byLength, byChunks, noBody), fields, fc.boolean())
  .map(([verb, target, before, framed, after, expects]): RequestParts => {
    const own =
      verb === 'GET' || verb === 'HEAD' || verb === 'DELETE' || verb === 'OPTIONS'
        ? { head: '', body: Buffer.alloc(0) }
        : framed;
    const expectation = expects && own.body.length > 0 ? 'Expect: 100-continue\r\n' : '';
    const head = `${verb} ${target} HTTP/1.1\r\nHost: model\r\n${before}${own.head}${expectation}${after}\r\n`;
    return { method: verb, bytes: Buffer.concat([Buffer.from(head, 'latin1'), own.body]) };
  });

const status = fc.constantFrom(
  '200 OK',
  '201 Created',
  '204 No Content',
  '304 Not Modified',
  '400 Bad Request',
  '404 Not Found',
  '429 Too Many Requests',
  '500 Oops',
  '503 ',
  '200',
);
const informational = fc.constantFrom(
  '',
  '',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
);
const contentType = fc.constantFrom(
  '',
  'Content-Type: application/json\r\n',
  'Content-Type: text/event-stream\r\n',
  'content-type: text/plain\r\n',
);

interface ResponseParts {
  readonly early: string;
  readonly line: string;
  readonly type: string;
  readonly before: string;
  readonly framed: Framed;
}
const response = fc.record<ResponseParts>({
  early: informational,
  line: status,
  type: contentType,
  before: fields,
  framed: fc.oneof(byLength, byChunks),
});

function responseBytes(parts: ResponseParts, verb: string, close: Buffer | undefined): Buffer {
  const bodiless = verb === 'HEAD' || /^(?:204|304)/.test(parts.line);
  // A 204 has no framing at all; HEAD and 304 may say what a GET would have got.
  const framing = parts.line.startsWith('204') || (close !== undefined && !bodiless) ? '' : parts.framed.head;
  const head = `${parts.early}HTTP/1.1 ${parts.line}\r\n${parts.type}${parts.before}${framing}\r\n`;
  const content = bodiless ? Buffer.alloc(0) : (close ?? parts.framed.body);
  return Buffer.concat([Buffer.from(head, 'latin1'), content]);
}

/** Conversations of up to five exchanges. */
export const conversation: fc.Arbitrary<Conversation> = fc
  .tuple(
    fc.array(fc.tuple(request, response), { minLength: 1, maxLength: 5 }),
    fc.boolean(),
    fc.option(body, { nil: undefined, freq: 4 }),
    fc.array(fc.nat(2_000), { maxLength: 12 }),
  )
  .map(([pairs, pipelined, closing, cuts]) => {
    const exchanges = pairs.map(([asked, answered], at) => ({
      request: asked.bytes,
      response: responseBytes(answered, asked.method, at === pairs.length - 1 ? closing : undefined),
    }));
    return { exchanges, pipelined, untilClose: closing !== undefined, cuts };
  });

/** Cuts bytes at the given places. */
export function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [...new Set(cuts.map((place) => place % Math.max(1, bytes.length)))].sort((a, b) => a - b);
  const pieces: Buffer[] = [];
  let from = 0;
  for (const place of [...places, bytes.length]) {
    if (place > from) pieces.push(bytes.subarray(from, place));
    from = place;
  }
  return pieces;
}
