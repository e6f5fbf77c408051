import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import type { TokenReader } from '@kubeai/engines';
import fc from 'fast-check';
import { createBacklog } from './backlog.ts';
import { maxGatheredBytes } from './limits.ts';
import { createObserver } from './observer.ts';
import type { Route } from './route.ts';
import { type Conversation, conversation, cut } from './testing/conversations.ts';
import { judge } from './testing/llhttp.ts';
import { createTrafficBook, type Totals, type TrafficBook } from './traffic.ts';

const conversations = Number(process.env['CONVERSATIONS'] ?? 2_000);

interface Seen {
  readonly requests: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly open: number;
  readonly blind: string | undefined;
  readonly budgetLeft: number;
}

const answersOf = (totals: Totals): Record<string, number> => {
  const answers: Record<string, number> = {};
  for (const { statuses } of totals.routes.values())
    for (const [status, count] of statuses) answers[status] = (answers[status] ?? 0) + count;
  return answers;
};

/** One connection's readers are the next one's, as in the agent. */
const readers: TokenReader[] = [];

type Chunks = readonly { readonly side: 'client' | 'server'; readonly bytes: Buffer }[];

/** Feeds a conversation as TCP might deliver it: each side's bytes cut anywhere, requests before their answers. */
function observe(chunks: Chunks, serverEnds: boolean): Seen {
  const seen = observeWhen('at once', chunks, serverEnds);
  // Putting off what need not be read at once makes no difference, however long.
  expect(observeWhen('with the next', chunks, serverEnds)).toEqual(seen);
  expect(observeWhen('now and then', chunks, serverEnds)).toEqual(seen);
  return seen;
}

function observeWhen(read: 'at once' | 'with the next' | 'now and then', chunks: Chunks, serverEnds: boolean): Seen {
  const opened = createTrafficBook(0);
  let begun = 0;
  const book: TrafficBook = Object.assign(Object.create(opened), {
    begin(route: Route, at: number) {
      begun += 1;
      return opened.begin(route, at);
    },
  });
  const budget = { free: maxGatheredBytes };
  const faults: unknown[] = [];
  const backlog = createBacklog(createManualClock());
  const observer = createObserver({
    book,
    budget,
    readers,
    stopAtHeads: false,
    ended: () => undefined,
    backlog,
    fault: (cause) => faults.push(cause),
  });
  let now = 0;
  for (const { side, bytes } of chunks) {
    now += 1;
    if (side === 'server') observer.response(bytes, now);
    else if (read === 'at once') observer.request(bytes, 0, now);
    else observer.requestSoon(bytes, now);
    if (read === 'at once' || (read === 'now and then' && now % 2 === 0)) backlog.read();
  }
  if (serverEnds) observer.responseEnd(now);
  const open = observer.inFlight();
  const seen = { requests: begun, answers: answersOf(book.totals()), open, blind: observer.blind };
  observer.close('server', now);
  expect(faults).toEqual([]);
  expect(book.open).toBe(0);
  return { ...seen, budgetLeft: budget.free };
}

function chunksOf({ exchanges, pipelined, cuts }: Conversation) {
  const client = (bytes: Buffer) => cut(bytes, cuts).map((piece) => ({ side: 'client' as const, bytes: piece }));
  const server = (bytes: Buffer) => cut(bytes, cuts).map((piece) => ({ side: 'server' as const, bytes: piece }));
  return pipelined
    ? [
        ...client(Buffer.concat(exchanges.map(({ request }) => request))),
        ...server(Buffer.concat(exchanges.map(({ response }) => response))),
      ]
    : exchanges.flatMap(({ request, response }) => [...client(request), ...server(response)]);
}

const byClass = (statuses: readonly number[]): Record<string, number> => {
  const classes: Record<string, number> = {};
  for (const status of statuses) {
    const name = `${Math.floor(status / 100)}xx`;
    classes[name] = (classes[name] ?? 0) + 1;
  }
  return classes;
};

test(`counts equal those of Node's own parser in ${conversations} random conversations`, () => {
  fc.assert(
    fc.property(conversation, (each) => {
      const seen = observe(chunksOf(each), each.untilClose);
      const verdict = judge(
        Buffer.concat(each.exchanges.map(({ request }) => request)),
        Buffer.concat(each.exchanges.map(({ response }) => response)),
        each.untilClose,
      );
      expect(verdict.error).toBeUndefined();
      expect(seen).toEqual({
        requests: verdict.requests,
        answers: byClass(verdict.answers),
        open: 0,
        blind: undefined,
        budgetLeft: maxGatheredBytes,
      });
      expect(verdict.requests).toBe(each.exchanges.length);
    }),
    { numRuns: conversations },
  );
});

const bodies = [
  [
    'text/event-stream',
    'data: {"choices":[{"delta":{"content":"a"}}]}\n\ndata: {"usage":{"prompt_tokens":3}}\n\ndata: [DONE]\n\n',
  ],
  [
    'text/event-stream',
    'event: error\r\ndata: {"error":{"message":"out of memory"}}\r\n\r\ndata: {"choices":[{"text":"é',
  ],
  [
    'application/x-ndjson',
    '{"response":"a","done":false}\n{"response":"b"}\n{"done":true,"prompt_eval_count":5,"eval_count":9}\n',
  ],
  ['application/json', '{"choices":[{"message":{"content":"\\"}],"usage":{"completion_tokens":7}}'],
  ['application/json', '[{"text":"a"},{"usage":{"prompt_tokens":4,"completion_tokens":6}},{"text"'],
] as const;

