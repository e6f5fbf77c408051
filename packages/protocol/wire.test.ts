import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Acknowledgement, createLineReader, encodeAcknowledgement, parseAcknowledgement } from './index.ts';

test.each<Acknowledgement>([
  { kind: 'accepted', sequence: 0 },
  { kind: 'accepted', sequence: 123 },
  { kind: 'refused', sequence: 4, reason: 'Malformed', message: 'ageMs must be a number' },
  { kind: 'refused', reason: 'TooLarge', message: 'the line is longer than a report may be' },
])('%j arrives as it was sent', (acknowledgement) => {
  expect(parseAcknowledgement(encodeAcknowledgement(acknowledgement))).toEqual(acknowledgement);
});

test.each([
  '',
  '<html>',
  'null',
  '7',
  '{}',
  '{"accepted":"1"}',
  '{"refused":1,"reason":"Mood"}',
  '{"reason":"toString"}',
])('%j is no acknowledgement', (line) => {
  expect(parseAcknowledgement(line)).toBeUndefined();
});

function linesOf(text: string, cuts: readonly number[], maxBytes: number) {
  const lines: string[] = [];
  let tooLong = 0;
  const reader = createLineReader(
    maxBytes,
    (line) => lines.push(line),
    () => {
      tooLong += 1;
    },
  );
  const bytes = Buffer.from(text);
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    const end = Math.min(cut, bytes.length);
    reader.feed(bytes.subarray(start, end));
    start = Math.max(start, end);
  }
  reader.feed(bytes.subarray(start));
  return { lines, tooLong };
}

test('lines come out whole, wherever the stream is cut', () => {
  const line = fc.string({ unit: fc.constantFrom('a', 'é', '漢', '🙂', ' '), maxLength: 30 });
  fc.assert(
    fc.property(fc.array(line), fc.array(fc.nat(400)), (lines, cuts) => {
      const text = lines.map((each) => `${each}\n`).join('');
      expect(linesOf(text, cuts, 1_000)).toEqual({ lines: lines.filter((each) => each.trim() !== ''), tooLong: 0 });
    }),
  );
});

test('a line that is too long is told once, and the next one is read', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(60)), (cuts) => {
      expect(linesOf(`short\n${'x'.repeat(50)}\nnext\n`, cuts, 10)).toEqual({ lines: ['short', 'next'], tooLong: 1 });
    }),
  );
});
