import { expect, test } from '@jest/globals';
import { learnFull, learnPlaces, learnTokenTimes, requestCost, type WorkModel } from './work-model.ts';

/** An engine that takes 30 ms a token, and 0.25 ms more for each stream. */
const interTokenAt = (streams: number): number => 30 + 0.25 * streams;

/** A minute at each of these loads, first tokens after 200 ms. */
function learned(loads: readonly number[]): WorkModel {
  let model: WorkModel | undefined;
  for (const concurrency of loads)
    for (let look = 0; look < 60; look += 1)
      model = learnTokenTimes(model, { concurrency, interTokenMs: interTokenAt(concurrency), firstTokenMs: 200 });
  return model!;
}

test('nobody knows what a request costs before a full replica was seen', () => {
  expect(requestCost(learned([4, 12]), { tokens: 100, interTokenMs: 33, load: 12 })).toBeUndefined();
});

test('a request costs its time beside as many others as there are places, over the places', () => {
  const model = learnPlaces(learned([4, 12]), 32);
  const cost = requestCost(model, { tokens: 100, interTokenMs: interTokenAt(12), load: 12 })!;
  expect(cost).toBeCloseTo((200 + 100 * interTokenAt(32)) / 32, 0);
});

test.each([
  ['longer answers', { tokens: 200, interTokenMs: 33, load: 12 }],
  ['slower tokens, as beside longer prompts', { tokens: 100, interTokenMs: 45, load: 12 }],
])('%s cost more at once', (_what, now) => {
  const model = learnPlaces(learned([4, 12]), 32);
  const before = requestCost(model, { tokens: 100, interTokenMs: 33, load: 12 })!;
  expect(requestCost(model, now)!).toBeGreaterThan(1.25 * before);
});

test('while loads have not differed, tokens are taken to slow down a little, and never more than in proportion', () => {
  const flat = learnPlaces(learned([8]), 32);
  const cost = requestCost(flat, { tokens: 100, interTokenMs: 32, load: 8 })!;
  expect(cost).toBeGreaterThan((200 + 100 * 32) / 32);
  expect(cost).toBeLessThan((200 + 100 * 32 * 4) / 32);
});

test('tokens of full replicas are taken as they are', () => {
  const model = learnPlaces(learned([4, 12]), 32);
  expect(requestCost(model, { tokens: 100, interTokenMs: 40, load: 50 })).toBeCloseTo((200 + 100 * 40) / 32, 3);
});

test('more places are believed at once, fewer only when they are seen again and again', () => {
  const full = learnPlaces(undefined, 16);
  expect(learnPlaces(full, 32).places).toBe(32);
  const once = learnPlaces(full, 8);
  expect(once.places).toBeGreaterThan(15);
  let again = once;
  for (let look = 0; look < 200; look += 1) again = learnPlaces(again, 8);
  expect(again.places).toBeCloseTo(8, 0);
});

test('batches that are free until they are not are known once full replicas were seen', () => {
  const before = learnPlaces(learned([4]), 16);
  const costOf = (model: WorkModel) => requestCost(model, { tokens: 100, interTokenMs: 40, load: 4 })!;
  expect(costOf(learnFull(before, 160))).toBeGreaterThan(1.4 * costOf(before));
  // What light loads say later does not outweigh it at once.
  let later = learnFull(before, 160);
  for (let look = 0; look < 600; look += 1)
    later = learnTokenTimes(later, { concurrency: 4, interTokenMs: 40, firstTokenMs: 200 });
  expect(costOf(later)).toBeGreaterThan(1.3 * costOf(before));
});
