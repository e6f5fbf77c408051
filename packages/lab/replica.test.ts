// The fast engine is held to the one of the model server, step for step: the same requests, the same moments of first and
// last tokens.
import { expect, test } from '@jest/globals';
import { createEngine, type Sequence, serviceTimes } from '@kubeai/model-server';
import { type Instant, instant } from '@kubeai/units';
import { createRandom } from './random.ts';
import {
  createFleet,
  createReplica,
  type EngineLimits,
  engineLimitsOf,
  type RequestBook,
  stepTimesOf,
} from './replica.ts';

const hardware = { model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 };
const times = serviceTimes(hardware)!;
const roomy = engineLimitsOf(hardware, 32);

interface Request {
  readonly at: number;
  readonly prompt: number;
  readonly output: number;
}

function requests(count: number, perSecond: number, seed: number, promptMean = 1_000, outputMean = 200): Request[] {
  const random = createRandom(seed);
  let at = 0;
  return Array.from({ length: count }, () => {
    at += (1_000 * random.exponential()) / perSecond;
    const length = (mean: number) => Math.max(1, Math.round(mean * random.exponential()));
    return { at, prompt: length(promptMean), output: length(outputMean) };
  });
}

interface Served {
  readonly first: number;
  readonly done: number;
}

/** `undefined` where the queue was full. */
function byModelServer(list: readonly Request[], limits: EngineLimits): (Served | undefined)[] {
  const engine = createEngine({ times, ...limits, blockTokens: 16, speed: 1 });
  const ends = new Map<Sequence, number>();
  const collect = (now: Instant) => {
    for (const step of engine.advance(now)) {
      for (const { sequence, finished } of step.emissions) if (finished) ends.set(sequence, step.endedAt);
    }
  };
  const taken = list.map(({ at, prompt, output }) => {
    collect(instant(at));
    const sequence = engine.submit({ promptTokens: prompt, maxTokens: output }, instant(at));
    return typeof sequence === 'string' ? undefined : sequence;
  });
  collect(instant(1e9));
  return taken.map((sequence) => sequence && { first: sequence.firstTokenAt!, done: ends.get(sequence)! });
}

function byReplica(list: readonly Request[], limits: EngineLimits, everySecond = false): (Served | undefined)[] {
  const book: RequestBook = {
    at: Float64Array.from(list, ({ at }) => at),
    prompt: Int32Array.from(list, ({ prompt }) => prompt),
    output: Int32Array.from(list, ({ output }) => output),
    firstAt: new Float64Array(list.length),
    doneAt: new Float64Array(list.length),
  };
  const replica = createReplica(stepTimesOf(times, limits), limits, book, createFleet(1), 0, undefined);
  let second = 0;
  const taken = list.map(({ at }, id) => {
    for (; everySecond && second < at; second += 1_000) {
      replica.advance(second);
      replica.settle(second);
    }
    replica.advance(at);
    return replica.submit(id, at);
  });
  replica.advance(1e9);
  return taken.map((isTaken, id) => (isTaken ? { first: book.firstAt[id]!, done: book.doneAt[id]! } : undefined));
}

const tight: EngineLimits = { ...roomy, kvBlocks: 1_200 };
test.each([
  ['light load', requests(300, 1, 1), roomy],
  ['the load it can carry', requests(800, 2.5, 2), roomy],
  ['far more than it can carry', requests(800, 6, 3), roomy],
  ['a queue that overflows', requests(400, 20, 4), { ...roomy, maxQueue: 50 }],
  ['prompts longer than a step', requests(300, 1, 5, 4_000), roomy],
  [
    'KV memory that throws members out',
    requests(300, 3, 6, 800, 400).map((each) => ({
      ...each,
      prompt: Math.min(each.prompt, 4_000),
      output: Math.min(each.output, 3_000),
    })),
    tight,
  ],
  [
    'a prompt whose last token has a step to itself',
    requests(200, 1, 8).map((each) => ({ ...each, prompt: 2_049 })),
    roomy,
  ],
  ['answers of one token', requests(300, 8, 7, 300, 1), roomy],
] as const)('serves as the model server does: %s', (_, list, limits) => {
  const expected = byModelServer(list, limits);
  for (const served of [byReplica(list, limits), byReplica(list, limits, true)]) {
    const wrong = expected.flatMap((each, index) => {
      const other = served[index];
      if (each === undefined || other === undefined) return each === other ? [] : [{ index, each, other }];
      const isSame = Math.abs(each.first - other.first) < 1e-3 && Math.abs(each.done - other.done) < 1e-3;
      return isSame ? [] : [{ index, each, other }];
    });
    expect(wrong.slice(0, 3)).toEqual([]);
  }
});
