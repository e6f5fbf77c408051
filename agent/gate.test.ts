import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import fc from 'fast-check';
import { createGate } from './gate.ts';

const gateOf = (limit: number, maxQueued = 3) => {
  const clock = createManualClock();
  const events: string[] = [];
  const gate = createGate({ limit, maxQueued, deadline: seconds(10) }, clock);
  const enter = (name: string) =>
    gate.enter(
      () => events.push(`${name} in`),
      (reason) => events.push(`${name} ${reason}`),
    );
  return { clock, events, gate, enter };
};

test('so many go in at once, the rest in order of arrival', () => {
  const { gate, events, enter } = gateOf(2);
  for (const name of ['a', 'b', 'c', 'd']) enter(name);
  expect(events).toEqual(['a in', 'b in']);
  gate.leave();
  gate.leave();
  expect(events).toEqual(['a in', 'b in', 'c in', 'd in']);
});

test('the queue is bounded', () => {
  const { gate, events, enter } = gateOf(1, 1);
  for (const name of ['a', 'b', 'c']) enter(name);
  expect(events).toEqual(['a in', 'c QueueFull']);
  expect(gate.waiting).toBe(1);
});

test('who waits longer than the deadline is turned away, others go on waiting', async () => {
  const { clock, gate, events, enter } = gateOf(1);
  enter('a');
  enter('b');
  await clock.advance(seconds(6));
  enter('c');
  await clock.advance(seconds(5));
  expect(events).toEqual(['a in', 'b QueueTimeout']);
  gate.leave();
  expect(events.at(-1)).toBe('c in');
  await clock.advance(seconds(60));
  expect(events).toHaveLength(3);
});

test('who leaves the queue keeps nobody else waiting', async () => {
  const { gate, events, enter, clock } = gateOf(1);
  enter('a');
  const ticket = enter('b');
  enter('c');
  ticket.cancel();
  ticket.cancel();
  gate.leave();
  expect(events).toEqual(['a in', 'c in']);
  await clock.advance(seconds(60));
  expect(events).toHaveLength(2);
});

test('whatever comes and goes, never more are inside than may be, and no place stays free while somebody waits', () => {
  const step = fc.constantFrom('enter', 'leave', 'cancel');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 60 }), (limit, steps) => {
      let inside = 0;
      const gate = createGate({ limit, maxQueued: 5, deadline: seconds(10) }, createManualClock());
      const tickets: { cancel(): void }[] = [];
      for (const each of steps) {
        if (each === 'enter') {
          const ticket = gate.enter(
            () => {
              inside += 1;
            },
            () => undefined,
          );
          tickets.push(ticket);
        } else if (each === 'cancel') tickets.shift()?.cancel();
        else if (inside > 0) {
          inside -= 1;
          gate.leave();
        }
        expect(inside).toBe(gate.inside);
        expect(inside).toBeLessThanOrEqual(limit);
        expect(gate.waiting === 0 || inside === limit).toBe(true);
        expect(gate.waiting).toBeLessThanOrEqual(5);
      }
    }),
  );
});
