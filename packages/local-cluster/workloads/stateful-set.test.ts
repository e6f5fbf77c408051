import { expect, test } from '@jest/globals';
import type { Pod, StatefulSet } from './objects.ts';
import { nextSteps } from './stateful-set.ts';

const now = Date.parse('2026-01-01T12:00:00Z');

const set = (replicas: number, policy = 'OrderedReady', partition = 0): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', uid: 'u' },
  spec: {
    replicas,
    selector: {},
    template: { spec: { containers: [] } },
    podManagementPolicy: policy,
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
  },
});

/** `0` ready, `1-` not ready, `2x` being deleted, `3!` failed; a capital O in front: of the old revision. */
function pods(words: string): Pod[] {
  return words
    .split(' ')
    .filter(Boolean)
    .map((word): Pod => {
      const ordinal = /\d+/.exec(word)?.[0];
      const ready = !/[-!]/.test(word);
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `db-${ordinal}`,
          labels: { 'controller-revision-hash': word.startsWith('O') ? 'old' : 'new' },
          ...(word.includes('x') ? { deletionTimestamp: '2026-01-01T12:00:00Z' } : {}),
        },
        spec: { containers: [] },
        status: {
          phase: word.includes('!') ? 'Failed' : 'Running',
          conditions: [{ type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: '2026-01-01T11:00:00Z' }],
        },
      };
    });
}

test.each<[string, StatefulSet, string, string]>([
  ['the first pod alone', set(3), '', '+0'],
  ['nothing while it is not ready', set(3), '0-', ''],
  ['the second once it is', set(3), '0', '+1'],
  ['a lost one before the next', set(3), '0 2', '+1'],
  ['all at once when parallel', set(3, 'Parallel'), '0-', '+1 +2'],
  ['a failed one is replaced', set(1), '0!', '-0'],
  ['the highest goes first', set(1), '0 1 2', '-2'],
  ['one at a time', set(1), '0 1 2x', ''],
  ['all at once when parallel', set(1, 'Parallel'), '0 1 2', '-2 -1'],
  ['an update begins at the highest', set(3), 'O0 O1 O2', '-2'],
  ['and waits for it', set(3), 'O0 O1 2-', ''],
  ['then goes on', set(3), 'O0 O1 2', '-1'],
  ['but not below the partition', set(3, 'OrderedReady', 2), 'O0 O1 2', ''],
  ['and parallel sets update one by one, too', set(3, 'Parallel'), 'O0 O1 2-', ''],
  ['nothing when all is well', set(2), '0 1', ''],
])('%s', (_sentence, of, present, expected) => {
  const steps = nextSteps(of, pods(present), 'new', now).map((step) =>
    'create' in step ? `+${step.create}` : `-${/\d+$/.exec(step.remove.metadata.name)?.[0]}`,
  );
  expect(steps.join(' ')).toBe(expected);
});
