import { expect, test } from '@jest/globals';
import { decodeSketch } from '@kubeai/sketch';
import { createTrafficBook } from './traffic.ts';

test('concurrency is the time-weighted mean over the window', () => {
  const book = createTrafficBook(0);
  const first = book.begin('chat', 0);
  const second = book.begin('chat', 500);
  book.finish(first, '2xx', 750);
  // One request for 500 ms, two for 250, one for 250.
  expect(book.closeWindow(1_000)).toMatchObject({ concurrency: 1.25, inFlight: 1, started: 2, finished: { '2xx': 1 } });
  expect(book.closeWindow(2_000)).toMatchObject({ concurrency: 1, inFlight: 1, started: 0, finished: {} });
  book.finish(second, '2xx', 2_500);
  expect(book.closeWindow(3_000)).toMatchObject({ concurrency: 0.5, inFlight: 0, finished: { '2xx': 1 } });
});

test('a window holds only what happened in it, totals hold everything', () => {
  const book = createTrafficBook(0);
  for (const at of [0, 1_000]) {
    const exchange = book.begin('completions', at);
    book.firstByte(exchange, at + 20);
    book.tokens(exchange, 1, at + 30);
    book.tokens(exchange, 4, at + 70);
    book.usage(exchange, 12, 7);
    book.finish(exchange, '2xx', at + 100);
    const traffic = book.closeWindow(at + 1_000);
    expect(traffic).toMatchObject({ promptTokens: 12, generatedTokens: 7 });
    expect(decodeSketch(traffic.latencyMs)).toMatchObject({ count: 1, sum: 100 });
    expect(decodeSketch(traffic.timeToFirstByteMs).sum).toBe(20);
    expect(decodeSketch(traffic.timeToFirstTokenMs).sum).toBe(30);
    // Four tokens in one chunk share the 40 ms since the one before.
    expect(decodeSketch(traffic.interTokenMs)).toMatchObject({ count: 4, sum: 40 });
  }
  expect(book.totals()).toMatchObject({ promptTokens: 24, generatedTokens: 14 });
  expect(book.totals().routes.get('completions')!.latencyMs.count).toBe(2);
});

test('prompt tokens that nobody told are absent, not zero', () => {
  const book = createTrafficBook(0);
  const exchange = book.begin('chat', 0);
  book.usage(exchange, undefined, undefined);
  book.finish(exchange, '2xx', 10);
  expect(book.closeWindow(1_000)).not.toHaveProperty('promptTokens');
});

test('an error is counted but does not make the server look fast', () => {
  const book = createTrafficBook(0);
  book.finish(book.begin('chat', 0), '5xx', 1);
  book.finish(book.begin('chat', 0), '4xx', 1);
  const traffic = book.closeWindow(1_000);
  expect(traffic.finished).toEqual({ '4xx': 1, '5xx': 1 });
  expect(decodeSketch(traffic.latencyMs).count).toBe(0);
});

test('who gave up before the first byte has waited at least so long; who left a stream says nothing of latency', () => {
  const book = createTrafficBook(0);
  book.abort(book.begin('chat', 0), 30_000);
  const read = book.begin('chat', 0);
  book.firstByte(read, 10);
  book.abort(read, 50);
  const traffic = book.closeWindow(60_000);
  expect(traffic).toMatchObject({ aborted: 2, inFlight: 0, waitingFirstByte: 0 });
  expect(decodeSketch(traffic.latencyMs)).toMatchObject({ count: 1, sum: 30_000 });
});

test('a request leaves the books once, however its end is told', () => {
  const book = createTrafficBook(0);
  const exchange = book.begin('chat', 0);
  book.finish(exchange, '2xx', 10);
  book.abort(exchange, 11);
  book.fail(exchange, 12);
  book.lose(exchange, 13);
  expect(book.closeWindow(100)).toMatchObject({
    inFlight: 0,
    waitingFirstByte: 0,
    aborted: 0,
    failed: 0,
    finished: { '2xx': 1 },
  });
  expect(book.open).toBe(0);
});

test('probes are open while they last, but never load', () => {
  const book = createTrafficBook(0);
  const probe = book.begin('probe', 0);
  expect({ open: book.open, inFlight: book.inFlight }).toEqual({ open: 1, inFlight: 0 });
  book.firstByte(probe, 1);
  book.finish(probe, '2xx', 2);
  const traffic = book.closeWindow(1_000);
  expect(traffic).toMatchObject({ started: 0, finished: {}, concurrency: 0 });
  expect(decodeSketch(traffic.latencyMs).count).toBe(0);
});
