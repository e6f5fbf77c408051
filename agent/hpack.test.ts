// The judge is node:http2 at both ends of a real connection: what it sends and receives is what must be read along.
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  sensitiveHeaders,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHeaderDecoder } from './hpack.ts';
import { createFrameReader, type FrameReader, type Headers } from './http2-framing.ts';
import { maxGatheredBytes, maxHeaderBlockBytes } from './limits.ts';

const names = [
  'x-a',
  'x-bb',
  'x-request-id',
  'cache-control',
  'grpc-status',
  'grpc-message',
  'user-agent',
  'content-type',
];
const wanted = new Set([...names, ':path', ':status', ':method']);

interface Message {
  readonly fields: Record<string, string>;
  /** Not to be kept by any table. */
  readonly secret: boolean;
}
const printable = Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at)).join('');
const value = fc.oneof(
  fc.constantFrom('0', '13', 'application/grpc', 'no-cache'),
  fc.string({ unit: fc.constantFrom(...printable), maxLength: 60 }).map((text) => text.trim()),
  // Of the table these leave nothing.
  fc.integer({ min: 1, max: 5_000 }).map((length) => 'long,'.repeat(length / 5)),
);
const message = fc.record<Message>({
  fields: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6 }),
  secret: fc.boolean(),
});
const exchange = fc.record({
  path: fc.webPath().map((path) => `/${path}`),
  asked: message,
  answered: message,
  last: message,
});

let http2: Http2Server;
let proxy: Server;
let taps: { readonly request: FrameReader; readonly response: FrameReader; readonly cuts: readonly number[] };
/** Answers by path; set by each run. */
let answers = new Map<string, { readonly answered: Message; readonly last: Message }>();
let received: [string, IncomingHttpHeaders][] = [];

const headersOf = ({ fields, secret }: Message) =>
  secret ? { ...fields, [sensitiveHeaders]: Object.keys(fields) } : fields;

beforeAll(async () => {
  http2 = createHttp2Server({ settings: { headerTableSize: 4_096 } });
  http2.on('stream', (stream, headers) => {
    received.push([headers[':path']!, headers]);
    const { answered, last } = answers.get(headers[':path']!)!;
    stream.respond({ ':status': 200, ...headersOf(answered) }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(headersOf(last)));
    stream.end('{}');
  });
  proxy = createServer((client) => {
    const server = connect((http2.address() as AddressInfo).port, '127.0.0.1');
    const { request, response, cuts } = taps;
    for (const socket of [client, server]) socket.setNoDelay(true);
    const pass = (from: typeof client, to: typeof client, reader: FrameReader) => {
      let seen = 0;
      from.on('data', (chunk: Buffer) => {
        // Cut once more, at any byte of the connection.
        const places = cuts.map((place) => place - seen).filter((place) => place > 0 && place < chunk.length);
        let at = 0;
        for (const place of [...places.toSorted((a, b) => a - b), chunk.length]) {
          reader.feed(chunk.subarray(at, place), 0, 0);
          at = place;
        }
        seen += chunk.length;
        to.write(chunk);
      });
      from.on('close', () => to.destroy());
      from.on('error', () => undefined);
    };
    pass(client, server, request);
    pass(server, client, response);
  });
  await new Promise<void>((resolve) => http2.listen(0, '127.0.0.1', resolve));
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterAll(() => {
  http2.close();
  proxy.close();
});

/** Reads one direction; keeps what it reads as node:http2 shows it. */
function tap(preface: string, budget: { free: number }) {
  const blocks: Headers[] = [];
  const nothing = () => undefined;
  const reader = createFrameReader(
    {
      headers: (_stream, _end, fields) => void blocks.push(fields),
      data: nothing,
      reset: nothing,
      goAway: nothing,
      lost: () => {
        throw new Error('lost');
      },
    },
    preface,
    wanted,
    budget,
  );
  return { reader, blocks };
}

const wantedOf = (headers: IncomingHttpHeaders): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, text]) => (wanted.has(name) ? [[name, String(text)]] : [])),
  );

