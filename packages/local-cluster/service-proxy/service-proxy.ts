// What kube-proxy is in a cluster: every Service address answers, and each connection to it goes to one of the ready
// endpoints, in turn. It listens on the Service's own loopback address, so clients in pods and outside use the same one.
// TCP only; NodePorts and session affinity do not exist here.
import { createServer, type Server, type Socket } from 'node:net';
import { createController, onEvery, type Running, runningUntilStopped, type World } from '../workloads/controller.ts';
import { createEventRecorder } from '../workloads/event-recorder.ts';
import { type EndpointSlice, keyOf, type Service, type ServicePort, splitKey } from '../workloads/objects.ts';
import { createRotation } from './endpoint-choice.ts';
import { backlog, listenRetry } from './limits.ts';
import { splice, type Target } from './splice.ts';

interface Listener {
  readonly address: string;
  readonly port: number;
  readonly server: Server;
  readonly connections: Set<Socket>;
}

export function runServiceProxy(world: World): Running {
  const { client, log } = world;
  const events = createEventRecorder(world, 'kube-proxy');
  const slices = new Map<string, EndpointSlice>();
  /** By Service, then by address, port and name. */
  const listeners = new Map<string, Map<string, Listener>>();

  const targetsOf = (key: string, port: ServicePort): (() => Target[]) => {
    const rotation = createRotation();
    return () =>
      rotation.order(
        [...slices.values()].filter((slice) => serviceOf(slice) === key),
        port.name ?? '',
      );
  };

  async function reconcile(key: string): Promise<void> {
    const service = await client.find<Service>('services', splitKey(key));
    const wanted = service === undefined ? new Map<string, ServicePort>() : addressesOf(service);
    const present = listeners.get(key) ?? new Map<string, Listener>();
    listeners.set(key, present);
    for (const [address, listener] of present) {
      if (wanted.get(address) !== undefined) continue;
      present.delete(address);
      // Connections in flight go on to their end; only the door closes.
      listener.server.close();
    }
    for (const [address, port] of wanted) {
      if (present.has(address) || service === undefined) continue;
      const listener = await open(service, port, targetsOf(key, port));
      if (listener !== undefined) present.set(address, listener);
    }
    if (present.size === 0) listeners.delete(key);
  }

  /** Undefined when the address is not ours to listen on; it is tried again later. */
  async function open(service: Service, port: ServicePort, targets: () => readonly Target[]) {
    const { clusterIP = '' } = service.spec;
    try {
      return await listen(clusterIP, port.port, targets);
    } catch (cause) {
      // Taken by another cluster on this machine, or a port below 1024 that asks for rights: whoever looks at the
      // Service shall see why it is silent.
      const message = `Cannot listen on ${clusterIP}:${port.port}: ${(cause as Error).message}`;
      events.record(service, 'Warning', 'FailedToListen', message);
      log.warn('Service does not listen', { service: keyOf(service), cause });
      controller.enqueueAfter(keyOf(service), listenRetry);
      return undefined;
    }
  }

  const controller = createController('service-proxy', world, reconcile);
  const watches = runningUntilStopped(
    [
      onEvery<EndpointSlice>(client, 'endpointslices.discovery.k8s.io', (slice, type) => {
        if (type === 'DELETED') slices.delete(keyOf(slice));
        else slices.set(keyOf(slice), slice);
      }),
      onEvery<Service>(client, 'services', (service) => controller.enqueue(keyOf(service))),
    ],
    [controller],
  );
  return {
    async stop() {
      await watches.stop();
      const all = [...listeners.values()].flatMap((ofService) => [...ofService.values()]);
      await Promise.all(all.map(close));
      listeners.clear();
      log.debug('Stopped the service proxy', { listeners: all.length });
    },
  };
}

const serviceOf = ({ metadata }: EndpointSlice): string =>
  `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name']}`;

function addressesOf({ spec, metadata }: Service): Map<string, ServicePort> {
  const { clusterIP = '', ports = [] } = spec;
  // Only loopback addresses are ours; a headless Service has none at all.
  if (!clusterIP.startsWith('127.') || metadata.deletionTimestamp !== undefined) return new Map();
  const tcp = ports.filter(({ protocol = 'TCP' }) => protocol === 'TCP');
  // The name belongs to the key: renaming a port means other endpoints.
  return new Map(tcp.map((port) => [`${clusterIP}:${port.port} ${port.name ?? ''}`, port]));
}

async function listen(address: string, port: number, targets: () => readonly Target[]): Promise<Listener> {
  const connections = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    connections.add(socket);
    splice(socket, targets(), () => connections.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address, port, backlog }, resolve);
  });
  return { address, port, server, connections };
}

async function close({ server, connections }: Listener): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  for (const connection of connections) connection.destroy();
  await closed;
}
