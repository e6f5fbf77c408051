import { expect, test } from '@jest/globals';
import type { Report } from '@kubeai/protocol';
import { elapsed } from '@kubeai/units';
import { createRandom } from './random.ts';
import { epoch } from './simulated-time.ts';
import { createWire, type WireOptions } from './wire.ts';

const reportOf = (uid: string, sequence: number) => ({ sequence, pod: { namespace: 'lab', name: uid, uid } }) as Report;

/** Two agents report each second for a thousand seconds; what each look finds, as sequence and age at its arrival. */
function travels(options: WireOptions) {
  const wire = createWire(options, 1_000, createRandom(5));
  const looks = Array.from({ length: 1_010 }, (_, second) => {
    if (second < 1_000) for (const uid of ['a', 'b']) wire.send(reportOf(uid, second), 1_000 * second);
    return wire.receive(wire.lastComes(1_000 * second));
  });
  return looks.flatMap((came, second) =>
    came.map(({ report, receivedAt }) => ({
      uid: report.pod.uid,
      sequence: report.sequence,
      tookMs: elapsed(epoch, receivedAt) - 1_000 * report.sequence,
      seenAfter: second - report.sequence,
    })),
  );
}

test('a report takes half to twice of the mean, and is seen when the others of its second are', () => {
  const came = travels({ lossShare: 0, delayMs: 100 });
  expect(came).toHaveLength(2_000);
  expect(Math.min(...came.map(({ tookMs }) => tookMs))).toBeGreaterThanOrEqual(50);
  expect(Math.max(...came.map(({ tookMs }) => tookMs))).toBeLessThanOrEqual(200);
  expect(came.reduce((sum, { tookMs }) => sum + tookMs, 0) / came.length / 100).toBeCloseTo(1, 1);
  expect(new Set(came.map(({ seenAfter }) => seenAfter))).toEqual(new Set([0]));
});

test('reports of one agent never overtake each other, however long they take', () => {
  for (const agent of ['a', 'b']) {
    const sequences = travels({ lossShare: 0.1, delayMs: 3_000 }).flatMap(({ uid, sequence }) =>
      uid === agent ? [sequence] : [],
    );
    expect(sequences).toEqual(sequences.toSorted((left, right) => left - right));
    expect(sequences.length).toBeGreaterThan(850);
    expect(sequences.length).toBeLessThan(950);
  }
});

test('without loss and delay everything is there at once', () => {
  expect(new Set(travels({ lossShare: 0, delayMs: 0 }).map(({ seenAfter, tookMs }) => seenAfter + tookMs))).toEqual(
    new Set([0]),
  );
});
