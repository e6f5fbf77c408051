import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { readTrace, type Trace } from '@kubeai/load';
import { blockTokens, createEngine, kvBlocksOf, type Sequence, serviceTimes } from '@kubeai/model-server';
import { instant } from '@kubeai/units';
import { sampleChatCsv } from './sample-chat.ts';

const file = new URL('sample-chat.csv', import.meta.url);

async function sample(): Promise<Trace> {
  const trace = await readTrace(fileURLToPath(file));
  if (!trace.ok) throw new Error(trace.problems[0]!.message);
  return trace.value;
}

test('the file is what the script makes, byte for byte', () => {
  expect(sampleChatCsv()).toBe(readFileSync(file, 'utf8'));
});

test('the facts in README.md hold', async () => {
  const trace = await sample();
  const between = (from: number, to: number) => trace.filter(({ at }) => at >= from * 1_000 && at < to * 1_000).length;
  const median = (of: (request: Trace[number]) => number) =>
    trace.map(of).sort((a, b) => a - b)[Math.ceil(trace.length / 2) - 1];
  expect({
    requests: trace.length,
    quietStart: between(0, 10),
    rise: between(10, 50),
    plateau: between(50, 80),
    quietEnd: between(80, 200),
    medianPrompt: median(({ promptTokens }) => promptTokens),
    medianOutput: median(({ outputTokens }) => outputTokens),
  }).toEqual({
    requests: 1_083,
    quietStart: 9,
    rise: 421,
    plateau: 633,
    quietEnd: 20,
    medianPrompt: 588,
    medianOutput: 84,
  });
});

test('the plateau is too much for three replicas of 8 × H100 with a batch of 32, and fine for four', async () => {
  const trace = await sample();
  const hardware = { model: 'llama2-70b', gpu: 'h100', tensorParallel: 8 };
  const shareWithinTwoSeconds = (replicas: number): number => {
    const engines = Array.from({ length: replicas }, () =>
      createEngine({
        times: serviceTimes(hardware)!,
        maxBatch: 32,
        maxQueue: trace.length,
        maxBatchedTokens: 2_048,
        kvBlocks: kvBlocksOf(hardware),
        blockTokens,
        speed: 1,
      }),
    );
    const sequences = trace.map(({ at, promptTokens, outputTokens }, index) => {
      const engine = engines[index % replicas]!;
      engine.advance(instant(at));
      return engine.submit({ promptTokens, maxTokens: outputTokens }, instant(at)) as Sequence;
    });
    for (const engine of engines) engine.advance(instant(1e9));
    return sequences.filter(({ arrivedAt, firstTokenAt }) => firstTokenAt! - arrivedAt <= 2_000).length / trace.length;
  };
  expect(shareWithinTwoSeconds(1)).toBeLessThan(0.2);
  expect(shareWithinTwoSeconds(2)).toBeLessThan(0.5);
  expect(shareWithinTwoSeconds(3)).toBeLessThan(0.7);
  expect(shareWithinTwoSeconds(4)).toBeGreaterThan(0.99);
});
