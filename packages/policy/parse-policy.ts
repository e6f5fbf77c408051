// The door: an object as the API server or a file holds it becomes a Policy, or a list of everything that is wrong with
// it, each by the field its author wrote.
import type { FieldProblem, Result } from '@kubeai/units';
import { z } from 'zod';
import { policyOf, withPreset } from './compose-policy.ts';
import type { Policy } from './policy.ts';
import { brokenRules, problemsOf, withoutRepeats } from './problems.ts';
import { asObject, type Unchecked } from './rules.ts';
import { specSchema } from './schema.ts';

export const apiGroup = 'kubeai.io';
export const apiVersion = 'kubeai.io/v1alpha1';
export const kind = 'AIInferenceAutoscalerPolicy';

/** The whole object. Unknown fields are not refused (an older controller must live with a newer definition); see `warningsOf`. */
export const policySchema = z.object({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(kind),
  metadata: z.object({
    name: z.string().min(1).max(253),
    namespace: z.string().min(1).max(63).default('default'),
    uid: z.string().max(128).default(''),
    generation: z.int().min(0).default(0),
  }),
  spec: specSchema,
});

/**
 * Reads a policy from whatever JSON holds it.
 * @returns the policy with every default and preset applied, or every problem by field (`spec.metrics.latency`). Never throws.
 */
export function parsePolicy(input: unknown): Result<Policy, FieldProblem> {
  if (asObject(input) === undefined)
    return { ok: false, problems: [{ field: '', message: `must be an object of kind ${kind}` }] };
  const given = withoutNulls(input) as Unchecked;
  const parsed = policySchema.safeParse(given, { reportInput: true });
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => problemsOf(issue, []))),
    ...brokenRules(asObject(given['spec'])),
  ];
  if (!parsed.success || problems.length > 0) return { ok: false, problems: withoutRepeats(problems) };
  const policy = policyOf(parsed.data.metadata, withPreset(parsed.data.spec));
  if (policy.metrics.length > 0) return { ok: true, value: policy };
  return { ok: false, problems: [{ field: 'spec.metrics', message: 'must leave at least one metric enabled' }] };
}

/** No field of a policy lies deeper; what does is noise, of any depth. */
const deepest = 8;

/** In Kubernetes a field that is null is absent: a chart writes it for a value that nobody set. */
function withoutNulls(value: unknown, depth = 0): unknown {
  if (depth > deepest || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withoutNulls(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, field]) => field !== null)
      .map(([name, field]) => [name, withoutNulls(field, depth + 1)]),
  );
}