test('a reader that was left anywhere in one answer reads the next as a new one would', () => {
  const request = Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n');
  const tokensOf = (shared: TokenReader[], [type, body]: (typeof bodies)[number], cutAt: number) => {
    const book = createTrafficBook(0);
    const observer = createObserver({
      book,
      budget: { free: maxGatheredBytes },
      readers: shared,
      stopAtHeads: false,
      ended: () => undefined,
      backlog: createBacklog(createManualClock()),
      fault: (cause) => {
        throw cause;
      },
    });
    const length = Buffer.byteLength(body);
    observer.request(request, 0, 1);
    observer.response(Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${length}\r\n\r\n`), 2);
    observer.response(Buffer.from(body).subarray(0, cutAt % (length + 1)), 3);
    observer.close('client', 4);
    const { promptTokens, generatedTokens } = book.totals();
    return { promptTokens, generatedTokens };
  };
  const answer = fc.tuple(fc.constantFrom(...bodies), fc.nat(200));
  fc.assert(
    fc.property(fc.array(answer, { minLength: 1, maxLength: 6 }), (answers) => {
      const shared: TokenReader[] = [];
      for (const [body, cutAt] of answers) {
        expect(tokensOf(shared, body, cutAt)).toEqual(tokensOf([], body, cutAt));
        expect(shared).toHaveLength(1);
      }
    }),
    { numRuns: 300 },
  );
});

test('when more heads are unfinished than may be, those beyond are not followed, and whole ones are', () => {
  const budget = { free: 3 * 512 };
  const book = createTrafficBook(0);
  const connection = () =>
    createObserver({
      book,
      budget,
      readers,
      stopAtHeads: false,
      ended: () => undefined,
      backlog: createBacklog(createManualClock()),
      fault: (cause) => {
        throw cause;
      },
    });
  const slow = Array.from({ length: 5 }, () => connection());
  for (const [at, observer] of slow.entries()) observer.request(Buffer.from('GET / HTTP/1.1\r\nX-Slow: '), 0, at);
  expect(slow.map(({ blind }) => blind)).toEqual([undefined, undefined, undefined, 'TooLong', 'TooLong']);
  connection().request(Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'), 0, 9);
  expect(book.inFlight).toBe(1);
  for (const observer of slow) observer.close('client', 10);
  expect(budget.free).toBe(3 * 512);
});

test.each([
  'Content-Length: 2\t',
  'Content-Length: 2 \t',
  'Transfer-Encoding: chunked\t',
  'Transfer-Encoding: chunked \t ',
])('%j, which some releases of llhttp refuse and others take, leaves the observer blind', (line) => {
  const request = Buffer.from(`POST / HTTP/1.1\r\nHost: a\r\n${line}\r\n\r\n`);
  const { error } = judge(request, Buffer.alloc(0), false);
  expect(error ?? 'taken').toMatch(/^(?:HPE_INVALID_CONTENT_LENGTH|HPE_INVALID_TRANSFER_ENCODING|taken)$/);
  expect(observe([{ side: 'client', bytes: request }], false)).toMatchObject({ blind: 'NotHttp', answers: {} });
});

/** One byte changed, left out, doubled, or a piece of mischief put in. */
const mischief = fc.record({
  at: fc.nat(3_000),
  change: fc.oneof(
    fc.constantFrom('\n', '\r', ' ', '\t', '\0', ':', '0', 'f', '\r\n', '\n\n', '\r\n\r\n', '\r\n '),
    fc.constantFrom('Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Transfer-Encoding : chunked\r\n'),
    fc.constantFrom('content-length: +5\r\n', 'Content-Length: 5, 5\r\n', 'Transfer-Encoding: gzip, chunked\r\n'),
  ),
  replaces: fc.nat(2),
});

test('after mischief the observer agrees with llhttp, or sees nothing any more', () => {
  let agreed = 0;
  let blind = 0;
  fc.assert(
    fc.property(conversation, mischief, fc.boolean(), (each, { at, change, replaces }, ofRequest) => {
      const requests = Buffer.concat(each.exchanges.map(({ request }) => request));
      const responses = Buffer.concat(each.exchanges.map(({ response }) => response));
      const spoil = (bytes: Buffer) => {
        const place = at % bytes.length;
        return Buffer.concat([bytes.subarray(0, place), Buffer.from(change), bytes.subarray(place + replaces)]);
      };
      const client = ofRequest ? spoil(requests) : requests;
      const server = ofRequest ? responses : spoil(responses);
      const seen = observe(
        [
          ...cut(client, each.cuts).map((bytes) => ({ side: 'client' as const, bytes })),
          ...cut(server, each.cuts).map((bytes) => ({ side: 'server' as const, bytes })),
        ],
        each.untilClose,
      );
      if (seen.blind !== undefined) {
        blind += 1;
        return;
      }
      agreed += 1;
      const verdict = judge(client, server, each.untilClose);
      // Where llhttp gave up, what was counted must not go beyond what it had understood by then.
      const answers = Object.values(seen.answers).reduce((a, b) => a + b, 0);
      expect(answers).toBeLessThanOrEqual(seen.requests);
      if (verdict.error === undefined) expect(seen.requests).toBe(verdict.requests);
      // Any word may be a method, and llhttp knows a list of them.
      else if (verdict.error !== 'HPE_INVALID_METHOD')
        expect({ ...seen, error: verdict.error }).toMatchObject({ requests: verdict.requests });
    }),
    { numRuns: conversations },
  );
  expect(agreed).toBeGreaterThan(conversations / 20);
  expect(blind).toBeGreaterThan(conversations / 20);
});
