import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { eventually } from '../packages/daemon/testing/eventually.ts';
import { conversation, cut } from './testing/conversations.ts';
import { judge } from './testing/llhttp.ts';
import { answersOf, arrivalsOf, rigOfEachTest, sumOf, writeApart } from './testing/rig.ts';

const conversations = Number(process.env['CONVERSATIONS'] ?? 2_000);

const start = rigOfEachTest();

async function converse(runs: number, limit: number | undefined): Promise<void> {
  const expected: Record<string, number> = {};
  let requests = 0;
  // Conversations run one at a time, so the server knows which one a connection belongs to.
  let script: { readonly awaited: number; readonly pieces: readonly Buffer[] }[] = [];
  let closes = false;
  let received: Buffer = Buffer.alloc(0);
  const { book, gate, connect } = await start({
    ...(limit === undefined ? {} : { limit }),
    serve(socket) {
      const arrivals = arrivalsOf(socket);
      const steps = script;
      void (async () => {
        for (const { awaited, pieces } of steps) {
          await arrivals.length(awaited);
          await writeApart(socket, pieces);
        }
        if (closes) socket.end();
        await arrivals.end();
        received = arrivals.bytes();
        socket.end();
      })().catch(() => socket.destroy());
    },
  });

  await fc.assert(
    fc.asyncProperty(conversation, async ({ exchanges, pipelined, untilClose, cuts }) => {
      const sent = Buffer.concat(exchanges.map(({ request }) => request));
      const answers = Buffer.concat(exchanges.map(({ response }) => response));
      let awaited = 0;
      script = exchanges.map(({ request, response }) => {
        awaited += request.length;
        // Under a limit the next request is held back until the one before has its answer.
        return { awaited: pipelined && limit === undefined ? sent.length : awaited, pieces: cut(response, cuts) };
      });
      closes = untilClose;
      received = Buffer.alloc(0);
      const client = connect();
      const arrivals = arrivalsOf(client);
      if (pipelined) await writeApart(client, cut(sent, cuts));
      else {
        let answered = 0;
        for (const { request, response } of exchanges) {
          await writeApart(client, cut(request, cuts));
          answered += response.length;
          await arrivals.length(answered);
        }
      }
      await arrivals.length(answers.length);
      client.end();
      await arrivals.end();
      await eventually(() => book.totals().openConnections === 0 && received.length === sent.length, 'both ends');

      expect(arrivals.bytes().equals(answers)).toBe(true);
      expect(received.equals(sent)).toBe(true);
      const verdict = judge(sent, answers, untilClose);
      expect(verdict.error).toBeUndefined();
      requests += verdict.requests;
      for (const status of verdict.answers) {
        const name = `${Math.floor(status / 100)}xx`;
        expected[name] = (expected[name] ?? 0) + 1;
      }
      expect(answersOf(book.totals())).toEqual(expected);
      expect({ inside: gate?.inside ?? 0, waiting: gate?.waiting ?? 0 }).toEqual({ inside: 0, waiting: 0 });
    }),
    { numRuns: runs },
  );
  const totals = book.totals();
  expect(Object.values(expected).reduce((a, b) => a + b, 0)).toBe(requests);
  expect({ open: book.open, unobserved: totals.unobserved.size }).toEqual({ open: 0, unobserved: 0 });
  expect({ failed: sumOf(totals, 'failed'), aborted: sumOf(totals, 'aborted') }).toEqual({ failed: 0, aborted: 0 });
}

test(`${conversations} random conversations arrive byte for byte and are counted as llhttp counts them`, async () => {
  await converse(conversations, undefined);
});

test('so do they under a concurrency limit of one', async () => {
  await converse(Math.ceil(conversations / 4), 1);
});

