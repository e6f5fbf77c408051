// Which pods answer for a Service: EndpointSlices (what the service proxy reads) and Endpoints (what older clients and
// `kubectl get endpoints` read). Pure; service-endpoints.ts reads the pods and writes the objects.
import { createHash } from 'node:crypto';
import { endpointsPerSlice } from './limits.ts';
import {
  type Endpoint,
  type EndpointAddress,
  type EndpointPort,
  type EndpointSlice,
  type Endpoints,
  isReady,
  type Pod,
  restartsAlways,
  type Service,
  type ServicePort,
} from './objects.ts';
import { controllerReference } from './pod-template.ts';

export const managedBy = 'endpointslice-controller.k8s.io';

/** The port of this pod that a Service's port means, or undefined when the pod has no port of that name. */
export function targetPort(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort === undefined || port.targetPort === '' ? port.port : port.targetPort;
  if (typeof target === 'number') return target;
  if (/^\d+$/.test(target)) return Number(target);
  const protocol = port.protocol ?? 'TCP';
  const serving = [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(restartsAlways)];
  return serving
    .flatMap((container) => container.ports ?? [])
    .find((named) => named.name === target && (named.protocol ?? 'TCP') === protocol)?.containerPort;
}

const isListed = (pod: Pod): boolean =>
  (pod.status?.podIP ?? '') !== '' && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed';

const referenceTo = ({ metadata }: Pod) => ({
  kind: 'Pod',
  ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  name: metadata.name,
  ...(metadata.uid === undefined ? {} : { uid: metadata.uid }),
});

function endpointOf(pod: Pod, service: Service): Endpoint {
  const serving = isReady(pod) || service.spec.publishNotReadyAddresses === true;
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  return {
    addresses: [pod.status?.podIP ?? ''],
    conditions: { ready, serving, terminating },
    ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
    targetRef: referenceTo(pod),
    ...(pod.spec.subdomain === service.metadata.name && pod.spec.hostname ? { hostname: pod.spec.hostname } : {}),
  };
}

function portsOf(pod: Pod, service: Service): EndpointPort[] {
  return (service.spec.ports ?? []).flatMap((port) => {
    const number = targetPort(pod, port);
    if (number === undefined) return [];
    const { name = '', protocol = 'TCP', appProtocol } = port;
    return [{ name, port: number, protocol, ...(appProtocol === undefined ? {} : { appProtocol }) }];
  });
}

/** Pods with the same resolved ports share slices, of at most `endpointsPerSlice`; names follow from the ports. */
function byPorts(service: Service, pods: readonly Pod[]): { ports: EndpointPort[]; pods: Pod[] }[] {
  const groups = new Map<string, { ports: EndpointPort[]; pods: Pod[] }>();
  for (const pod of pods.filter(isListed)) {
    const ports = portsOf(pod, service);
    const key = JSON.stringify(ports);
    const group = groups.get(key) ?? { ports, pods: [] };
    group.pods.push(pod);
    groups.set(key, group);
  }
  // A Service without pods has one empty slice, so that a reader can tell "none" from "not computed yet".
  return groups.size === 0 ? [{ ports: [], pods: [] }] : [...groups.values()];
}

export function endpointSlicesOf(service: Service, pods: readonly Pod[]): EndpointSlice[] {
  const { name, namespace, labels } = service.metadata;
  return byPorts(service, pods).flatMap(({ ports, pods: sharing }) => {
    const pages = Math.max(1, Math.ceil(sharing.length / endpointsPerSlice));
    return Array.from({ length: pages }, (_, page): EndpointSlice => {
      const members = sharing.slice(page * endpointsPerSlice, (page + 1) * endpointsPerSlice);
      const suffix = createHash('sha1')
        .update(JSON.stringify([ports, page]))
        .digest('hex')
        .slice(0, 5);
      return {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: `${name}-${suffix}`,
          ...(namespace === undefined ? {} : { namespace }),
          labels: {
            ...labels,
            'kubernetes.io/service-name': name,
            'endpointslice.kubernetes.io/managed-by': managedBy,
          },
          ownerReferences: [controllerReference(service)],
        },
        addressType: 'IPv4',
        endpoints: members.map((pod) => endpointOf(pod, service)),
        ports,
      };
    });
  });
}

export function endpointsOf(service: Service, pods: readonly Pod[]): Endpoints {
  const { name, namespace, labels } = service.metadata;
  const subsets = byPorts(service, pods)
    .filter(({ pods: sharing }) => sharing.length > 0)
    .map(({ ports, pods: sharing }) => {
      // Endpoints know no terminating pods: leaving ones are not listed at all.
      const staying = sharing.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
      const isAnswering = (pod: Pod) => endpointOf(pod, service).conditions?.ready === true;
      const addresses = staying.filter(isAnswering).map(addressOf);
      const notReadyAddresses = staying.filter((pod) => !isAnswering(pod)).map(addressOf);
      return {
        ...(addresses.length === 0 ? {} : { addresses }),
        ...(notReadyAddresses.length === 0 ? {} : { notReadyAddresses }),
        ports: ports.map((port) => (port.name === '' ? { ...port, name: undefined } : port)).map(withoutUndefined),
      };
    })
    .filter(({ addresses, notReadyAddresses }) => addresses !== undefined || notReadyAddresses !== undefined);
  return {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels: { ...labels } }),
    },
    ...(subsets.length === 0 ? {} : { subsets }),
  };
}

const addressOf = (pod: Pod): EndpointAddress => ({
  ip: pod.status?.podIP ?? '',
  ...(pod.spec.nodeName === undefined ? {} : { nodeName: pod.spec.nodeName }),
  targetRef: referenceTo(pod),
});

const withoutUndefined = (port: object): EndpointPort =>
  Object.fromEntries(Object.entries(port).filter(([, value]) => value !== undefined));
