// What every namespace starts with: a service account named default, and the cluster's CA in the ConfigMap
// kube-root-ca.crt.
import { createController, onEvery, type Running, runningUntilStopped, type World } from './controller.ts';
import type { ConfigMap, KubeObject } from './objects.ts';

const authorityName = 'kube-root-ca.crt';

/** `authority` is the PEM certificate that clients trust the API server by. */
export function runNamespaces(world: World, authority: string): Running {
  const { client } = world;
  const controller = createController('namespace-defaults', world, async (namespace) => {
    const found = await client.find('namespaces', { name: namespace });
    if (found === undefined || found.metadata.deletionTimestamp !== undefined) return;
    if ((await client.find('serviceaccounts', { namespace, name: 'default' })) === undefined) {
      await client.create('serviceaccounts', { metadata: { namespace, name: 'default' } });
    }
    const name = authorityName;
    const present = await client.find<ConfigMap>('configmaps', { namespace, name });
    if (present?.data?.['ca.crt'] === authority) return;
    const map = { metadata: { namespace, name }, data: { 'ca.crt': authority } };
    await (present === undefined ? client.create('configmaps', map) : client.update('configmaps', map));
  });
  const ofObject = (name: string) => (object: KubeObject, type: string) => {
    if (object.metadata.name === name && type !== 'ADDED') controller.enqueue(object.metadata.namespace ?? '');
  };
  return runningUntilStopped(
    [
      onEvery(client, 'namespaces', ({ metadata }) => controller.enqueue(metadata.name)),
      onEvery(client, 'serviceaccounts', ofObject('default')),
      onEvery(client, 'configmaps', ofObject(authorityName)),
    ],
    [controller],
  );
}
