// Waiting for the cluster to come to a state, and saying what stood in the way when it does not.
import type { Clock } from '@kubeai/daemon';
import { type KubeClient, type KubeObject, type ObjectName, resources } from '@kubeai/kube';
import { type Milliseconds, milliseconds } from '@kubeai/units';

const pollInterval = milliseconds(200);

interface Deployment extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly updatedReplicas?: number;
    readonly availableReplicas?: number;
    readonly replicas?: number;
  };
}

interface ContainerState {
  readonly name: string;
  readonly state?: { readonly waiting?: { readonly reason?: string; readonly message?: string } };
}

interface Pod extends KubeObject {
  readonly status?: {
    readonly phase?: string;
    readonly containerStatuses?: readonly ContainerState[];
    readonly initContainerStatuses?: readonly ContainerState[];
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message?: string }[];
  };
}

/** Polls until `holds` says yes. Throws `describe()` as an Error after `limit`, and an AbortError when stopped. */
export async function waitUntil(
  clock: Clock,
  signal: AbortSignal,
  limit: Milliseconds,
  holds: () => Promise<boolean> | boolean,
  describe: () => Promise<string> | string,
): Promise<void> {
  const started = clock.monotonic();
  while (!(await holds())) {
    signal.throwIfAborted();
    if (clock.monotonic() - started > limit) throw new Error(await describe());
    await clock.sleep(pollInterval, signal);
  }
}

/** Waits until every replica of a Deployment is up to date and available, and no other is left. */
export async function waitForDeployment(
  client: KubeClient,
  clock: Clock,
  signal: AbortSignal,
  limit: Milliseconds,
  name: ObjectName,
): Promise<void> {
  await waitUntil(
    clock,
    signal,
    limit,
    async () => {
      const deployment = await client.read<Deployment>(resources.deployments, name);
      const { status, spec, metadata } = deployment;
      const wanted = spec.replicas ?? 1;
      return (
        status?.observedGeneration === metadata.generation &&
        [status?.replicas, status?.updatedReplicas, status?.availableReplicas].every((count) => (count ?? 0) === wanted)
      );
    },
    async () =>
      `Deployment ${name.namespace}/${name.name} was not available after ${limit / 1_000} s: ${await obstacles(client, name)}`,
  );
}

/** What the pods of the namespace wait for, in their own words. */
async function obstacles(client: KubeClient, name: ObjectName): Promise<string> {
  const { items } = await client.list<Pod>(resources.pods, { namespace: name.namespace });
  const said = items.flatMap((pod) => {
    const containers = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
    const waiting = containers.flatMap(({ name: container, state }) =>
      state?.waiting === undefined
        ? []
        : [`${container}: ${state.waiting.reason} ${state.waiting.message ?? ''}`.trim()],
    );
    const conditions = (pod.status?.conditions ?? []).filter(({ status, message }) => status === 'False' && message);
    const words = [...waiting, ...conditions.map(({ type, message }) => `${type}: ${message}`)];
    return words.length === 0 ? [] : [`pod ${pod.metadata.name} (${words.join('; ')})`];
  });
  return said.length === 0 ? `${items.length} pods, none of which says what it waits for` : said.join(', ');
}
