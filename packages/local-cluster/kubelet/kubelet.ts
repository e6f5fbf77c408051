// Runs the pods that are bound to this machine's nodes. Watches only say that something changed; what to do about it is
// decided by each pod's worker from the newest object.
import { join } from 'node:path';
import { type Milliseconds, seconds } from '@kubeai/units';
import type { PodLogProvider } from '../api-server/pod-log.ts';
import { ApiError } from '../cluster-client.ts';
import { createController, onEvery, type Running, type World } from '../workloads/controller.ts';
import { createEventRecorder } from '../workloads/event-recorder.ts';
import type { ConfigMap, Pod, ProjectedSource, Secret, Volume } from '../workloads/objects.ts';
import { amountsOf } from '../workloads/placement.ts';
import type { PodFacts } from './downward.ts';
import type { ImageTable } from './image-table.ts';
import { launchOf } from './launch.ts';
import { firstRestartWait } from './limits.ts';
import { capacityOf, hostAddress, type NodeShape, reportNodes } from './node.ts';
import type { PayloadSource } from './payload.ts';
import { claimPodAddresses } from './pod-addresses.ts';
import { createPodVolumes } from './pod-volumes.ts';
import { createPodWorker, type PodHost, type PodWorker } from './pod-worker.ts';
import { startWatchdog } from './watchdog.ts';

export interface KubeletOptions {
  readonly nodes: readonly NodeShape[];
  readonly images: ImageTable;
  /** Where volumes, logs and working directories of pods lie. */
  readonly directory: string;
  /** `v1.33.0` */
  readonly kubernetesVersion: string;
  readonly serverUrl: string;
  readonly searchPath: string;
  /** What every container's environment holds beside what its pod says. */
  readonly environment: Readonly<Record<string, string>>;
  readonly firstRestartWait?: Milliseconds;
}

export interface Kubelet extends Running {
  /** What containers have printed, for the API server. */
  readonly readLog: PodLogProvider;
}

