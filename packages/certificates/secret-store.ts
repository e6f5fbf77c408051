// Where the authority is kept, so that several replicas and components share one. Three calls are all it takes; the
// resourceVersion makes the loser of a race read again instead of overwriting the winner.
import { isKubeError, type KubeClient, type KubeObject, resources } from '@kubeai/kube';
import type { SecretData } from './authority.ts';

export interface StoredSecret {
  readonly version: string;
  readonly data: SecretData;
}

export interface SecretStore {
  /** The Secret now, or undefined when there is none. */
  read(): Promise<StoredSecret | undefined>;
  /** False when another one has created it first. */
  create(data: SecretData): Promise<boolean>;
  /** False when it has changed since `version`. */
  replace(data: SecretData, version: string): Promise<boolean>;
}

interface SecretObject extends KubeObject {
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

/** A Secret of the cluster as a store. */
export function createSecretStore(client: KubeClient, secret: { namespace: string; name: string }): SecretStore {
  const objectOf = (data: SecretData, metadata: object = {}) => ({
    metadata: { ...secret, labels: { 'app.kubernetes.io/part-of': 'kubeai-autoscaler' }, ...metadata },
    type: 'Opaque',
    data: Object.fromEntries(Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')])),
  });
  return {
    async read() {
      const found = await client.find<SecretObject>(resources.secrets, secret);
      if (found === undefined) return undefined;
      const entries = Object.entries(found.data ?? {}).map(([key, text]) => [
        key,
        Buffer.from(text, 'base64').toString(),
      ]);
      return { version: found.metadata.resourceVersion ?? '', data: Object.fromEntries(entries) };
    },
    create: (data) => unlessConflict(client.create(resources.secrets, objectOf(data))),
    replace: (data, resourceVersion) =>
      unlessConflict(client.replace(resources.secrets, objectOf(data, { resourceVersion }))),
  };
}

async function unlessConflict(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (cause) {
    if (isKubeError(cause, 409)) return false;
    throw cause;
  }
}
