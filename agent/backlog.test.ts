import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';
import { createBacklog } from './backlog.ts';
import { maxBacklogBytes, maxBacklogPieces, maxGatheredBytes, maxPieceBytes, readWithin } from './limits.ts';
import { createObserver } from './observer.ts';
import { createTrafficBook } from './traffic.ts';

test.each([
  ['more pieces than may wait', maxBacklogPieces + 100, 3],
  ['more bytes than may wait', 300, maxPieceBytes],
])('%s: each is read once, in order, with its own bytes and time', (_, count, length) => {
  const backlog = createBacklog(createManualClock());
  const seen: string[] = [];
  const expected: string[] = [];
  // One buffer again and again, as the splice has it.
  const buffer = Buffer.alloc(length);
  for (let at = 0; at < count; at += 1) {
    buffer.fill(at % 251);
    const read = (piece: Buffer, now: number) => seen.push(`${at} ${now} ${piece.length} ${piece[0]} ${piece.at(-1)}`);
    backlog.readLater(buffer, at + 0.5, read);
    expected.push(`${at} ${at + 0.5} ${length} ${at % 251} ${at % 251}`);
  }
  expect(count * length > maxBacklogBytes || count > maxBacklogPieces).toBe(true);
  expect(seen.length).toBeGreaterThan(0);
  backlog.read();
  backlog.read();
  expect(seen).toEqual(expected);
});

test('a long piece is read at once, after those that wait', () => {
  const backlog = createBacklog(createManualClock());
  const seen: number[] = [];
  const read = (piece: Buffer) => seen.push(piece.length);
  backlog.readLater(Buffer.alloc(3), 0, read);
  backlog.readLater(Buffer.alloc(maxPieceBytes), 1, read);
  expect(seen).toEqual([]);
  backlog.readLater(Buffer.alloc(maxPieceBytes + 1), 2, read);
  expect(seen).toEqual([3, maxPieceBytes, maxPieceBytes + 1]);
  backlog.read();
  expect(seen).toHaveLength(3);
});

test('what waits is read after its time without anybody asking, again and again', async () => {
  const clock = createManualClock();
  const backlog = createBacklog(clock);
  const done: string[] = [];
  for (const round of ['first', 'second']) {
    backlog.readLater(Buffer.from('a'), 0, () => done.push(round));
    await clock.advance(milliseconds(readWithin - 1));
    expect(done).not.toContain(round);
    await clock.advance(milliseconds(1));
  }
  expect(done).toEqual(['first', 'second']);
});

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n';
const chunkOf = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
const event = (text: string) => chunkOf(`data: {"choices":[{"index":0,"delta":{"content":"${text}"}}]}\n\n`);

/** Two clients read streams by turns; a third asks when the first's stream has ended. */
function booksOf(atOnce: boolean) {
  const begun: number[] = [];
  const book = createTrafficBook(0, (inFlight) => begun.push(inFlight));
  const backlog = createBacklog(createManualClock());
  const connection = () =>
    createObserver({
      book,
      budget: { free: maxGatheredBytes },
      readers: [],
      stopAtHeads: false,
      ended: () => undefined,
      backlog,
      fault: (cause) => {
        throw cause;
      },
    });
  const request = Buffer.from('POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n');
  const [first, second, third] = [connection(), connection(), connection()];
  const ask = (observer: typeof first, now: number) => {
    observer.requestSoon(request, now);
    if (atOnce) backlog.read();
  };
  const answer = (observer: typeof first, text: string, now: number) => {
    observer.response(Buffer.from(text), now);
    if (atOnce) backlog.read();
  };
  for (const observer of [first, second]) ask(observer, 1);
  for (const observer of [first, second]) answer(observer, head, 2);
  for (let at = 0; at < 50; at += 1) {
    // Cut in the middle of an event, as networks do.
    const text = event(`token ${at}`);
    answer(first, text, 10 + 7 * at);
    answer(second, text.slice(0, at), 11 + 7 * at);
    answer(second, text.slice(at), 12 + 7 * at);
  }
  answer(first, `${chunkOf('data: [DONE]\n\n')}0\r\n\r\n`, 400);
  ask(third, 401);
  second.close('client', 500);
  third.close('client', 501);
  const tokens = book.totals().generatedTokens;
  return { begun, tokens, traffic: book.closeWindow(1_000) };
}

test('what is read later leaves the same books as what is read at once, and nobody sees one in flight that has ended', () => {
  const later = booksOf(false);
  expect(later).toEqual(booksOf(true));
  expect(later).toMatchObject({ begun: [1, 2, 2], tokens: 100, traffic: { finished: { '2xx': 1 }, aborted: 2 } });
});
