import { expect, test } from '@jest/globals';
import { learnAtOnce, learnFull, learnPlaces, learnSteps, tokenCosts, type WorkModel } from './work-model.ts';

/** An engine whose steps take 30 ms, 0.25 ms more for each answer, and 0.05 ms for each prompt token that they read beside. */
const perPrompt = 0.05;
function stepOf(answers: number, promptsPerSecond: number): { answers: number; promptsPerSecond: number; ms: number } {
  return { answers, promptsPerSecond, ms: (30 + 0.25 * answers) / (1 - (perPrompt * promptsPerSecond) / 1_000) };
}

/** A minute of each of these: answers at once, and prompt tokens a second. */
function learned(...minutes: readonly (readonly [number, number])[]): WorkModel {
  let model: WorkModel | undefined;
  for (const [answers, prompts] of minutes)
    for (let look = 0; look < 60; look += 1) model = learnSteps(model, stepOf(answers, prompts));
  return model!;
}

const mixed = learned([4, 500], [12, 4_000], [4, 2_000], [12, 1_000], [8, 3_000], [6, 1_000]);

test('nobody knows what a token costs before a full replica was seen', () => {
  expect(tokenCosts(mixed)).toBeUndefined();
});

test('a token of an answer costs its share of a step with all places taken, one of a prompt what it adds to a step', () => {
  const { promptMs, tokenMs } = tokenCosts(learnPlaces(mixed, 32))!;
  expect(promptMs).toBeCloseTo(perPrompt, 2);
  expect(tokenMs).toBeCloseTo((30 + 0.25 * 32) / 32, 1);
});

test('what is known of one mix holds for another', () => {
  const full = learnPlaces(mixed, 32);
  let other = full;
  for (let look = 0; look < 600; look += 1) other = learnSteps(other, stepOf(10, 8_000));
  expect(tokenCosts(other)!.promptMs / tokenCosts(full)!.promptMs).toBeCloseTo(1, 1);
  expect(tokenCosts(other)!.tokenMs / tokenCosts(full)!.tokenMs).toBeCloseTo(1, 1);
});

test('while loads have not differed, steps are taken to slow down a little, and never more than in proportion', () => {
  const flat = learnPlaces(learned([8, 0]), 32);
  const { tokenMs } = tokenCosts(flat)!;
  expect(tokenMs).toBeGreaterThan(32 / 32);
  expect(tokenMs).toBeLessThan(32 / 8);
});

test.each([
  ['answers', [4, 12], [35, 31]],
  ['prompts', [8, 8], [33, 31]],
] as const)('noise that makes steps faster by more %s is no gain', (_what, answers, ms) => {
  let model: WorkModel | undefined;
  for (let look = 0; look < 300; look += 1) {
    const odd = look % 2;
    model = learnSteps(model, { answers: answers[odd]!, promptsPerSecond: 500 + 2_000 * odd, ms: ms[odd]! });
  }
  const costs = tokenCosts(learnPlaces(model, 16))!;
  expect(costs.promptMs).toBeGreaterThanOrEqual(0);
  expect(costs.tokenMs).toBeGreaterThan(0);
  expect(costs.tokenMs).toBeLessThanOrEqual(35 / 4);
});

test('more places are believed at once, fewer only when they are seen again and again', () => {
  const full = learnPlaces(undefined, 16);
  expect(learnPlaces(full, 32).places).toBe(32);
  const once = learnPlaces(full, 8);
  expect(once.places).toBeGreaterThan(15);
  let again = once;
  for (let look = 0; look < 6_000; look += 1) again = learnPlaces(again, 8);
  expect(again.places).toBeCloseTo(8, 0);
});

test('a replica has as many places at least as it ever served at once, whatever waits beside fewer', () => {
  // Twenty answers without anybody waiting; later two wait while a long prompt is read beside five.
  const busy = learnAtOnce(learnAtOnce(mixed, 20), 6);
  expect(busy.places).toBeUndefined();
  expect(tokenCosts(busy)).toEqual(tokenCosts(learnPlaces(mixed, 20)));
  const reading = learnPlaces(busy, 5);
  expect(reading.places).toBeGreaterThan(19.9);
  expect(learnAtOnce(reading, 32).places).toBe(32);
  expect(learnAtOnce(reading, 8)).toBe(reading);
});

test('batches that are free until they are not are known once full replicas were seen, and for long after', () => {
  const light = learnPlaces(learned([4, 0]), 16);
  let full = light;
  // Sixteen answers at once, a token of each in 160 ms.
  for (let look = 0; look < 120; look += 1) full = learnFull(full, 100, 0);
  expect(tokenCosts(full)!.tokenMs).toBeCloseTo(10, 0);
  let later = full;
  for (let look = 0; look < 600; look += 1) later = learnSteps(later, stepOf(4, 0));
  expect(tokenCosts(later)!.tokenMs).toBeGreaterThan(0.9 * tokenCosts(full)!.tokenMs);
});

test('full replicas that only read tell nothing of what writing costs', () => {
  const before = learnPlaces(mixed, 32);
  let full = before;
  for (let look = 0; look < 120; look += 1) full = learnFull(full, 20, 1_000 / perPrompt);
  expect(tokenCosts(full)!.tokenMs / tokenCosts(before)!.tokenMs).toBeCloseTo(1, 1);
});
