import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  contentTypes,
  cutRecords,
  directionOf,
  isFarewell,
  openRecord,
  sealFarewell,
  sealRecords,
} from './record-layer.ts';

const secret = Buffer.alloc(32, 7);
const recordsOf = (bytes: Buffer): Buffer[] => {
  const records: Buffer[] = [];
  expect(cutRecords(bytes, (record) => void records.push(Buffer.from(record)))?.length).toBe(0);
  return records;
};

test('keys are derived as in the trace of RFC 8448', () => {
  const trafficSecret = 'b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38';
  const { key, nonce } = directionOf(Buffer.from(trafficSecret, 'hex'), 0);
  expect(key.export().toString('hex')).toBe('3fce516009c21727d0f2e4e86ee403bc');
  expect(nonce.toString('hex')).toBe('5d313eb2671276ee13000b30');
});

test('whatever is sealed is opened as it was, in order, however long', () => {
  const text = fc.string({ maxLength: 200 });
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 5 }), fc.nat(3), (texts, repeat) => {
      const out = directionOf(secret, 4_294_967_294);
      const back = directionOf(secret, 4_294_967_294);
      for (const each of texts) {
        const content = Buffer.from(each.repeat(1 + 120 * repeat));
        const opened = recordsOf(sealRecords(out, contentTypes.applicationData, content)).map((record) =>
          openRecord(back, record),
        );
        expect(opened.every((part) => part?.type === contentTypes.applicationData)).toBe(true);
        expect(Buffer.concat(opened.map((part) => part!.content))).toEqual(content);
      }
    }),
  );
});

test('a record that was changed in any place is not opened, and neither is one out of turn', () => {
  const seal = () => sealRecords(directionOf(secret, 0), contentTypes.applicationData, Buffer.from('{"version":1}\n'));
  for (let at = 0; at < seal().length; at++) {
    const changed = seal();
    changed[at]! ^= 1;
    expect(openRecord(directionOf(secret, 0), changed)).toBeUndefined();
  }
  expect(openRecord(directionOf(secret, 1), seal())).toBeUndefined();
  expect(openRecord(directionOf(Buffer.alloc(32, 8), 0), seal())).toBeUndefined();
  expect(openRecord(directionOf(secret, 0), seal().subarray(0, 21))).toBeUndefined();
});

test('a farewell is known as one', () => {
  expect(isFarewell(openRecord(directionOf(secret, 0), sealFarewell(directionOf(secret, 0)))!)).toBe(true);
});

test.each([
  ['a line of HTTP', Buffer.from('GET /v1/reports HTTP/1.1\r\n')],
  ['a record longer than records may be', Buffer.from([23, 3, 3, 0x41, 0x01])],
])('%s is no record', (_what, bytes) => {
  expect(cutRecords(bytes, () => undefined)).toBeUndefined();
});
