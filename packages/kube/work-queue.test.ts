import { expect, test } from '@jest/globals';
import { createManualClock, type ManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import fc from 'fast-check';
import { createWorkQueue, type WorkQueue, workOff } from './work-queue.ts';

// The model: client-go's contract in the fewest words. A key is dirty, being worked on, or both; it is handed out in the
// order in which it became ready.
interface Model {
  readonly dirty: Set<string>;
  readonly processing: Set<string>;
  readonly order: string[];
  readonly later: Map<string, number>;
  readonly failures: Map<string, number>;
  now: number;
}
const emptyModel = (): Model => ({
  dirty: new Set(),
  processing: new Set(),
  order: [],
  later: new Map(),
  failures: new Map(),
  now: 0,
});
interface Real {
  readonly queue: WorkQueue<string>;
  readonly clock: ManualClock;
}
const add = (model: Model, key: string) => {
  if (model.dirty.has(key)) return;
  model.dirty.add(key);
  if (!model.processing.has(key)) model.order.push(key);
};
const plan = (model: Model, key: string, span: number) => {
  const at = model.now + span;
  if (span <= 0) add(model, key);
  else if ((model.later.get(key) ?? Number.POSITIVE_INFINITY) > at) {
    model.later.delete(key); // of two that fall due at once, the one planned first comes first
    model.later.set(key, at);
  }
};

type Step = fc.AsyncCommand<Model, Real>;
const step = (
  name: string,
  ready: (model: Model) => boolean,
  run: (model: Model, real: Real) => Promise<void>,
): Step => ({
  check: ready,
  async run(model, real) {
    await run(model, real);
    expect(real.queue.length()).toBe(model.order.length);
  },
  toString: () => name,
});
const always = () => true;

const steps = {
  add: (key: string) =>
    step(`add ${key}`, always, async (model, { queue }) => {
      queue.add(key);
      add(model, key);
    }),
  addAfter: (key: string, span: number) =>
    step(`add ${key} after ${span}`, always, async (model, { queue }) => {
      queue.addAfter(key, milliseconds(span));
      plan(model, key, span);
    }),
  fail: (key: string) =>
    step(`fail ${key}`, always, async (model, { queue }) => {
      queue.addRateLimited(key);
      const failures = model.failures.get(key) ?? 0;
      model.failures.set(key, failures + 1);
      plan(model, key, Math.min(60_000, 250 * 2 ** failures));
    }),
  forget: (key: string) =>
    step(`forget ${key}`, always, async (model, { queue }) => {
      queue.forget(key);
      model.failures.delete(key);
    }),
  get: () =>
    step(
      'get',
      (model) => model.order.length > 0,
      async (model, { queue }) => {
        const expected = model.order.shift()!;
        expect(await queue.get()).toBe(expected);
        expect(model.processing.has(expected)).toBe(false);
        model.dirty.delete(expected);
        model.processing.add(expected);
      },
    ),
  done: (key: string) =>
    step(`done ${key}`, always, async (model, { queue }) => {
      queue.done(key);
      if (model.processing.delete(key) && model.dirty.has(key)) model.order.push(key);
    }),
  wait: (span: number) =>
    step(`wait ${span}`, always, async (model, { clock }) => {
      await clock.advance(milliseconds(span));
      model.now += span;
      const due = [...model.later].filter(([, at]) => at <= model.now).sort((one, other) => one[1] - other[1]);
      for (const [key] of due) {
        model.later.delete(key);
        add(model, key);
      }
    }),
};

const keys = fc.constantFrom('a', 'b', 'c');
const anySteps = [
  keys.map(steps.add),
  fc.tuple(keys, fc.integer({ min: 0, max: 3_000 })).map(([key, span]) => steps.addAfter(key, span)),
  keys.map(steps.fail),
  keys.map(steps.forget),
  fc.constant(steps.get()),
  keys.map(steps.done),
  fc.integer({ min: 1, max: 5_000 }).map(steps.wait),
];
/** Two keys that fall due at the same moment, one of which was planned for later before. */
const dueAtOnce = [steps.addAfter('b', 251), steps.fail('a'), steps.fail('b'), steps.wait(250), steps.get()];

test('the queue behaves as its model under any order of calls', async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(anySteps, { maxCommands: 60 }), async (commands) => {
      const clock = createManualClock();
      await fc.asyncModelRun(
        () => ({
          model: emptyModel(),
          real: { queue: createWorkQueue<string>({ clock }), clock },
        }),
        commands,
      );
    }),
    { numRuns: 150, examples: [[dueAtOnce]] },
  );
});

test('workers never hold the same key at once, and work added meanwhile is done again', async () => {
  const clock = createManualClock();
  const queue = createWorkQueue<string>({ clock });
  const held = new Set<string>();
  const runs: string[] = [];
  const worked = workOff(
    queue,
    3,
    async (key) => {
      expect(held.has(key)).toBe(false);
      held.add(key);
      runs.push(key);
      if (runs.filter((run) => run === 'a').length === 1) queue.add('a');
      await clock.sleep(seconds(1));
      held.delete(key);
    },
    () => undefined,
  );
  for (const key of ['a', 'b', 'a', 'c', 'd']) queue.add(key);
  await clock.advance(seconds(10));
  expect(runs.toSorted()).toEqual(['a', 'a', 'b', 'c', 'd']);
  queue.shutDown();
  await worked;
});

test('work that throws is repeated after 0.25 s, 0.5 s, 1 s …, and success forgets the failures', async () => {
  const clock = createManualClock();
  const queue = createWorkQueue<string>({ clock });
  const at: number[] = [];
  const failures: unknown[] = [];
  const worked = workOff(
    queue,
    1,
    async () => {
      at.push(clock.now());
      if (at.length < 4) throw new Error('not yet');
    },
    (_key, cause) => failures.push(cause),
  );
  queue.add('a');
  await clock.advance(seconds(60));
  expect(at).toEqual([0, 250, 750, 1_750]);
  expect([failures.length, queue.failures('a')]).toEqual([3, 0]);
  queue.shutDown();
  await worked;
});

test('the observer is told what the metrics need', async () => {
  const clock = createManualClock();
  const told: string[] = [];
  const queue = createWorkQueue<string>({
    clock,
    observer: {
      added: () => told.push('added'),
      retried: () => told.push('retried'),
      got: (waited) => told.push(`got after ${waited}`),
      finished: (took) => told.push(`finished in ${took}`),
    },
  });
  queue.add('a');
  await clock.advance(seconds(2));
  await queue.get();
  await clock.advance(seconds(3));
  queue.done('a');
  queue.addRateLimited('a');
  expect(told).toEqual(['added', 'got after 2000', 'finished in 3000', 'retried']);
});
