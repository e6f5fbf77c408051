import { expect, test } from '@jest/globals';
import { instant, seconds } from '@kubeai/units';
import { createClock, createManualClock } from './clock.ts';

test('a manual clock runs what falls due in order, with the time it fell due', async () => {
  const clock = createManualClock(instant(1_000));
  const seen: string[] = [];
  clock.every(seconds(2), () => seen.push(`every ${clock.now()}`));
  clock.after(seconds(3), () => seen.push(`after ${clock.now()}`));
  const stopped = clock.after(seconds(1), () => seen.push('stopped'));
  stopped.stop();
  await clock.advance(seconds(4));
  expect(seen).toEqual(['every 3000', 'after 4000', 'every 5000']);
  expect([clock.now(), clock.monotonic()]).toEqual([5_000, 4_000]);
});

test('code that sleeps in a loop runs as often as the time allows', async () => {
  const clock = createManualClock();
  const stop = new AbortController();
  let turns = 0;
  const loop = (async () => {
    while (!stop.signal.aborted) {
      turns += 1;
      await clock.sleep(seconds(1), stop.signal);
    }
  })();
  await clock.advance(seconds(10));
  expect(turns).toBe(11);
  stop.abort();
  await loop;
});

test('the machine’s clock agrees with the system and wakes a sleeper early when told', async () => {
  const clock = createClock();
  expect(Math.abs(clock.now() - Date.now())).toBeLessThan(1_000);
  const stop = new AbortController();
  const asleep = clock.sleep(seconds(3_600), stop.signal);
  stop.abort();
  await asleep;
});
