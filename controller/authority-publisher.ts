// Puts the public half of our certificate authority where agents can mount it: a ConfigMap in every labelled namespace.
// What somebody deletes or changes is written again.
import type { Clock, Log } from '@kubeai/daemon';
import { createReflector, type KubeClient, type KubeObject, keyOf, resources } from '@kubeai/kube';
import { seconds } from '@kubeai/units';
import { fieldManager } from './targets.ts';

export const authorityName = 'kubeai-ca';
const injectionLabel = 'kubeai.io/injection=enabled';

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>;
}

export interface AuthorityPublisher {
  /** Resolves once every labelled namespace that we know has been given this bundle; rejects when one could not be. */
  publish(bundle: string): Promise<void>;
  stop(): void;
}

export function createAuthorityPublisher(client: KubeClient, clock: Clock, log: Log): AuthorityPublisher {
  let bundle: string | undefined;
  const namespaces = createReflector({
    client,
    clock,
    log,
    resource: resources.namespaces,
    labelSelector: injectionLabel,
  });
  const present = createReflector<ConfigMap>({
    client,
    clock,
    log,
    resource: resources.configMaps,
    fieldSelector: `metadata.name=${authorityName}`,
  });

  async function write(namespace: string, text: string): Promise<void> {
    if (present.read({ namespace, name: authorityName })?.data?.['ca.crt'] === text) return;
    const wanted = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: authorityName, namespace, labels: { 'app.kubernetes.io/part-of': 'kubeai-autoscaler' } },
      data: { 'ca.crt': text },
    };
    await client.patch(resources.configMaps, { namespace, name: authorityName }, wanted, {
      kind: 'apply',
      fieldManager,
      force: true,
    });
    log.info('Published the certificate authority', { namespace });
  }

  async function writeAll(text: string): Promise<void> {
    const names = [...namespaces.items()]
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map(({ metadata }) => metadata.name);
    await Promise.all(names.map((name) => write(name, text)));
  }

  const repair = () => {
    if (bundle === undefined || !present.hasSynced()) return;
    writeAll(bundle).catch((cause: unknown) => {
      log.warn('Certificate authority could not be published and will be repeated', { cause });
    });
  };
  const timer = clock.every(seconds(30), repair);
  namespaces.subscribe({ upsert: repair, remove: () => undefined });
  present.subscribe({
    upsert: (_map, old) => (old === undefined ? undefined : repair()),
    remove: (map) => {
      log.warn('Published certificate authority was deleted', { configMap: keyOf(map.metadata) });
      repair();
    },
  });

  return {
    async publish(text) {
      bundle = text;
      await Promise.all([namespaces.synced, present.synced]);
      await writeAll(text);
    },
    stop() {
      timer.stop();
      namespaces.stop();
      present.stop();
    },
  };
}
