// From a pod template to pods, and to the hash that names a revision of it.
import { copyOf } from '../cluster-client.ts';
import type { KubeObject, ObjectMeta, OwnerReference, PodSpec, PodTemplate } from './objects.ts';

export const hashLabel = 'pod-template-hash';

/** A reference that makes `owner` responsible for the object. */
export const controllerReference = (owner: KubeObject): OwnerReference => ({
  apiVersion: owner.apiVersion,
  kind: owner.kind,
  name: owner.metadata.name,
  uid: owner.metadata.uid ?? '',
  controller: true,
  blockOwnerDeletion: true,
});

export interface PodDraft {
  readonly apiVersion: 'v1';
  readonly kind: 'Pod';
  readonly metadata: Partial<ObjectMeta>;
  readonly spec: PodSpec;
}

/** A pod of the template that belongs to `owner`. */
export function podOf(
  template: PodTemplate,
  owner: KubeObject,
  naming: { readonly name: string } | { readonly generateName: string },
): PodDraft {
  const { labels, annotations } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...naming,
      ...(owner.metadata.namespace === undefined ? {} : { namespace: owner.metadata.namespace }),
      ...(labels === undefined ? {} : { labels: { ...labels } }),
      ...(annotations === undefined ? {} : { annotations: { ...annotations } }),
      ownerReferences: [controllerReference(owner)],
    },
    spec: copyOf(template.spec),
  };
}

/** Ten or fewer letters that differ when the templates differ; `collisions` makes another one of the same template. */
export function templateHash(template: PodTemplate, collisions = 0): string {
  const text = `${canonical(withoutHash(template))}#${collisions}`;
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return [...String(hash)].map((digit) => safeLetters[Number(digit)]).join('');
}

// Upstream's alphabet without vowels and look-alikes, so that no hash spells a word.
const safeLetters = 'bcdfghjklm';

export const sameTemplate = (one: PodTemplate, other: PodTemplate): boolean =>
  canonical(withoutHash(one)) === canonical(withoutHash(other));

function withoutHash(template: PodTemplate): PodTemplate {
  const { [hashLabel]: _hash, ...labels } = template.metadata?.labels ?? {};
  return { ...template, metadata: { ...template.metadata, labels } };
}

/** JSON with sorted keys and without empty fields, so that equal templates are equal texts. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, field: unknown) => {
    if (typeof field !== 'object' || field === null || Array.isArray(field)) return field ?? undefined;
    return Object.fromEntries(
      Object.entries(field)
        .filter(
          ([, inner]) =>
            inner !== null && !(typeof inner === 'object' && Object.keys(inner).length === 0 && !Array.isArray(inner)),
        )
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  });
}
