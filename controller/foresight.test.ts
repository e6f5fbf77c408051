import { expect, test } from '@jest/globals';
import type { Decision } from '@kubeai/decision';
import { instant, minutes, seconds } from '@kubeai/units';
import { createForesight } from './foresight.ts';

test('a ramp is foreseen, and nothing once the ramp is no longer measured', () => {
  const foresight = createForesight(undefined);
  const at = (second: number) => instant(1_700_000_000_000 + 1_000 * second);
  const decided = (needs: number) => ({ proposals: [{ name: 'concurrency', needs }] }) as unknown as Decision;
  let second = 0;
  for (; second < 1_800; second += 5) {
    foresight.record(decided(2 + second / 300), at(second));
    foresight.forecast(minutes(5), at(second));
  }
  const now = 2 + second / 300;
  const { replicas, score } = foresight.forecast(minutes(5), at(second))!;
  expect(score).toBeLessThan(1);
  expect(replicas).toBeGreaterThan(now + 0.2);
  foresight.record({ proposals: [{ name: 'concurrency' }] } as unknown as Decision, at(second + 100));
  expect(foresight.forecast(seconds(300), at(second + 100))).toBeUndefined();
});

test('what stays as it is has a forecast that says of itself that it is not worth following', () => {
  const foresight = createForesight(undefined);
  const at = (second: number) => instant(1_700_000_000_000 + 1_000 * second);
  const decision = { proposals: [{ name: 'concurrency', needs: 3 }] } as unknown as Decision;
  for (let second = 0; second < 1_800; second += 5) {
    foresight.record(decision, at(second));
    foresight.forecast(minutes(5), at(second));
  }
  expect(foresight.forecast(minutes(5), at(1_800))).toMatchObject({ replicas: 3, score: 1 });
});
