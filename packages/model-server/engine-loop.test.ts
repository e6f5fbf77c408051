import { expect, test } from '@jest/globals';
import { type Clock, createManualClock } from '@kubeai/daemon';
import { milliseconds } from '@kubeai/units';
import { createEngine } from './engine.ts';
import { runEngine } from './engine-loop.ts';

function setUp() {
  const manual = createManualClock();
  const armed = new Set<object>();
  const clock: Clock = {
    ...manual,
    after(span, action) {
      const timer = manual.after(span, () => {
        armed.delete(timer);
        action();
      });
      armed.add(timer);
      return {
        stop() {
          armed.delete(timer);
          timer.stop();
        },
      };
    },
  };
  const engine = createEngine({
    times: { prefillMs: () => 20, decodeMs: () => 10 },
    maxBatch: 10,
    maxQueue: 10,
    maxBatchedTokens: 100,
    kvBlocks: 100,
    blockTokens: 16,
    speed: 1,
  });
  const steps: number[] = [];
  const loop = runEngine(engine, clock, (step) => steps.push(step.endedAt));
  return { loop, steps, advance: manual.advance, timers: () => armed.size };
}

test('tokens are told when their step ends, by one timer however many sequences run', async () => {
  const { loop, advance, timers } = setUp();
  const told: string[] = [];
  for (const name of ['a', 'b', 'c']) {
    loop.submit({ promptTokens: 5, maxTokens: 2 }, (tokens, finished) => told.push(`${name}${tokens}${finished}`));
  }
  expect(timers()).toBe(1);
  await advance(milliseconds(20));
  expect(told).toEqual(['a1false']); // the others came after this step began
  await advance(milliseconds(20));
  expect(told).toEqual(['a1false', 'a1true', 'b1false', 'c1false']);
  expect(timers()).toBe(1);
  await advance(milliseconds(10));
  expect(told.slice(4)).toEqual(['b1true', 'c1true']);
  expect(timers()).toBe(0);
});

test('who cancels hears nothing more, and an idle loop has no timer', async () => {
  const { loop, advance, timers } = setUp();
  let calls = 0;
  const submitted = loop.submit({ promptTokens: 5, maxTokens: 5 }, () => {
    calls += 1;
  });
  await advance(milliseconds(20));
  if (submitted.ok) loop.cancel(submitted.value);
  await advance(milliseconds(1_000));
  expect([calls, timers()]).toEqual([1, 0]);
});

test('a listener may submit the next request from within its last token', async () => {
  const { loop, advance, steps } = setUp();
  loop.submit({ promptTokens: 5, maxTokens: 1 }, (_tokens, finished) => {
    if (finished) loop.submit({ promptTokens: 5, maxTokens: 1 }, () => undefined);
  });
  await advance(milliseconds(100));
  expect(steps).toEqual([20, 40]);
});

test('steps that fall due together are told in one call', async () => {
  const { loop, advance, steps } = setUp();
  const told: number[] = [];
  loop.submit({ promptTokens: 5, maxTokens: 4 }, (tokens) => told.push(tokens));
  loop.hang(true);
  await advance(milliseconds(500));
  expect(told).toEqual([]);
  loop.hang(false);
  await advance(milliseconds(500));
  expect(steps).toEqual([500, 510, 520, 530]);
  expect(told).toEqual([1, 1, 1, 1]);
});
