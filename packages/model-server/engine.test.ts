import { expect, test } from '@jest/globals';
import { type Instant, instant } from '@kubeai/units';
import fc from 'fast-check';
import { createEngine, type Engine, type EngineConfig, type Sequence, type Step } from './engine.ts';
import { serviceTimes } from './service-times.ts';

/** Round numbers: a millisecond a prompt token, ten a step and one for each sequence in it. */
const plainTimes = { prefillMs: (tokens: number) => tokens, decodeMs: (sequences: number) => 10 + sequences };

const plain: EngineConfig = {
  times: plainTimes,
  maxBatch: 4,
  maxQueue: 2,
  maxBatchedTokens: 1_000,
  kvBlocks: 1_000,
  blockTokens: 16,
  speed: 1,
};

const engineWith = (changes: Partial<EngineConfig>): Engine => createEngine({ ...plain, ...changes });

function accepted(engine: Engine, promptTokens: number, maxTokens: number, at = 0): Sequence {
  const sequence = engine.submit({ promptTokens, maxTokens }, instant(at));
  if (typeof sequence === 'string') throw new Error(`refused: ${sequence}`);
  return sequence;
}

/** Runs until nothing is under way, in virtual time. */
function runOut(engine: Engine): Step[] {
  const steps: Step[] = [];
  for (let end = engine.nextStepEnd(); end !== undefined; end = engine.nextStepEnd())
    steps.push(...engine.advance(end));
  return steps;
}

const ends = (steps: readonly Step[]) => steps.map((step) => step.endedAt);

test('one request reads its prompt, gives a token at the end of that, then one a step', () => {
  const engine = engineWith({});
  const sequence = accepted(engine, 100, 3);
  expect(ends(runOut(engine))).toEqual([100, 111, 122]);
  expect(sequence).toMatchObject({ arrivedAt: 0, scheduledAt: 0, firstTokenAt: 100, lastTokenAt: 122, generated: 3 });
  expect(engine.state()).toEqual({ running: 0, waiting: 0, kvUsage: 0, preemptions: 0 });
});

test('a long prompt is read in chunks, and whoever is decoding gets a token with each', () => {
  const engine = engineWith({ maxBatchedTokens: 100 });
  const reader = accepted(engine, 50, 10);
  engine.advance(instant(50));
  const long = accepted(engine, 250, 1, 50);
  engine.advance(instant(1_000));
  // The step at 50 had begun without it; then 99 + 99 + 52 prompt tokens beside one decoding token each.
  expect(long.scheduledAt).toBe(61);
  expect(long.firstTokenAt).toBe(61 + 100 + 100 + 53);
  expect(reader.generated).toBe(10);
});

test('who finds the batch full waits in order of arrival', () => {
  const engine = engineWith({ maxBatch: 1, maxQueue: 5 });
  const order = [accepted(engine, 10, 2), accepted(engine, 10, 1), accepted(engine, 10, 1)];
  expect(engine.state()).toMatchObject({ running: 1, waiting: 2 });
  runOut(engine);
  expect(order.map((sequence) => sequence.firstTokenAt)).toEqual([11, 33, 44]);
});

test('the queue is bounded, and a place in the batch is not a place in the queue', () => {
  const engine = engineWith({ maxBatch: 2, maxQueue: 1 });
  const outcomes = Array.from({ length: 4 }, () => engine.submit({ promptTokens: 1, maxTokens: 1 }, instant(0)));
  expect(outcomes.map((outcome) => (typeof outcome === 'string' ? outcome : 'taken'))).toEqual([
    'taken',
    'taken',
    'taken',
    'queueFull',
  ]);
});

test('a request that could never fit the memory is refused', () => {
  const engine = engineWith({ kvBlocks: 10 });
  expect(engine.submit({ promptTokens: 150, maxTokens: 11 }, instant(0))).toBe('tooLong');
  expect(engine.submit({ promptTokens: 150, maxTokens: 10 }, instant(0))).not.toBe('tooLong');
});

test('a full memory throws out the youngest, which is read again and loses no token', () => {
  const engine = engineWith({ kvBlocks: 8 });
  const older = accepted(engine, 48, 40);
  const younger = accepted(engine, 48, 40);
  const steps = runOut(engine);
  const tokensOf = (sequence: Sequence) =>
    steps.flatMap((step) => step.emissions).filter((emission) => emission.sequence === sequence).length;
  expect(engine.state()).toEqual({ running: 0, waiting: 0, kvUsage: 0, preemptions: 1 });
  expect([tokensOf(older), tokensOf(younger)]).toEqual([40, 40]);
  expect(older.lastTokenAt!).toBeLessThan(younger.lastTokenAt!);
  // Computed: both prompts and 39 tokens of each, then the younger's prompt again and whatever it had written.
  const computed = steps.reduce((sum, step) => sum + step.tokens, 0);
  expect(computed).toBeGreaterThan(2 * (48 + 39) + 48);
});

test('occupied memory counts whole blocks', () => {
  const engine = engineWith({ kvBlocks: 10 });
  accepted(engine, 17, 5);
  expect(engine.state().kvUsage).toBeCloseTo(0.2);
});

test('a client that leaves frees its place at the next step, and its memory at once', () => {
  const engine = engineWith({ maxBatch: 1 });
  const gone = accepted(engine, 100, 1_000);
  const waitingAndGone = accepted(engine, 10, 10);
  const next = accepted(engine, 10, 1);
  engine.advance(instant(111));
  engine.cancel(gone, instant(115));
  engine.cancel(waitingAndGone, instant(115));
  expect(engine.state()).toMatchObject({ running: 0, waiting: 1, kvUsage: 0 });
  const steps = runOut(engine);
  expect(next.scheduledAt).toBe(122);
  expect(steps.flatMap((step) => step.emissions).map((emission) => emission.sequence)).toEqual([next]);
});

