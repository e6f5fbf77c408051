// What a demonstration is given, read and judged before anything is started.
import { readFile } from 'node:fs/promises';
import { readTrace, type Trace } from '@kubeai/load';
import { type Policy, parsePolicy } from '@kubeai/policy';
import type { FieldProblem, Result } from '@kubeai/units';
import { parseDocument } from 'yaml';
import type { Manifest } from './manifests.ts';
import type { Target } from './summary.ts';

export interface Inputs {
  readonly trace: Trace;
  readonly policy: Policy;
  /** The same policy as the object to apply. */
  readonly manifest: Manifest;
  /** Whether the policy had to be aimed at the demonstration's Deployment. */
  readonly retargeted: boolean;
}

/** Where the demonstration's Deployment and Service live; see examples/quickstart. */
export const workload = { namespace: 'quickstart', name: 'chat' } as const;

/** Reads both files; every problem of both is reported. */
export async function readInputs(traceFile: string, policyFile: string): Promise<Result<Inputs, FieldProblem>> {
  const [trace, policy] = await Promise.all([readTrace(traceFile), readPolicy(policyFile)]);
  const problems = [...(trace.ok ? [] : trace.problems), ...(policy.ok ? [] : policy.problems)];
  if (!trace.ok || !policy.ok) return { ok: false, problems };
  return { ok: true, value: { trace: trace.value, ...policy.value } };
}

async function readPolicy(file: string): Promise<Result<Omit<Inputs, 'trace'>, FieldProblem>> {
  const wrong = (message: string) => ({ ok: false, problems: [{ field: file, message }] }) as const;
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    return wrong(code === 'ENOENT' ? 'does not exist' : `cannot be read: ${(cause as Error).message}`);
  }
  const document = parseDocument(text);
  const error = document.errors[0];
  if (error !== undefined) return wrong(`is no YAML document: ${error.message.split('\n')[0]!.replace(/:$/, '')}`);
  const written = document.toJS() as Partial<Manifest> | null;
  if (typeof written !== 'object' || written === null) return wrong('holds no policy');
  const aimed = aim(written);
  const policy = parsePolicy(aimed);
  if (!policy.ok) {
    return {
      ok: false,
      problems: policy.problems.map(({ field, message }) => ({ field: `${file}: ${field}`, message })),
    };
  }
  const retargeted = JSON.stringify(aimed) !== JSON.stringify(written);
  return { ok: true, value: { policy: policy.value, manifest: aimed as Manifest, retargeted } };
}

/** The same wishes for the demonstration's Deployment. What is not there is left for the parser to complain of. */
function aim(written: Partial<Manifest> & { readonly spec?: object }): object {
  return {
    ...written,
    metadata: { ...written.metadata, namespace: workload.namespace },
    ...(written.spec === undefined
      ? {}
      : { spec: { ...written.spec, targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: workload.name } } }),
  };
}

/** What the policy promises users, as far as a request can be held against it. */
export function targetOf(policy: Policy): Target {
  const promised = (prefix: string) => {
    const targets = policy.metrics.filter(({ name }) => name.startsWith(prefix)).map(({ target }) => target);
    return targets.length === 0 ? undefined : Math.max(...targets);
  };
  const timeToFirstTokenMs = promised('timeToFirstToken');
  const latencyMs = promised('latencyP');
  return {
    ...(timeToFirstTokenMs === undefined ? {} : { timeToFirstTokenMs }),
    ...(latencyMs === undefined ? {} : { latencyMs }),
  };
}
