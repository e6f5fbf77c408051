import { type Policy, parsePolicy, type SpecInput } from '@kubeai/policy';

/** A policy as a user would write its spec; a wrong one fails the test with every problem. */
export function policyOf(spec: Partial<SpecInput>): Policy {
  const parsed = parsePolicy({
    apiVersion: 'kubeai.io/v1alpha1',
    kind: 'AIInferenceAutoscalerPolicy',
    metadata: { name: 'chat', namespace: 'models' },
    spec: { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 10, ...spec },
  });
  if (!parsed.ok) throw new Error(parsed.problems.map(({ field, message }) => `${field} ${message}`).join('\n'));
  return parsed.value;
}