/** One connection with these exchanges, one after another, so that tables fill up. */
async function converse(
  exchanges: readonly {
    readonly path: string;
    readonly asked: Message;
    readonly answered: Message;
    readonly last: Message;
  }[],
  cuts: readonly number[],
  tableSize: number,
) {
  const budget = { free: maxGatheredBytes };
  const asked = tap('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', budget);
  const answered = tap('', budget);
  taps = { request: asked.reader, response: answered.reader, cuts };
  answers = new Map(exchanges.map((each, at) => [`/${at}${each.path}`, each]));
  received = [];
  const seen: IncomingHttpHeaders[] = [];
  const session = connectHttp2(`http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, {
    settings: { headerTableSize: tableSize },
  });
  for (const [at, each] of exchanges.entries()) {
    await new Promise<void>((resolve, reject) => {
      const request = session.request({ ':path': `/${at}${each.path}`, ':method': 'POST', ...headersOf(each.asked) });
      request.on('response', (headers) => seen.push(headers));
      request.on('trailers', (headers) => seen.push(headers));
      request.on('error', reject);
      request.on('close', resolve);
      request.resume();
      request.end();
    });
  }
  await new Promise<void>((resolve) => session.close(resolve));
  const told = { requests: received.map(([, headers]) => wantedOf(headers)), answers: seen.map(wantedOf) };
  const plain = (blocks: readonly Headers[]) => blocks.map((fields) => fields && Object.fromEntries(fields));
  return { told, read: { requests: plain(asked.blocks), answers: plain(answered.blocks) }, budgetLeft: budget.free };
}

test('fields read along are those that node:http2 sends and receives, however the bytes are cut', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(exchange, { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(6_000), { maxLength: 40 }),
      fc.constantFrom(0, 100, 1_000, 4_096),
      async (exchanges, cuts, tableSize) => {
        const { told, read, budgetLeft } = await converse(exchanges, cuts, tableSize);
        expect(read).toEqual(told);
        expect(budgetLeft).toBe(maxGatheredBytes);
      },
    ),
    { numRuns: 60 },
  );
});

test('a table that is larger than is followed, and a block that is longer, are not read and never misread', async () => {
  const message = { fields: { 'grpc-status': '0' }, secret: false };
  const exchanges = Array.from({ length: 6 }, (_, at) => ({
    path: '/',
    asked: message,
    answered: message,
    last: message,
    at,
  }));
  const large = await converse(exchanges, [], 65_536);
  // node:http2 makes use of what it is offered; others may not.
  for (const [at, fields] of large.read.answers.entries()) if (fields) expect(fields).toEqual(large.told.answers[at]);
  expect(large.read.requests).toEqual(large.told.requests);

  const long = { fields: { 'x-a': '~'.repeat(maxHeaderBlockBytes) }, secret: false };
  const { read, told, budgetLeft } = await converse(
    [exchanges[0]!, { ...exchanges[0]!, asked: long }, exchanges[0]!],
    [],
    4_096,
  );
  expect(read.answers).toEqual(told.answers);
  expect(told.requests[1]!['x-a']).toHaveLength(maxHeaderBlockBytes);
  expect(read.requests.map((fields) => fields?.[':path'])).toEqual(['/0/', undefined, undefined]);
  expect(budgetLeft).toBe(maxGatheredBytes);
});

// Of the standard's appendix C, by hand: several blocks of one connection each.
test.each<[string, readonly string[], readonly (Record<string, string> | undefined)[]]>([
  [
    'C.2.1, a literal that is kept',
    ['400a637573746f6d2d6b65790d637573746f6d2d686561646572', 'be'],
    [{ 'custom-key': 'custom-header' }, { 'custom-key': 'custom-header' }],
  ],
  ['C.2.2, a literal that is not', ['040c2f73616d706c652f70617468', 'be'], [{ ':path': '/sample/path' }, undefined]],
  ['C.2.4, an index', ['82'], [{ ':method': 'GET' }]],
  [
    'C.4, coded, over three blocks',
    [
      '828684418cf1e3c2e5f23a6ba0ab90f4ff',
      '828684be5886a8eb10649cbf',
      '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
    ],
    [
      { ':method': 'GET', ':path': '/' },
      { ':method': 'GET', ':path': '/' },
      { ':method': 'GET', ':path': '/index.html', 'custom-key': 'custom-value' },
    ],
  ],
  ['a table of nothing', ['20' + '400a637573746f6d2d6b65790161', 'be'], [{ 'custom-key': 'a' }, undefined]],
  ['a field twice', ['88', '8889'], [{ ':status': '200' }, { ':status': '200, 204' }]],
  ['index 0', ['80'], [undefined]],
  ['an index beyond the table', ['be'], [undefined]],
  ['a number without an end', ['ff80808080'], [undefined]],
  ['a text that is longer than its block', ['40ff01'], [undefined]],
  ['a table larger than allowed', ['3fe2ff03', '82'], [undefined, undefined]],
  ['a table size behind a field', ['8220', '82'], [undefined, undefined]],
  ['filling that is not of ones', ['04811c'.replace('1c', '00')], [undefined]],
  ['more than seven bits of filling', ['0482ffff'], [undefined]],
])('%s', (_name, blocks, expected) => {
  const decoder = createHeaderDecoder(new Set([':method', ':path', ':status', 'custom-key']));
  const read = blocks.map((block) => {
    const fields = decoder.decode(Buffer.from(block, 'hex'));
    return fields && Object.fromEntries(fields);
  });
  expect(read).toEqual(expected);
});

test('whatever the bytes are, reading them ends, and what it does not understand it says', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 5 }), (blocks) => {
      const decoder = createHeaderDecoder(wanted);
      let broken = false;
      for (const block of blocks) {
        const fields = decoder.decode(Buffer.from(block));
        if (broken) expect(fields).toBeUndefined();
        broken ||= fields === undefined;
      }
    }),
    { numRuns: 2_000 },
  );
});
