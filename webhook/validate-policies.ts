// The answer to a policy that is about to be stored: everything that is wrong with it, by field, and what is risky.
import { parsePolicy, type Surroundings, warningsOf } from '@kubeai/policy';
import { type AdmissionResponse, allowed, denied, type Review } from './admission-review.ts';

/** Looks around in the namespace of a policy. May take its time up to the deadline; knows nothing when it fails. */
export type LookAround = (
  namespace: string,
  target: { apiVersion: string; kind: string; name: string },
) => Promise<Surroundings>;

export async function validatePolicy(review: Review, lookAround: LookAround): Promise<AdmissionResponse> {
  if (review.subresource !== '' || (review.operation !== 'CREATE' && review.operation !== 'UPDATE'))
    return allowed(review.uid);
  const object = named(review);
  // A policy that is being deleted must not be held by a rule that was stricter than it.
  if (object.metadata?.deletionTimestamp) return allowed(review.uid);
  const parsed = parsePolicy(object);
  if (!parsed.ok) {
    const problems = parsed.problems.map(({ field, message }) => `${field}: ${message}`);
    return denied(review.uid, `policy "${review.name}" is invalid: ${problems.join('; ')}`);
  }
  const surroundings = await lookAround(parsed.value.namespace, parsed.value.target);
  return allowed(
    review.uid,
    warningsOf(parsed.value, surroundings).map(({ field, message }) => `${field} ${message}`),
  );
}

interface Named {
  readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly deletionTimestamp?: string };
}

/** The object with the name and namespace of the request: at a creation it may have neither of its own. */
function named({ object, name, namespace }: Review): Named {
  const given = (typeof object === 'object' && object !== null ? object : {}) as Named;
  const metadata = typeof given.metadata === 'object' && given.metadata !== null ? given.metadata : {};
  return {
    ...given,
    metadata: {
      ...metadata,
      name: metadata.name ?? (name === '' ? 'generated' : name),
      namespace: metadata.namespace ?? (namespace || 'default'),
    },
  };
}
