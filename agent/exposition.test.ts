import { expect, test } from '@jest/globals';
import { parseExposition } from '@kubeai/engines';
import { type Exposed, renderMetrics } from './exposition.ts';
import { type Route, routes } from './route.ts';
import { createTrafficBook, type TrafficBook } from './traffic.ts';

const exposedOf = (book: TrafficBook): Exposed => ({
  pod: { name: 'llama-0', namespace: 'models', uid: 'uid' },
  totals: () => book.totals(),
  report: () => undefined,
  push: () => undefined,
  refused: () => 0,
  inFlight: () => book.inFlight,
  waitingFirstByte: () => book.waitingFirstByte,
  queued: () => 0,
  lostLogLines: () => 0,
});

/** Answers of 5 ms, and a hundred times as slow from the second route on. */
function bookOf(...routes: readonly Route[]): TrafficBook {
  const book = createTrafficBook(0);
  for (const [at, route] of routes.entries()) answer(book, route, at === 0 ? 5 : 500);
  return book;
}

/** A stream of two tokens that ends after so many milliseconds. */
function answer(book: TrafficBook, route: Route, milliseconds: number): void {
  const exchange = book.begin(route, 0);
  book.firstByte(exchange, 1);
  book.tokens(exchange, 1, 2);
  book.tokens(exchange, 1, 3);
  book.finish(exchange, '2xx', milliseconds);
}

const counts = (text: string, name: string, le: string): Record<string, number> =>
  Object.fromEntries(
    (parseExposition(text).samples.get(name) ?? []).flatMap(({ labels, value }) =>
      labels.le === le ? [[labels.route, value]] : [],
    ),
  );

test('histograms stand by route, and their buckets add up', async () => {
  const text = await renderMetrics(exposedOf(bookOf('chat', 'embeddings')));
  expect(counts(text, 'kubeai_request_duration_seconds_bucket', '0.025')).toEqual({ chat: 1, embeddings: 0 });
  expect(counts(text, 'kubeai_request_duration_seconds_bucket', '1')).toEqual({ chat: 1, embeddings: 1 });
  expect(counts(text, 'kubeai_request_duration_seconds_bucket', '+Inf')).toEqual({ chat: 1, embeddings: 1 });
  expect(text).toContain('kubeai_request_duration_seconds_sum{route="embeddings"} 0.5\n');
});

test('what nothing is known of is left out', async () => {
  const { families, problems } = parseExposition(await renderMetrics(exposedOf(createTrafficBook(0))));
  expect(problems).toEqual([]);
  expect([...families.keys()]).not.toContain('kubeai_request_duration_seconds');
  expect([...families.keys()]).not.toContain('kubeai_push_connected');
  expect([...families.keys()]).toContain('kubeai_connections_total');
});

test('others have their turns while a page is made, and each histogram is of one moment', async () => {
  const book = bookOf(...routes);
  let turns = 0;
  let over = false;
  const others = () => {
    turns += 1;
    for (const route of routes) answer(book, route, 5);
    if (!over) setImmediate(others);
  };
  setImmediate(others);
  const text = await renderMetrics(exposedOf(book));
  over = true;
  const { families, samples } = parseExposition(text);
  // Four histograms of all routes, each more than a turn's worth.
  expect(turns).toBeGreaterThanOrEqual(4);
  for (const name of families.keys()) {
    const whole = (samples.get(`${name}_bucket`) ?? []).filter(({ labels }) => labels.le === '+Inf');
    expect(whole.map(({ value }) => value)).toEqual((samples.get(`${name}_count`) ?? []).map(({ value }) => value));
  }
});
