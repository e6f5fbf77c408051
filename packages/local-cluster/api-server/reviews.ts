// Kinds that are questions: they are answered and never stored. Whoever is authenticated is allowed everything.
import type { Instant } from '@kubeai/units';
import { badRequest } from './api-error.ts';
import { isObject, type JsonObject, type KubeObject, valueAt } from './kube-object.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';
import { apiAudience, type Tokens, type UserInfo } from './tokens.ts';

const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
const everything = ['*'];

/** The review with its status filled in. */
export function answered(
  kind: ResourceKind,
  input: JsonObject,
  user: UserInfo,
  tokens: Tokens,
  now: Instant,
): KubeObject {
  const metadata = isObject(input.metadata) ? input.metadata : {};
  const review = {
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: { ...metadata, creationTimestamp: null },
    ...(input.spec !== undefined && { spec: input.spec }),
    status: statusOf(kind, input, user, tokens, now),
  };
  return review as unknown as KubeObject;
}

function statusOf(kind: ResourceKind, input: JsonObject, user: UserInfo, tokens: Tokens, now: Instant): JsonObject {
  switch (kind.kind) {
    case 'TokenReview': {
      const token = valueAt(input, 'spec', 'token');
      if (typeof token !== 'string' || token === '')
        throw badRequest('token is required for TokenReview in authentication');
      const asked = texts(valueAt(input, 'spec', 'audiences'));
      const found = tokens.authenticate(token, asked.length > 0 ? asked : [apiAudience], now);
      return found.ok
        ? { authenticated: true, user: found.user, audiences: found.audiences }
        : { user: {}, error: `[invalid bearer token, ${found.error}]` };
    }
    case 'SelfSubjectReview':
      return { userInfo: user };
    case 'SelfSubjectRulesReview':
      return {
        resourceRules: [{ verbs: everything, apiGroups: everything, resources: everything }],
        nonResourceRules: [{ verbs: everything, nonResourceURLs: everything }],
        incomplete: false,
      };
    default:
      return { allowed: true, reason: 'every authenticated user may do everything on the local cluster' };
  }
}
