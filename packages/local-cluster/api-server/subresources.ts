// Subresources that are actions rather than parts of an object: a token for a service account, the eviction of a pod,
// the end of a namespace.
import type { Instant } from '@kubeai/units';
import { badRequest, methodNotAllowed } from './api-error.ts';
import { evictionRefusal } from './disruption.ts';
import { isObject, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';
import type { Pipeline } from './pipeline.ts';
import type { Caller, Target, WriteOptions } from './request.ts';
import type { Store } from './store.ts';
import type { Tokens } from './tokens.ts';

export interface Actions {
  /** POST to a subresource; the answer is its body. */
  perform(caller: Caller, target: Target, input: JsonObject, options: WriteOptions): Promise<object>;
}

const hour = 3600;
const shortestToken = 600;

export function createActions(pipeline: Pipeline, store: Store, tokens: Tokens, now: () => Instant): Actions {
  return {
    async perform(caller, target, input, options) {
      const parent = { ...target, subresource: '' };
      if (target.subresource === 'token') return requestToken(pipeline.get(parent), input, tokens, now());
      if (target.subresource === 'eviction') {
        const inNamespace = (storage: string) => store.list(storage, target.namespace);
        const budgets = inNamespace('poddisruptionbudgets.policy');
        const refusal = evictionRefusal(pipeline.get(parent), budgets, inNamespace('pods.'));
        if (refusal !== undefined) throw refusal;
        const asked = isObject(input.deleteOptions) ? input.deleteOptions : {};
        await pipeline.delete(caller, parent, { ...asked, dryRun: options.dryRun });
        return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
      }
      throw methodNotAllowed();
    },
  };
}

/** Answers a TokenRequest. The bound object, if there is one, must be a pod; its uid is trusted when given. */
export function requestToken(account: KubeObject, input: JsonObject, tokens: Tokens, now: Instant): JsonObject {
  const asked = valueAt(input, 'spec', 'audiences');
  const audiences = Array.isArray(asked) ? asked.map(String) : [];
  const expirationSeconds = Number(valueAt(input, 'spec', 'expirationSeconds') ?? hour);
  if (!(expirationSeconds >= shortestToken)) {
    throw badRequest(
      `TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: ${expirationSeconds}: may not specify a duration less than 10 minutes`,
    );
  }
  const bound = valueAt(input, 'spec', 'boundObjectRef');
  if (isObject(bound) && bound.kind !== 'Pod')
    throw badRequest(
      `cannot bind token for serviceaccount ${JSON.stringify(account.metadata.name)} to object ${bound.kind}`,
    );
  const pod = isObject(bound) ? { name: String(bound.name ?? ''), uid: String(bound.uid ?? '') } : undefined;
  const status = tokens.issue({ account, audiences, expirationSeconds, pod }, now);
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: account.metadata.name, namespace: account.metadata.namespace, creationTimestamp: null },
    spec: { audiences, expirationSeconds, boundObjectRef: bound ?? null },
    status,
  };
}
