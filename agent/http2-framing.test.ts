// Frames by hand, of the kinds that Node's own HTTP/2 does not send: header blocks in pieces, padded, with a priority.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createFrameReader } from './http2-framing.ts';
import { maxGatheredBytes, maxHeaderBlockBytes } from './limits.ts';

const endStream = 0x1;
const endHeaders = 0x4;
const padded = 0x8;
const priority = 0x20;

function frame(type: number, flags: number, stream: number, payload: string): string {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length / 2, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return head.toString('hex') + payload;
}
const headers = (flags: number, stream: number, payload: string) => frame(0x1, flags, stream, payload);
const continuation = (flags: number, stream: number, payload: string) => frame(0x9, flags, stream, payload);

// `custom-key: custom-header`, kept in the table, and what stands for it from then on.
const literal = '400a637573746f6d2d6b65790d637573746f6d2d686561646572';
const indexed = 'be';
const field = { 'custom-key': 'custom-header' };

function read(hex: string, cuts: readonly number[] = []) {
  const budget = { free: maxGatheredBytes };
  const told: unknown[] = [];
  const reader = createFrameReader(
    {
      headers: (stream, ends, fields) => void told.push([stream, ends, fields && Object.fromEntries(fields)]),
      data: (stream, ends) => void told.push(['data', stream, ends]),
      reset: (stream) => void told.push(['reset', stream]),
      goAway: (stream) => void told.push(['goAway', stream]),
      lost: () => void told.push('lost'),
    },
    '',
    new Set(['custom-key', ':status']),
    budget,
  );
  const bytes = Buffer.from(hex, 'hex');
  let at = 0;
  for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    reader.feed(bytes.subarray(at, end), 0, 0);
    at = end;
  }
  reader.close();
  expect(budget.free).toBe(maxGatheredBytes);
  return told;
}

const long = maxHeaderBlockBytes + 1;
const cases: readonly (readonly [string, string, readonly unknown[]])[] = [
  [
    'a block in one frame, then by its index',
    headers(endHeaders, 1, literal) + headers(endHeaders | endStream, 3, indexed),
    [
      [1, false, field],
      [3, true, field],
    ],
  ],
  [
    'a block in three frames, of which the first ends the stream',
    headers(endStream, 1, literal.slice(0, 10)) +
      continuation(0, 1, literal.slice(10, 12)) +
      continuation(endHeaders, 1, literal.slice(12)),
    [[1, true, field]],
  ],
  ['a block whose last frame is empty', headers(0, 1, literal) + continuation(endHeaders, 1, ''), [[1, false, field]]],
  [
    'padding and priority around a block',
    headers(endHeaders | padded | priority, 5, `03${'0000000010'}${literal}ffffff`),
    [[5, false, field]],
  ],
  [
    'padding around the first of two frames',
    headers(padded, 1, `01${literal.slice(0, 20)}00`) + continuation(endHeaders, 1, literal.slice(20)),
    [[1, false, field]],
  ],
  [
    'a promise, which begins no answer but fills the table',
    frame(0x5, endHeaders, 1, `00000002${literal}`) + headers(endHeaders, 1, indexed),
    [[1, false, field]],
  ],
  [
    'other frames in between',
    `${frame(0x4, 0, 0, '000300000064')}${headers(endHeaders, 1, '88')}${frame(0x0, endStream, 1, 'abcdef')}` +
      `${frame(0x3, 0, 3, '00000008')}${frame(0x7, 0, 0, '0000000500000000')}`,
    [
      [1, false, { ':status': '200' }],
      ['data', 1, true],
      ['reset', 3],
      ['goAway', 5],
    ],
  ],
  [
    'a block that is too long, after which none is read',
    headers(0, 1, '00'.repeat(long - 1)) + continuation(endHeaders, 1, '00') + headers(endHeaders, 3, '88'),
    [
      [1, false, undefined],
      [3, false, undefined],
    ],
  ],
  ['more padding than there is payload', headers(endHeaders | padded, 1, 'ff00'), [[1, false, {}]]],
  ['a continuation of nothing', continuation(endHeaders, 1, literal), ['lost']],
  ['a type that nobody knows', frame(0x40, 0, 0, ''), ['lost']],
];

test.each(cases)('%s', (_name, hex, expected) => {
  expect(read(hex)).toEqual(expected);
});

test('the same, however the bytes are cut', () => {
  fc.assert(
    fc.property(fc.constantFrom(...cases), fc.array(fc.nat(200), { maxLength: 20 }), ([, hex, expected], cuts) => {
      expect(read(hex, cuts)).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test('headers that do not end are kept while there is room, and then no more', () => {
  const budget = { free: 5_000 };
  const nothing = () => undefined;
  const handler = { headers: nothing, data: nothing, reset: nothing, goAway: nothing, lost: nothing };
  const reader = createFrameReader(handler, '', new Set(), budget);
  const feed = (hex: string) => reader.feed(Buffer.from(hex, 'hex'), 0, 0);
  feed(headers(0, 1, '') + continuation(0, 1, '00'.repeat(1_000)).repeat(3));
  expect(budget.free).toBe(2_000);
  feed(continuation(0, 1, '00'.repeat(1_000)).repeat(3));
  expect(budget.free).toBe(5_000);
});
