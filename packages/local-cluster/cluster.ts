// A whole cluster in one process: the API server, the controllers, the scheduler, a kubelet that runs pods as local
// processes, and a proxy for Services. Programs that know nothing of it reach it as they reach any cluster, by a
// kubeconfig. What it does not have: DNS for other programs than Node's, network policies, limits on CPU and memory, images outside its table.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Clock, createClock, createLog, type Log } from '@kubeai/daemon';
import type { Milliseconds } from '@kubeai/units';
import { type ApiServer, startApiServer } from './api-server/api-server.ts';
import type { ClusterClient } from './cluster-client.ts';
import { buildImages } from './images.ts';
import type { ImageTable } from './kubelet/image-table.ts';
import { type Kubelet, startKubelet } from './kubelet/kubelet.ts';
import type { NodeShape } from './kubelet/node.ts';
import { makeDirectory } from './make-directory.ts';
import { startServiceNames } from './service-names/service-names.ts';
import { runServiceProxy } from './service-proxy/service-proxy.ts';
import type { World } from './workloads/controller.ts';
import { runDeployments } from './workloads/deployment.ts';
import type { EndpointSlice, Endpoints, Service } from './workloads/objects.ts';
import { runReplicaSets } from './workloads/replica-set.ts';
import { runScheduler } from './workloads/scheduler.ts';
import { runServiceEndpoints } from './workloads/service-endpoints.ts';
import { runStatefulSets } from './workloads/stateful-set.ts';

export interface LocalClusterOptions {
  /** Where pods' files, logs and the kubeconfig go. Left out: a temporary directory, removed by `stop`. */
  readonly directory?: string;
  /** Written as well as returned. Left out: `kubeconfig` in the directory. */
  readonly kubeconfigPath?: string;
  /** Of the API server, on 127.0.0.1. Left out: any free one. */
  readonly port?: number;
  /** The version to be like; left out: `1.36`. Before 1.29 there are no native sidecars. */
  readonly kubernetesVersion?: string;
  /** Left out: one node, `local`, with eight GPUs. */
  readonly nodes?: readonly NodeShape[];
  /** Left out: our own processes, bundled now, and a few plain images. */
  readonly images?: ImageTable;
  /** Where containers find programs. */
  readonly searchPath?: string;
  /** The first wait before a crashed container is started again: a second, where a real kubelet takes ten. */
  readonly firstRestartWait?: Milliseconds;
  readonly clock?: Clock;
  /** Left out: warnings as JSON lines on stderr. */
  readonly log?: Log;
}

export interface LocalCluster {
  readonly url: string;
  readonly kubeconfigPath: string;
  /** An administrator's client in this process. */
  readonly client: ClusterClient;
  /** Kills every container, ends every connection, and removes what was written. May be called twice. */
  stop(): Promise<void>;
}

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const defaultNodes: readonly NodeShape[] = [{ name: 'local', gpus: 8 }];
const defaultSearchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const defaultVersion = '1.36';

/**
 * Resolves when the API server answers and the node takes pods. Throws when the port is taken, the kubeconfig cannot be
 * written or an image does not build; nothing is left running then.
 */
export async function startLocalCluster(options: LocalClusterOptions = {}): Promise<LocalCluster> {
  const clock = options.clock ?? createClock();
  const log = options.log ?? createLog({ level: 'warn', name: 'local-cluster', destination: 2 });
  const images = options.images ?? (await buildImages(repository));
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'kubeai-cluster-')));
  const undo: (() => Promise<void>)[] = [];
  if (options.directory === undefined) undo.push(() => rm(directory, { recursive: true, force: true }));
  const stop = once(async () => {
    for (const step of undo.reverse()) await step();
  });
  try {
    const kubeconfigPath = options.kubeconfigPath ?? join(directory, 'kubeconfig');
    await makeDirectory(directory);
    await makeDirectory(dirname(kubeconfigPath));
    const version = options.kubernetesVersion ?? defaultVersion;
    const server = await startApiServer({ clock, version, log, ...(options.port ? { port: options.port } : {}) });
    undo.push(() => server.stop());
    const client = server.client('kubernetes-admin');
    await publishApiServer(client, server);
    const names = startServiceNames(server.client('system:coredns'), directory);
    undo.push(async () => names.stop());
    const kubelet = await runKubelet(server, {
      ...options,
      images,
      directory,
      environment: names.environment,
      clock,
      log,
    });
    undo.push(() => kubelet.stop());
    undo.push(runControllers(server, clock, log));
    await writeWhole(kubeconfigPath, server.kubeconfig());
    return { url: server.url, kubeconfigPath, client, stop };
  } catch (cause) {
    await stop();
    throw cause;
  }
}

/** Last of all and all at once: whoever waits for the file finds a cluster that answers. */
async function writeWhole(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => {
    done ??= work();
    return done;
  };
}

const worldOf = (server: ApiServer, user: string, clock: Clock, log: Log): World => ({
  client: server.client(user),
  clock,
  log,
});

type KubeletNeeds = LocalClusterOptions & {
  readonly images: ImageTable;
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
};

async function runKubelet(server: ApiServer, needs: KubeletNeeds): Promise<Kubelet> {
  const { nodes = defaultNodes, images, directory, environment, clock, log, firstRestartWait, searchPath } = needs;
  const [, version = '1', patch = '0'] =
    /^v?(\d+\.\d+)(?:\.(\d+))?/.exec(needs.kubernetesVersion ?? defaultVersion) ?? [];
  const kubelet = await startKubelet(
    {
      nodes,
      images,
      directory,
      kubernetesVersion: `v${version}.${patch}`,
      serverUrl: server.url,
      searchPath: searchPath ?? defaultSearchPath,
      environment,
      ...(firstRestartWait === undefined ? {} : { firstRestartWait }),
    },
    worldOf(server, `system:node:${nodes[0]?.name ?? ''}`, clock, log),
  );
  server.setPodLogProvider(kubelet.readLog);
  return kubelet;
}

/** Starts everything that watches and writes; returns the stop. */
function runControllers(server: ApiServer, clock: Clock, log: Log): () => Promise<void> {
  const manager = worldOf(server, 'system:kube-controller-manager', clock, log);
  const running = [
    runDeployments(manager),
    runReplicaSets(manager),
    runStatefulSets(manager),
    runServiceEndpoints(manager),
    runScheduler(worldOf(server, 'system:kube-scheduler', clock, log)),
    runServiceProxy(worldOf(server, 'system:kube-proxy', clock, log)),
  ];
  return async () => {
    await Promise.all(running.map((part) => part.stop()));
  };
}

// The Service by which pods find the API server. It has no selector: its endpoint is the server itself. Its port is the
// server's own instead of 443, which asks for rights and would be the same for every cluster on this machine.
async function publishApiServer(client: ClusterClient, { url }: ApiServer): Promise<void> {
  const { hostname, port } = new URL(url);
  const metadata = { name: 'kubernetes', namespace: 'default' };
  const named = { name: 'https', protocol: 'TCP' };
  const service: Service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
    spec: { clusterIP: '127.96.0.1', ports: [{ ...named, port: Number(port), targetPort: Number(port) }] },
  };
  const ports = [{ ...named, port: Number(port) }];
  const endpoints: Endpoints = {
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: hostname }], ports }],
  };
  const slice: EndpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: 'IPv4',
    endpoints: [{ addresses: [hostname], conditions: { ready: true } }],
    ports,
  };
  await client.create('services', service);
  await client.create('endpoints', endpoints);
  await client.create('endpointslices.discovery.k8s.io', slice);
}
