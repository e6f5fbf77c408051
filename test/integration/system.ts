// The whole system on a local cluster, installed from the manifests that users apply, with the quickstart's model server
// in it; and the few questions that tests ask about it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createClock } from '@kubeai/daemon';
import { createKubeClient, type KubeClient, type KubeObject, loadKubeConfig, resources } from '@kubeai/kube';
import { type LocalCluster, type LocalClusterOptions, startLocalCluster } from '@kubeai/local-cluster';
import { seconds } from '@kubeai/units';
import { systemManifests } from '../../packages/demo/installation.ts';
import { applyManifests, readManifests } from '../../packages/demo/manifests.ts';
import { waitForDeployment, waitUntil } from '../../packages/demo/waiting.ts';

export interface Pod extends KubeObject {
  readonly spec: {
    readonly initContainers?: readonly { readonly name: string }[];
    readonly containers: readonly { readonly name: string }[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready: boolean;
  readonly restartCount: number;
}

export interface System {
  readonly cluster: LocalCluster;
  readonly client: KubeClient;
  /** Polls until it holds; after a minute it fails with what it waited for. */
  until(what: string, holds: () => Promise<boolean> | boolean): Promise<void>;
  /** Until every replica of a Deployment is available. */
  untilAvailable(namespace: string, name: string): Promise<void>;
  podsOf(namespace: string, labelSelector: string): Promise<readonly Pod[]>;
  /** Where the Service of the model servers answers. */
  serviceUrl(): Promise<string>;
}

export const clock = createClock();
const repository = fileURLToPath(new URL('../..', import.meta.url));
const patience = seconds(60);

/** @param files of the quickstart to apply, in this order; its Deployment is waited for */
export async function startSystem(files: readonly string[], options: LocalClusterOptions = {}): Promise<System> {
  const cluster = await startLocalCluster(options);
  try {
    return await install(cluster, files);
  } catch (cause) {
    await cluster.stop();
    throw cause;
  }
}

async function install(cluster: LocalCluster, files: readonly string[]): Promise<System> {
  const config = loadKubeConfig({ path: cluster.kubeconfigPath, environment: {} });
  if (!config.ok) throw new Error(JSON.stringify(config.problems));
  const client = createKubeClient(config.value, { userAgent: 'integration-test', clock });
  const { signal } = new AbortController();
  const untilAvailable = (namespace: string, name: string) =>
    waitForDeployment(client, clock, signal, patience, { namespace, name });

  await applyManifests(client, clock, await systemManifests(repository));
  for (const name of ['kubeai-controller', 'kubeai-webhook']) await untilAvailable('kubeai-system', name);
  const paths = files.map((file) => join(repository, 'examples/quickstart', `${file}.yaml`));
  await applyManifests(client, clock, await readManifests(paths));
  await untilAvailable('quickstart', 'chat');

  return {
    cluster,
    client,
    until: (what, holds) =>
      waitUntil(clock, signal, patience, holds, () => `not within ${patience / 1_000} s: ${what}`),
    untilAvailable,
    podsOf: async (namespace, labelSelector) =>
      (await client.list<Pod>(resources.pods, { namespace, labelSelector })).items,
    async serviceUrl() {
      const service = await client.read<KubeObject & { spec: { clusterIP: string; ports: { port: number }[] } }>(
        resources.services,
        { namespace: 'quickstart', name: 'chat' },
      );
      return `http://${service.spec.clusterIP}:${service.spec.ports[0]!.port}`;
    },
  };
}
