import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { emptyHistory, type History } from './history.ts';
import { learn } from './learn.ts';
import { ledgerOf } from './ledger.ts';
import { policyOf } from './testing/policy-of.ts';
import { trafficOf } from './testing/traffic-of.ts';
import { learnPlaces, learnSteps } from './work-model.ts';

const start = instant(1_700_000_000_000);
const policy = policyOf({ minReplicas: 1, maxReplicas: 20, preset: 'interactive' });

/** What is known after five minutes whose load changes each second, looked at so often. */
function learned(looksASecond: number): Pick<History, 'levels' | 'work' | 'serviceMs'> {
  let history: History = {
    ...emptyHistory(4, start),
    work: learnPlaces(learnSteps(undefined, { answers: 10, promptsPerSecond: 0, ms: 100 }), 10),
  };
  for (let second = 1; second <= 300; second += 1) {
    const arrivals = 4 + (second % 7);
    const traffic = trafficOf(40, {
      arrivalsPerSecond: arrivals,
      arrivalsNow: arrivals,
      completionsPerSecond: arrivals,
      generatedTokensPerRequest: 100 + second,
      meanInterTokenMs: 100 + (second % 5),
      meanLatencyMs: 4_000 + 10 * second,
    });
    for (let look = 0; look < looksASecond; look += 1) {
      const now = instant(start + 1_000 * second + (1_000 * look) / looksASecond);
      const snapshot = { replicas: 4, ledger: ledgerOf(4, [], history, now), signals: [], traffic };
      history = { ...learn(policy, snapshot, history, now), at: now };
    }
  }
  const { levels, work, serviceMs } = history;
  return { levels, work, serviceMs } as Pick<History, 'levels' | 'work' | 'serviceMs'>;
}

test('looking twenty times a second, as after a step, teaches what looking once a second does', () => {
  const once = learned(1);
  expect(once.levels?.spread).toBeGreaterThan(0);
  expect(learned(20)).toEqual(once);
});
