import { expect, test } from '@jest/globals';
import { evictionRefusal } from './disruption.ts';
import type { KubeObject } from './kube-object.ts';

const pod = (name: string, state = 'ready'): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name,
    labels: { app: 'chat' },
    ...(state === 'leaving' && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
  },
  status: {
    phase: state === 'pending' ? 'Pending' : 'Running',
    conditions: [{ type: 'Ready', status: state === 'ready' ? 'True' : 'False' }],
  },
});
const budget = (spec: object, selector: unknown = { matchLabels: { app: 'chat' } }): KubeObject => ({
  apiVersion: 'policy/v1',
  kind: 'PodDisruptionBudget',
  metadata: { name: 'budget' },
  spec: { selector, ...spec },
});

// The first pod is to be evicted; the words are the states of all.
test.each<[string, KubeObject[], string, number | undefined]>([
  ['no budget', [], 'ready', undefined],
  ['a budget for others', [budget({ minAvailable: 1 }, { matchLabels: { app: 'other' } })], 'ready', undefined],
  ['a budget without selector', [budget({ minAvailable: 1 }, null)], 'ready', undefined],
  ['an empty selector', [budget({ minAvailable: 1 }, {})], 'ready', 429],
  ['one to spare', [budget({ minAvailable: 1 })], 'ready ready', undefined],
  ['none to spare', [budget({ minAvailable: 2 })], 'ready ready', 429],
  ['the spare one leaves already', [budget({ minAvailable: 1 })], 'ready leaving', 429],
  ['one may be away', [budget({ maxUnavailable: 1 })], 'ready ready', undefined],
  ['one is away', [budget({ maxUnavailable: 1 })], 'ready unready', 429],
  ['half, rounded up', [budget({ minAvailable: '50%' })], 'ready ready unready', 429],
  ['half, of more', [budget({ minAvailable: '50%' })], 'ready ready ready', undefined],
  ['nothing may go', [budget({ maxUnavailable: 0 })], 'ready ready', 429],
  ['a pod that never ran', [budget({ maxUnavailable: 0 })], 'pending', undefined],
  ['an unready pod while enough are', [budget({ minAvailable: 1 })], 'unready ready', undefined],
  ['an unready pod while too few are', [budget({ minAvailable: 2 })], 'unready ready', 429],
  [
    'an unready pod that may always go',
    [budget({ minAvailable: 2, unhealthyPodEvictionPolicy: 'AlwaysAllow' })],
    'unready ready',
    undefined,
  ],
  ['two budgets', [budget({ minAvailable: 0 }), budget({ minAvailable: 0 })], 'ready', 500],
])('%s', (_what, budgets, states, code) => {
  const pods = states.split(' ').map((state, index) => pod(`p${index}`, state));
  expect(evictionRefusal(pods[0]!, budgets, pods)?.code).toBe(code);
});