test('leaving twice, or after the end, changes nothing', () => {
  const engine = engineWith({});
  const sequence = accepted(engine, 10, 1);
  runOut(engine);
  engine.cancel(sequence, instant(50));
  engine.cancel(sequence, instant(51));
  expect(engine.state()).toMatchObject({ running: 0, kvUsage: 0 });
});

test('steps that ended while nobody looked are completed in order, without drift', () => {
  const engine = engineWith({});
  accepted(engine, 100, 4);
  expect(ends(engine.advance(instant(500)))).toEqual([100, 111, 122, 133]);
  accepted(engine, 100, 1, 600);
  expect(engine.nextStepEnd()).toBe(700);
});

test('speed divides every duration, a slow engine multiplies what begins from then on', () => {
  const engine = engineWith({ speed: 10 });
  accepted(engine, 100, 3);
  engine.advance(instant(10));
  engine.slowDown(5);
  expect(ends(runOut(engine))).toEqual([11.1, 16.6]);
});

test('a hung engine takes requests in, completes nothing, and goes on when freed', () => {
  const engine = engineWith({});
  accepted(engine, 100, 2);
  engine.hang(true, instant(50));
  accepted(engine, 100, 1, 60);
  expect(engine.nextStepEnd()).toBeUndefined();
  expect(engine.advance(instant(10_000))).toEqual([]);
  expect(engine.state()).toMatchObject({ running: 1, waiting: 1 });
  engine.hang(false, instant(20_000));
  expect(ends(runOut(engine))).toEqual([20_000, 20_101]);
});

// What the measured medians give for 200 tokens each: batch × 200 ÷ (prefill + 199 decode steps).
test.each<[batch: number, tokensPerSecond: number, firstTokenMs: number]>([
  [1, 32.5, 58.2],
  [8, 234, 376],
  [32, 693, 1_552],
])(
  'llama2-70b on 8 × H100 keeps to the measured times with %i in the batch',
  (batch, tokensPerSecond, firstTokenMs) => {
    const engine = createEngine({
      ...plain,
      times: serviceTimes({ model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 })!,
      maxBatch: batch,
      maxQueue: 100,
      maxBatchedTokens: 512 * 64,
      kvBlocks: 100_000,
    });
    const blocker = accepted(engine, 512, 1); // so that the others begin in one step
    const sequences = Array.from({ length: batch }, () => accepted(engine, 512, 200));
    const steps = runOut(engine);
    const start = blocker.lastTokenAt!;
    const spent = (steps.at(-1)!.endedAt - start) / 1_000;
    expect(sequences[0]!.firstTokenAt! - start).toBeCloseTo(firstTokenMs, -1.5);
    expect((batch * 200) / spent / tokensPerSecond).toBeCloseTo(1, 1.5);
  },
);

test('whatever arrives and leaves, no memory is lost, no batch overflows and everybody who stays is answered', () => {
  const arrivals = fc.array(
    fc.record({
      gap: fc.integer({ min: 0, max: 300 }),
      promptTokens: fc.integer({ min: 1, max: 200 }),
      maxTokens: fc.integer({ min: 1, max: 60 }),
      leavesAfter: fc.option(fc.integer({ min: 0, max: 500 }), { nil: undefined }),
    }),
    { maxLength: 25 },
  );
  fc.assert(
    fc.property(arrivals, fc.integer({ min: 17, max: 40 }), (requests, kvBlocks) => {
      const engine = engineWith({ kvBlocks, maxBatchedTokens: 64, maxQueue: 8 });
      const tokens = new Map<Sequence, number>();
      const left = new Set<Sequence>();
      const leaving: { at: number; sequence: Sequence }[] = [];
      const taken: Sequence[] = [];
      let now = 0;
      const goTo = (at: Instant) => {
        for (const step of engine.advance(at)) {
          expect(step.tokens).toBeLessThanOrEqual(64);
          for (const { sequence } of step.emissions) {
            expect(left.has(sequence)).toBe(false);
            tokens.set(sequence, (tokens.get(sequence) ?? 0) + 1);
          }
        }
        const { running, kvUsage } = engine.state();
        expect(running).toBeLessThanOrEqual(4);
        expect(kvUsage).toBeGreaterThanOrEqual(0);
        expect(kvUsage).toBeLessThanOrEqual(1);
      };
      for (const { gap, leavesAfter, ...request } of requests) {
        now += gap;
        for (const { at, sequence } of leaving.filter((leave) => leave.at <= now)) {
          goTo(instant(at));
          engine.cancel(sequence, instant(at));
          left.add(sequence);
        }
        goTo(instant(now));
        const sequence = engine.submit(request, instant(now));
        if (typeof sequence === 'string') continue;
        taken.push(sequence);
        if (leavesAfter !== undefined) leaving.push({ at: now + leavesAfter, sequence });
      }
      for (let end = engine.nextStepEnd(); end !== undefined; end = engine.nextStepEnd()) goTo(end);
      expect(engine.state()).toMatchObject({ running: 0, waiting: 0, kvUsage: 0 });
      for (const sequence of taken) {
        if (!left.has(sequence)) expect(tokens.get(sequence)).toBe(sequence.maxTokens);
      }
    }),
    { numRuns: 150 },
  );
});
