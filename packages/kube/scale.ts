// The /scale subresource: how many replicas something should have, whatever it is.
import { isKubeError, type KubeClient } from './kube-client.ts';
import type { KubeObject, ObjectName } from './kube-object.ts';
import type { Resource } from './resource.ts';

export interface Scale {
  /** What the target is asked to have. */
  readonly replicas: number;
  /** What it has, ready or not. */
  readonly present: number;
  /** Selects its pods, in the form of kubectl's --selector. */
  readonly selector: string;
  readonly resourceVersion: string;
  readonly uid: string;
}

interface ScaleObject extends KubeObject {
  readonly spec?: { readonly replicas?: number };
  readonly status?: { readonly replicas?: number; readonly selector?: string };
}

/** Throws KubeError 404 when there is no such target. */
export async function readScale(client: KubeClient, of: Resource, name: ObjectName): Promise<Scale> {
  return scaleOf(await client.read<ScaleObject>(of, name, 'scale'));
}

/**
 * Sets the replicas, unless somebody else has changed them from `from` meanwhile. Target controllers write status all
 * the time while they scale, so a conflict is looked at again: only another *number* is a reason to give up.
 * Returns the scale written, or `'changed'`.
 */
export async function writeScale(
  client: KubeClient,
  of: Resource,
  name: ObjectName,
  from: Scale,
  replicas: number,
  fieldManager: string,
): Promise<Scale | 'changed'> {
  let known = from;
  for (let attempt = 1; ; attempt++) {
    const patch = { metadata: { resourceVersion: known.resourceVersion }, spec: { replicas } };
    try {
      const written = await client.patch<ScaleObject>(of, name, patch, {
        kind: 'merge',
        subresource: 'scale',
        fieldManager,
      });
      return scaleOf(written);
    } catch (cause) {
      if (!isKubeError(cause, 409) || attempt === 5) throw cause;
    }
    known = await readScale(client, of, name);
    if (known.replicas !== from.replicas) return 'changed';
  }
}

const scaleOf = (object: ScaleObject): Scale => ({
  // Zero is left out on the wire.
  replicas: object.spec?.replicas ?? 0,
  present: object.status?.replicas ?? 0,
  selector: object.status?.selector ?? '',
  resourceVersion: object.metadata.resourceVersion ?? '',
  uid: object.metadata.uid ?? '',
});
