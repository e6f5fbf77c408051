import { expect, test } from '@jest/globals';
import type { Decision } from '@kubeai/decision';
import { apiVersion, kind, type Policy, parsePolicy } from '@kubeai/policy';
import { createGpuBudgets } from './gpu-budgets.ts';
import type { PolicyBook } from './policy-book.ts';

function policyOf(name: string, gpu: object): Policy {
  const parsed = parsePolicy({
    apiVersion,
    kind,
    metadata: { namespace: 'models', name, uid: name, generation: 1 },
    spec: {
      targetRef: { kind: 'Deployment', name },
      maxReplicas: 9,
      metrics: { concurrency: { targetPerReplica: 4 } },
      gpu,
    },
  });
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  return parsed.value;
}

const chat = policyOf('chat', { budget: 'default', priority: 5 });
const batch = policyOf('batch', { budget: 'default', perReplica: 2 });
const lost = policyOf('lost', { budget: 'unheard-of' });
const free = policyOf('free', {});

function createBudgets() {
  const entries = [chat, batch, lost].map((policy) => ({ key: policy.name, policy }));
  const book = { inBudget: (budget: string) => entries.filter(({ policy }) => policy.gpu.budget === budget) };
  return createGpuBudgets(new Map([['default', 8]]), book as unknown as PolicyBook);
}
const decided = (replicas: number, recommended = replicas, steps: Decision['steps'] = []) =>
  ({ replicas, recommended, steps }) as Decision;

test('what one policy takes, the other cannot have', () => {
  const budgets = createBudgets();
  budgets.note('chat', decided(2));
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(3);
  budgets.note('chat', decided(5));
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(1);
});

test('what the budget held back from a higher priority is kept for it', () => {
  const budgets = createBudgets();
  budgets.note('chat', decided(2, 2, [{ stage: 'gpuBudget', before: 5, after: 2, because: 'GpuBudget' }]));
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(1);
  budgets.note('batch', decided(3));
  expect(budgets.mostReplicas('chat', chat, 2)).toBe(2);
  budgets.note('batch', decided(1));
  expect(budgets.mostReplicas('chat', chat, 2)).toBe(6);
});

test('nobody grows before every claim is known, and what cannot be scaled claims nothing', () => {
  const budgets = createBudgets();
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(1);
  budgets.noteNothing('chat');
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(4);
  budgets.forget('chat');
  expect(budgets.mostReplicas('batch', batch, 1)).toBe(1);
});

test('a budget that nobody set has nothing to give, and without one there is no limit', () => {
  const budgets = createBudgets();
  expect(budgets.mostReplicas('lost', lost, 3)).toBe(3);
  expect(budgets.mostReplicas('free', free, 3)).toBeUndefined();
});
