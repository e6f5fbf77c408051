import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { boundsAt, type Policy, parsePolicy } from './index.ts';

function policy(schedule: readonly object[]): Policy {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'chat' },
    spec: {
      targetRef: { kind: 'Deployment', name: 'chat' },
      minReplicas: 2,
      maxReplicas: 8,
      preset: 'interactive',
      schedule,
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

const at = (text: string) => instant(Date.parse(text));
const office = {
  name: 'office',
  cron: '0 8 * * 1-5',
  timeZone: 'Europe/Berlin',
  durationSeconds: 36_000,
  minReplicas: 4,
};
const lunch = {
  name: 'lunch',
  cron: '0 12 * * *',
  timeZone: 'Europe/Berlin',
  durationSeconds: 3_600,
  minReplicas: 6,
  maxReplicas: 7,
};
const rush = { name: 'rush', cron: '30 12 * * *', timeZone: 'Europe/Berlin', durationSeconds: 60, maxReplicas: 3 };

// 2026-11-23 is a Monday; Berlin is one hour ahead of UTC in winter and two in summer.
test.each([
  ['2026-11-23T06:59:59Z', 2, 8, []],
  ['2026-11-23T07:00:00Z', 4, 8, ['office']],
  ['2026-11-23T11:00:00Z', 6, 7, ['office', 'lunch']],
  ['2026-11-23T11:30:00Z', 3, 3, ['office', 'lunch', 'rush']],
  ['2026-11-23T11:31:00Z', 6, 7, ['office', 'lunch']],
  ['2026-11-23T16:59:59Z', 4, 8, ['office']],
  ['2026-11-23T17:00:00Z', 2, 8, []],
  ['2026-11-22T08:00:00Z', 2, 8, []],
  ['2026-07-20T06:00:00Z', 4, 8, ['office']],
])('at %s the bounds are %d to %d', (time, minReplicas, maxReplicas, entries) => {
  expect(boundsAt(policy([office, lunch, rush]), at(time))).toEqual({ minReplicas, maxReplicas, entries });
});

test('asking in any order gives the same answers: what is remembered is never wrong', () => {
  const same = policy([office]);
  const answers = ['2026-11-23T07:00:00Z', '2026-11-23T17:00:00Z', '2026-11-23T09:00:00Z', '2026-11-22T23:00:00Z'].map(
    (time) => boundsAt(same, at(time)).minReplicas,
  );
  expect(answers).toEqual([4, 2, 4, 2]);
});