export async function startKubelet(options: KubeletOptions, world: World): Promise<Kubelet> {
  const { client, clock, log } = world;
  const watchdog = startWatchdog(log);
  const addresses = await claimPodAddresses();
  const nodes = new Map(options.nodes.map((node) => [node.name, amountsOf(capacityOf(node))]));
  const workers = new Map<string, { readonly worker: PodWorker; pod: Pod }>();
  const leaving = new Set<Promise<void>>();
  const userAgent = `kube-probe/${/^v?(\d+\.\d+)/.exec(options.kubernetesVersion)?.[1] ?? '1.33'}`;
  let isStopping = false;

  const source: PayloadSource = {
    configMap: (namespace, name) => client.find<ConfigMap>('configmaps', { namespace, name }),
    secret: (namespace, name) => client.find<Secret>('secrets', { namespace, name }),
    now: () => clock.now(),
    issueToken: ({ metadata, spec }, { audience, expirationSeconds }) =>
      client.issueToken(
        { name: spec.serviceAccountName ?? 'default', namespace: metadata.namespace },
        {
          ...(audience === undefined ? {} : { audiences: [audience] }),
          expirationSeconds,
          pod: { name: metadata.name, uid: metadata.uid ?? '' },
        },
      ),
  };
  const factsOf = (pod: Pod, podIP: string): PodFacts => ({
    pod,
    podIP,
    hostIP: hostAddress,
    allocatable: nodes.get(pod.spec.nodeName ?? '') ?? {},
  });
  const launchHost = { ...options, client, source };
  const claims = join(options.directory, 'claims');

  function hostOf(pod: Pod): PodHost {
    const directory = join(options.directory, 'pods', pod.metadata.uid ?? pod.metadata.name);
    return {
      ...world,
      watchdog,
      events: createEventRecorder(world, 'kubelet', pod.spec.nodeName),
      directory,
      hostIP: hostAddress,
      userAgent,
      firstRestartWait: options.firstRestartWait ?? firstRestartWait,
      takeAddress: addresses.take,
      releaseAddress: addresses.release,
      createVolumes: (place) => createPodVolumes(place, { clock, log, source, claims, factsOf }),
      launchOf: async (container, now, address, volumes) =>
        launchOf(container, factsOf(now, address), await volumes.mountsOf(container), directory, launchHost),
    };
  }

  function onPod(pod: Pod, type: string): void {
    const uid = pod.metadata.uid ?? '';
    const known = workers.get(uid);
    if (type === 'DELETED') {
      workers.delete(uid);
      if (known !== undefined) dismiss(known.worker, pod);
      return;
    }
    if (isStopping || !nodes.has(pod.spec.nodeName ?? '')) return;
    if (known !== undefined) {
      known.pod = pod;
      known.worker.update(pod);
      return;
    }
    const isFinished = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    if (isFinished && pod.metadata.deletionTimestamp === undefined) return;
    const worker = createPodWorker(pod, hostOf(pod));
    workers.set(uid, { worker, pod });
    worker.update(pod);
  }

  function dismiss(worker: PodWorker, pod: Pod): void {
    const gone = worker
      .kill()
      .catch((cause: unknown) => log.error('Pod not removed', { pod: pod.metadata.name, cause }))
      .finally(() => leaving.delete(gone));
    leaving.add(gone);
  }

  // Refreshing by key: a burst of changes of one object is one refresh.
  const refresh = createController('volumes', world, async (key) => {
    const [kind = '', namespace, name = ''] = key.split('/');
    for (const { worker, pod } of workers.values()) {
      if (pod.metadata.namespace === namespace && names(pod, kind, name)) worker.refreshVolumes();
    }
  });
  const ofKind =
    (kind: string) =>
    ({ metadata }: { metadata: { name: string; namespace?: string } }, type: string) => {
      if (type !== 'DELETED') refresh.enqueue(`${kind}/${metadata.namespace}/${metadata.name}`);
    };

  const report = await reportNodes(options.nodes, options.kubernetesVersion, world);
  const watches = [
    onEvery<ConfigMap>(client, 'configmaps', ofKind('configMap')),
    onEvery<Secret>(client, 'secrets', ofKind('secret')),
    onEvery<Pod>(client, 'pods', onPod),
  ];

  const find = (namespace: string, pod: string, container: string) => {
    const entries = [...workers.values()].reverse();
    const found = entries.find(
      (entry) => entry.pod.metadata.name === pod && entry.pod.metadata.namespace === namespace,
    );
    return found?.worker.container(container);
  };

  return {
    readLog({ namespace, pod, container, previous, follow, timestamps, tailLines, sinceSeconds, sinceTime }, signal) {
      const found = find(namespace, pod, container);
      const output = found?.log(previous);
      if (output !== undefined) {
        const ago = sinceSeconds === undefined ? undefined : clock.now() - seconds(sinceSeconds);
        const since = sinceTime === undefined ? ago : Date.parse(sinceTime);
        return output.read({ follow, timestamps, tailLines, since, signal });
      }
      if (previous) throw refusal(`previous terminated container "${container}" in pod "${pod}" not found`);
      const reason = found?.status().state?.waiting?.reason ?? 'ContainerCreating';
      throw refusal(`container "${container}" in pod "${pod}" is waiting to start: ${reason}`);
    },
    async stop() {
      isStopping = true;
      for (const close of watches) close();
      report.stop();
      await refresh.stop();
      await Promise.all([...workers.values()].map(({ worker }) => worker.kill()));
      await Promise.all(leaving);
      await watchdog.stop();
      await addresses.stop();
    },
  };
}

const refusal = (message: string) => new ApiError(400, 'BadRequest', message);

/** Whether a volume of the pod shows the ConfigMap or Secret. */
function names({ spec }: Pod, kind: string, name: string): boolean {
  const inSource = (one: ProjectedSource | Volume) =>
    kind === 'configMap' ? one.configMap?.name === name : secretName(one.secret) === name;
  return (spec.volumes ?? []).some((volume) => inSource(volume) || (volume.projected?.sources ?? []).some(inSource));
}

const secretName = (secret: { name?: string; secretName?: string } | undefined): string | undefined =>
  secret?.name ?? secret?.secretName;