/** What cannot be read in one way only, and what an attacker makes of it. */
const mischief: readonly (readonly [string, string])[] = [
  [
    'a length and an encoding',
    'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n',
  ],
  [
    'an encoding and a length',
    'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n',
  ],
  ['two lengths', 'POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcdX'],
  ['the same length twice', 'POST / HTTP/1.1\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd'],
  ['a list of lengths', 'POST / HTTP/1.1\r\nContent-Length: 4, 4\r\n\r\nabcd'],
  ['a length with a sign', 'POST / HTTP/1.1\r\nContent-Length: +4\r\n\r\nabcd'],
  ['a length in hex', 'POST / HTTP/1.1\r\nContent-Length: 0x4\r\n\r\nabcd'],
  ['two encodings', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n'],
  ['an encoding that is not chunked', 'POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['a vertical tab before the encoding', 'POST / HTTP/1.1\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n'],
  ['a blank before the colon', 'POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
  ['a folded line', 'POST / HTTP/1.1\r\nX: a\r\n Content-Length: 4\r\n\r\nabcd'],
  ['a folded encoding', 'POST / HTTP/1.1\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n'],
  ['a bare line feed in a head', 'POST / HTTP/1.1\nHost: a\r\nContent-Length: 4\r\n\r\nabcd'],
  ['a bare line feed before a field', 'POST / HTTP/1.1\r\nX: a\nContent-Length: 4\r\n\r\nabcd'],
  ['a bare carriage return', 'POST / HTTP/1.1\r\nX: a\rContent-Length: 4\r\n\r\nabcd'],
  ['a NUL in a value', 'GET / HTTP/1.1\r\nX: a\0b\r\n\r\n'],
  ['a line without colon', 'GET / HTTP/1.1\r\nnonsense\r\n\r\n'],
  ['a chunk size with a blank', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n'],
  ['a chunk size with a bare line feed', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n'],
  ['a chunk longer than its size', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n'],
  [
    'a chunk size beyond all measure',
    'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello\r\n0\r\n\r\n',
  ],
  ['a length in the trailers', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 9\r\n\r\n'],
  ['an encoding in HTTP/1.0', 'POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['HTTP/0.9', 'GET /\r\n\r\n'],
  ['HTTP/1.2', 'GET / HTTP/1.2\r\n\r\n'],
  ['two blanks in the request line', 'GET  / HTTP/1.1\r\n\r\n'],
  ['requests after the last one', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\nGET /evil HTTP/1.1\r\n\r\n'],
  ['a tunnel', 'CONNECT a:443 HTTP/1.1\r\n\r\n\x16\x03\x01'],
  ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ['another protocol', '\x00\x00\x00\x08\x04\xd2\x16\x2f'],
];

test.each([undefined, 1])(
  'mischief passes identically and leaves the observer blind, not wrong (limit: %s)',
  async (limit) => {
    const { book, connect } = await start({
      ...(limit === undefined ? {} : { limit }),
      serve: (socket) => socket.on('data', (chunk) => socket.write(chunk)).on('end', () => socket.end()),
    });
    for (const [name, text] of mischief) {
      const sent = Buffer.from(text, 'latin1');
      for (const pieces of [[sent], cut(sent, [1, 7, 30, 45, 60]), [...sent].map((byte) => Buffer.from([byte]))]) {
        const before = [...book.totals().unobserved.values()].reduce((a, b) => a + b, 0);
        const client = connect();
        const arrivals = arrivalsOf(client);
        // The echo is no answer, which would end the observation by itself: first the request has to arrive.
        await writeApart(client, pieces);
        client.end();
        await arrivals.end();
        expect({ name, echoed: arrivals.bytes().equals(sent) }).toEqual({ name, echoed: true });
        await eventually(() => book.totals().openConnections === 0);
        const after = [...book.totals().unobserved.values()].reduce((a, b) => a + b, 0);
        expect({ name, unobserved: after - before, open: book.open }).toEqual({ name, unobserved: 1, open: 0 });
      }
    }
    expect(answersOf(book.totals())).toEqual({});
  },
);

test('others are answered while a crowd is let in', async () => {
  const crowd = 500;
  const { book, connect } = await start({
    serve: (socket) => socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')),
  });
  const other = connect();
  const arrivals = arrivalsOf(other);
  let answers = 0;
  const ask = async () => {
    other.write('GET /any HTTP/1.1\r\n\r\n');
    answers += 1;
    await arrivals.length(answers * 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok'.length);
  };
  await ask();
  const before = answers;
  for (let member = 0; member < crowd; member += 1) connect();
  while (book.totals().openConnections <= crowd) await ask();
  // Everybody would have been let in during one answer, or two, if all were taken at once.
  expect(answers - before).toBeGreaterThan(20);
});
