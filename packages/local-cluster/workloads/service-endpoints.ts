// Keeps the EndpointSlices and Endpoints of every Service with a selector; Services without one are their author's.
import { equal } from '../api-server/kube-object.ts';
import { createController, onEvery, type Running, runningUntilStopped, type World } from './controller.ts';
import { endpointSlicesOf, endpointsOf, managedBy } from './endpoint-slices.ts';
import { type EndpointSlice, type Endpoints, keyOf, type Pod, type Service, splitKey } from './objects.ts';
import { selects } from './selector.ts';

const ownSlices = `endpointslice.kubernetes.io/managed-by=${managedBy}`;

export function runServiceEndpoints(world: World): Running {
  const controller = createController('endpoints', world, (key) => reconcile(key, world));
  // Kept here because every change of a pod asks for the Services that select it.
  const services = new Map<string, Service>();
  // The labels a pod had when last seen: a pod that left a Service by a change of label concerns it, too.
  const labelsOf = new Map<string, Record<string, string>>();
  const enqueueSelecting = (namespace: string | undefined, labels: Record<string, string>) => {
    for (const [key, { metadata, spec }] of services) {
      if (metadata.namespace === namespace && spec.selector && selects({ matchLabels: spec.selector }, labels)) {
        controller.enqueue(key);
      }
    }
  };
  return runningUntilStopped(
    [
      onEvery<Service>(world.client, 'services', (service, type) => {
        if (type === 'DELETED') services.delete(keyOf(service));
        else services.set(keyOf(service), service);
        controller.enqueue(keyOf(service));
      }),
      onEvery<Pod>(world.client, 'pods', (pod, type) => {
        const { namespace, uid = '', labels = {} } = pod.metadata;
        enqueueSelecting(namespace, labels);
        const before = labelsOf.get(uid);
        if (before !== undefined && before !== labels) enqueueSelecting(namespace, before);
        if (type === 'DELETED') labelsOf.delete(uid);
        else labelsOf.set(uid, labels);
      }),
    ],
    [controller],
  );
}

async function reconcile(key: string, { client }: World): Promise<void> {
  const { namespace, name } = splitKey(key);
  const service = await client.find<Service>('services', { namespace, name });
  const labelSelector = `${ownSlices},kubernetes.io/service-name=${name}`;
  const present = await client.list<EndpointSlice>('endpointslices.discovery.k8s.io', { namespace, labelSelector });
  if (service?.metadata.deletionTimestamp !== undefined) return;
  if (service === undefined) {
    for (const { metadata } of present.items) {
      await client.delete('endpointslices.discovery.k8s.io', { name: metadata.name, namespace });
    }
    if ((await client.find('endpoints', { namespace, name })) !== undefined) {
      await client.delete('endpoints', { namespace, name });
    }
    return;
  }
  const { selector = {} } = service.spec;
  if (Object.keys(selector).length === 0 || service.spec.type === 'ExternalName') return;
  const { items } = await client.list<Pod>('pods', { namespace });
  const pods = items.filter((pod) => selects({ matchLabels: selector }, pod.metadata.labels));
  const wanted = endpointSlicesOf(service, pods);
  // Grown slices first and emptied ones last: nobody who reads in between misses an endpoint.
  for (const slice of wanted) await writeSlice(slice, present.items, client);
  for (const { metadata } of present.items) {
    if (wanted.some((slice) => slice.metadata.name === metadata.name)) continue;
    await client.delete('endpointslices.discovery.k8s.io', { name: metadata.name, namespace });
  }
  await writeEndpoints(endpointsOf(service, pods), client);
}

async function writeSlice(
  slice: EndpointSlice,
  present: readonly EndpointSlice[],
  client: World['client'],
): Promise<void> {
  const old = present.find(({ metadata }) => metadata.name === slice.metadata.name);
  if (old === undefined) await client.create('endpointslices.discovery.k8s.io', slice);
  else if (!equal([old.endpoints, old.ports], [slice.endpoints, slice.ports])) {
    await client.update('endpointslices.discovery.k8s.io', slice);
  }
}

async function writeEndpoints(endpoints: Endpoints, client: World['client']): Promise<void> {
  const { name, namespace } = endpoints.metadata;
  const old = await client.find<Endpoints>('endpoints', { name, namespace });
  if (old === undefined) await client.create('endpoints', endpoints);
  else if (!equal(old.subsets ?? [], endpoints.subsets ?? [])) await client.update('endpoints', endpoints);
}
