import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createEventStream } from './event-stream.ts';

const chunk = (delta: object) => `data: ${JSON.stringify({ choices: [{ index: 0, delta }] })}\n\n`;
const stream = [
  chunk({ role: 'assistant', content: '' }),
  ': a comment\n\n',
  chunk({ content: 'a' }),
  chunk({ reasoning_content: 'hm' }),
  'event: ping\r\ndata:{"choices":[{"index":0,"text":" b"}],"usage":null}\r\n\r\n',
  'data: this is not JSON\n\n',
  'data: {"choices":[],"usage":{"completion_tokens":9}}\n\n',
  'data: [DONE]\n\n',
].join('');

test('counts events with text, reads usage, sees the end', () => {
  const reader = createEventStream();
  expect(reader.feed(stream)).toBe(3);
  expect([reader.tokens, reader.usage, reader.done]).toEqual([3, 9, true]);
});

test('it does not matter where the pieces are cut', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
      const reader = createEventStream();
      let from = 0;
      for (const to of [...cuts.toSorted((a, b) => a - b), stream.length]) {
        reader.feed(stream.slice(from, to));
        from = to;
      }
      expect([reader.tokens, reader.usage, reader.done]).toEqual([3, 9, true]);
    }),
  );
});

test('a line without end is not kept for ever', () => {
  const reader = createEventStream();
  for (let index = 0; index < 30; index += 1) reader.feed('x'.repeat(100_000));
  reader.feed(`\n${chunk({ content: 'a' })}`);
  expect(reader.tokens).toBe(1);
});

const folder = new URL('../../../shared/fixtures/sse/', import.meta.url);

(existsSync(folder) ? test : test.skip)('streams of real servers carry tokens', () => {
  const names = readdirSync(folder).filter((name) => /^(vllm|openai|tgi-3|novita|fireworks).*\.sse$/.test(name));
  expect(names.length).toBeGreaterThan(5);
  for (const name of names) {
    const reader = createEventStream();
    reader.feed(`${readFileSync(new URL(name, folder), 'utf8')}\n`);
    expect([name, reader.tokens > 0, reader.done]).toEqual([name, true, true]);
  }
});
