import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseCompletion } from './completion-request.ts';
import { healthy, parseFaultOrder } from './faults.ts';

const served = { model: 'm', maxModelLength: 1_000 };

test('whatever a body holds, it is a request that the engine can take, or problems', () => {
  const field = fc.constantFrom('model', 'messages', 'prompt', 'max_tokens', 'n', 'stream', 'stream_options');
  const value = fc.oneof(fc.anything(), fc.constantFrom('m', 1, true, [{ content: 'x' }], { include_usage: true }));
  const body = fc.oneof(fc.anything(), fc.dictionary(field, value));
  fc.assert(
    fc.property(body, fc.constantFrom('chat' as const, 'text' as const), (given, dialect) => {
      const parsed = parseCompletion(given, dialect, served);
      if (!parsed.ok) return expect(parsed.problems.length).toBeGreaterThan(0);
      const { promptTokens, maxTokens } = parsed.value;
      expect(Number.isInteger(promptTokens) && promptTokens > 0).toBe(true);
      expect(Number.isInteger(maxTokens) && maxTokens > 0).toBe(true);
      expect(promptTokens + maxTokens).toBeLessThanOrEqual(served.maxModelLength);
    }),
    { numRuns: 500 },
  );
});

test('whatever an order of faults holds, it is faults or problems', () => {
  const field = fc.constantFrom('slow', 'hang', 'errorRate', 'resetRate', 'crash', '__proto__', 'toString');
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.dictionary(field, fc.anything())), (given) => {
      const order = parseFaultOrder(given, healthy);
      if (!order.ok) expect(order.problems.length).toBeGreaterThan(0);
      else if (!order.value.crash) expect(order.value.faults.slow).toBeGreaterThan(0);
    }),
  );
});
