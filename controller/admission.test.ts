import { expect, test } from '@jest/globals';
import { createManualClock } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import { createAdmission, type Ticket } from './admission.ts';
import { limits } from './limits.ts';

test('ten thousand agents that come at once are let to their handshakes at the pace of the limit, and within ten seconds', async () => {
  const clock = createManualClock();
  const admission = createAdmission({ clock, perSecond: limits.handshakesPerSecond, atOnce: limits.handshakes });
  const begunAt: number[] = [];
  for (let agent = 0; agent < 10_000; agent++) {
    const ticket: Ticket = admission.enter(() => {
      begunAt.push(clock.monotonic());
      clock.after(milliseconds(100), () => ticket.leave());
    });
  }
  for (let second = 0; second < 10; second++) await clock.advance(seconds(1));
  expect(admission.waiting()).toBe(0);
  expect(begunAt.length).toBe(10_000);
  let oldest = 0;
  let busiest = 0;
  for (const [at, begun] of begunAt.entries()) {
    while (begun - begunAt[oldest]! >= 1_000) oldest += 1;
    busiest = Math.max(busiest, at - oldest + 1);
  }
  expect(busiest).toBeLessThanOrEqual(limits.handshakesPerSecond * 1.05);
});

test('who comes alone does not wait', () => {
  const admission = createAdmission({ clock: createManualClock(), perSecond: 100, atOnce: 1 });
  let begun = 0;
  admission.enter(() => (begun += 1));
  expect(begun).toBe(1);
});

test('turns that are not over are bounded; the next begins when one is, in order, without those who left', async () => {
  const clock = createManualClock();
  const admission = createAdmission({ clock, perSecond: 1_000, atOnce: 2 });
  const begun: string[] = [];
  const tickets = ['a', 'b', 'c', 'd', 'e'].map((name) => admission.enter(() => begun.push(name)));
  await clock.advance(seconds(5));
  expect(begun).toEqual(['a', 'b']);
  tickets[2]!.leave();
  tickets[0]!.leave();
  tickets[0]!.leave();
  await clock.advance(seconds(5));
  expect(begun).toEqual(['a', 'b', 'd']);
  expect(admission.waiting()).toBe(1);
});
