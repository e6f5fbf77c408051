// The environment is an input like any other: parsed once, at the door, with everything that is wrong said at once.
// Zod appears as a type only, so a process that brings no schema does not carry the library.
import type { FieldProblem, Result } from '@kubeai/units';
import type { ZodType } from 'zod';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Parses environment variables by a schema whose keys are the variables' names. An empty variable counts as unset:
 * that is what a manifest means by `value: ""`. Problems are named by variable.
 */
export function parseEnvironment<Value>(schema: ZodType<Value>, environment: Environment): Result<Value, FieldProblem> {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ''),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return { ok: true, value: parsed.data };
  const problems = parsed.error.issues.map((issue) => {
    const field = String(issue.path[0] ?? 'environment');
    return { field, message: given[field] === undefined ? 'is required but not set' : issue.message };
  });
  return { ok: false, problems };
}
