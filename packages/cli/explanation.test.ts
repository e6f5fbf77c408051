import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { explanationOf } from './explanation.ts';

const now = instant(Date.UTC(2026, 0, 1, 12));
const name = { namespace: 'models', name: 'chat' };

test('a decision is told from its sentence down to the conditions', () => {
  const text = explanationOf(
    name,
    {
      lastDecision: {
        at: '2026-01-01T11:59:56Z',
        from: 2,
        to: 4,
        reason: 'MetricAboveTarget',
        message: '2 → 4: a metric asks for more replicas (concurrency is 26 in all, target 8 a replica)',
        words: ['proposal: 4, because a metric asks for more replicas', 'bounds: 4, because it lies within'],
        ledger: { serving: 1, loading: 1 },
      },
      signals: [
        { name: 'concurrency', state: 'value', value: 26, target: 8, ageMs: 400, source: 'agent' },
        { name: 'timeToFirstTokenP95', state: 'missing', target: 2_000, source: 'agent', cause: 'NoReports' },
        { name: 'custom:jobs', state: 'stale', value: 3, target: 10, ageMs: 9_000, source: 'prometheus' },
      ],
      decisions: [
        { at: '2026-01-01T11:57:00Z', from: 1, to: 2, reason: 'MetricAboveTarget', message: '1 → 2: more' },
        { at: '2025-12-29T12:00:00Z', from: 2, to: 1, reason: 'MetricBelowTarget', message: '2 → 1: less' },
      ],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Working',
          message: 'all is well',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    },
    now,
  );
  expect(`${text}\n`).toBe(`\
models/chat: 2 → 4: a metric asks for more replicas (concurrency is 26 in all, target 8 a replica)
  MetricAboveTarget, 4 s ago

signals
  concurrency is 26 in all, target 8 a replica (agent, 0.4 s old)
  timeToFirstTokenP95 is missing: no agent has reported
  custom:jobs is 3 (stale), target 10 (prometheus, 9.0 s old)

steps
  proposal: 4, because a metric asks for more replicas
  bounds: 4, because it lies within

replicas
  1 serving, 1 loading

last changes
  3 min ago: 1 → 2: more [MetricAboveTarget]
  3 days ago: 2 → 1: less [MetricBelowTarget]

conditions
  Ready True, Working: all is well
`);
});

test('where nothing has been decided the conditions say why', () => {
  const conditions = [
    {
      type: 'Ready',
      status: 'False' as const,
      reason: 'TargetNotFound',
      message: 'there is no Deployment chat',
      lastTransitionTime: '2026-01-01T00:00:00Z',
    },
  ];
  expect(explanationOf(name, { conditions }, now)).toBe(
    'models/chat: nothing has been decided\n  Ready False, TargetNotFound: there is no Deployment chat',
  );
});
