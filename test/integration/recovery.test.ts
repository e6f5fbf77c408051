// The whole system on the local cluster, with its processes killed one after the other: the kubelet starts them again,
// and the main job goes on.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { createKubeClient, type KubeClient, type KubeObject, loadKubeConfig, resources } from '@kubeai/kube';
import { parseTrace, replay } from '@kubeai/load';
import { type LocalCluster, startLocalCluster } from '@kubeai/local-cluster';
import { milliseconds, seconds } from '@kubeai/units';
import { systemManifests } from '../../packages/demo/installation.ts';
import { applyManifests, readManifests } from '../../packages/demo/manifests.ts';
import { waitForDeployment, waitUntil } from '../../packages/demo/waiting.ts';

interface Pod extends KubeObject {
  readonly spec: { readonly initContainers?: readonly { readonly name: string }[] };
  readonly status?: {
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

interface Policy extends KubeObject {
  readonly status?: { readonly desiredReplicas?: number };
}

const repository = fileURLToPath(new URL('../..', import.meta.url));
const clock = createClock();
const signal = new AbortController().signal;
const patience = seconds(60);
let cluster: LocalCluster;
let client: KubeClient;

beforeAll(async () => {
  cluster = await startLocalCluster();
  const config = loadKubeConfig({ path: cluster.kubeconfigPath, environment: {} });
  if (!config.ok) throw new Error(JSON.stringify(config.problems));
  client = createKubeClient(config.value, { userAgent: 'recovery-test', clock });
  await applyManifests(client, clock, await systemManifests(repository));
  for (const name of ['kubeai-controller', 'kubeai-webhook']) {
    await waitForDeployment(client, clock, signal, patience, { namespace: 'kubeai-system', name });
  }
  const files = ['namespace', 'model-server', 'policy'].map((file) =>
    join(repository, 'examples/quickstart', `${file}.yaml`),
  );
  await applyManifests(client, clock, await readManifests(files));
  await waitForDeployment(client, clock, signal, patience, { namespace: 'quickstart', name: 'chat' });
}, 120_000);

afterAll(() => cluster?.stop(), 60_000);

test('a killed agent is started again, and requests pass it as before', async () => {
  const [pod] = await podsOf('quickstart', 'app=chat');
  kill(pod!, 'agent.mjs');
  await untilRestarted(pod!, 'kubeai-agent');
  await untilServed();
}, 90_000);

test('a killed webhook is started again, and new pods get their agent', async () => {
  for (const pod of await podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-webhook')) {
    kill(pod, 'webhook.mjs');
    await untilRestarted(pod, 'webhook');
  }
  const [old] = await podsOf('quickstart', 'app=chat');
  await client.delete(resources.pods, old!.metadata);
  await until('the pod that takes its place has an agent', async () => {
    const pods = await podsOf('quickstart', 'app=chat');
    const next = pods.find((pod) => pod.metadata.uid !== old!.metadata.uid);
    return next?.spec.initContainers?.some(({ name }) => name === 'kubeai-agent') ?? false;
  });
  await waitForDeployment(client, clock, signal, patience, { namespace: 'quickstart', name: 'chat' });
}, 90_000);

test('a killed controller is started again, and scales when load comes', async () => {
  const [pod] = await podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-controller');
  kill(pod!, 'controller.mjs');
  await untilRestarted(pod!, 'controller');
  const stop = new AbortController();
  const trace = parseTrace(`TIMESTAMP,ContextTokens,GeneratedTokens\n${'0,200,400\n'.repeat(60)}`);
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const load = replay(trace.value, { url: await serviceUrl(), signal: stop.signal, clock });
  await until('the policy asks for more replicas', async () => {
    const policy = await client.read<Policy>(resources.policies, { namespace: 'quickstart', name: 'chat' });
    return (policy.status?.desiredReplicas ?? 0) > 1;
  });
  stop.abort();
  const { failed } = await load;
  expect(Object.values(failed).reduce((sum, count) => sum + count, 0)).toBe(0);
}, 120_000);

const until = (what: string, holds: () => Promise<boolean>) =>
  waitUntil(clock, signal, patience, holds, () => `not within ${patience / 1_000} s: ${what}`);

async function podsOf(namespace: string, labelSelector: string): Promise<readonly Pod[]> {
  return (await client.list<Pod>(resources.pods, { namespace, labelSelector })).items;
}

const untilRestarted = (pod: Pod, container: string) =>
  until(`container ${container} of pod ${pod.metadata.name} runs again`, async () => {
    const { status } = await client.read<Pod>(resources.pods, pod.metadata);
    const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const found = all.find(({ name }) => name === container);
    return found?.ready === true && found.restartCount > 0;
  });

/** Until one request through the Service is answered in full. */
async function untilServed(): Promise<void> {
  const trace = parseTrace('TIMESTAMP,ContextTokens,GeneratedTokens\n0,20,5\n');
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const url = await serviceUrl();
  await until('a request is answered through the Service', async () => {
    const { succeeded } = await replay(trace.value, { url, timeout: milliseconds(5_000), clock });
    return succeeded === 1;
  });
}

async function serviceUrl(): Promise<string> {
  const service = await client.read<KubeObject & { spec: { clusterIP: string; ports: { port: number }[] } }>(
    resources.services,
    { namespace: 'quickstart', name: 'chat' },
  );
  return `http://${service.spec.clusterIP}:${service.spec.ports[0]!.port}`;
}

/** Kills the process of a pod that runs `program`; found by the pod's address, which is in its environment. */
function kill(pod: Pod, program: string): void {
  const found = readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && runs(entry, program, pod.status!.podIP!));
  expect(found).toHaveLength(1);
  process.kill(Number(found[0]), 'SIGKILL');
}

function runs(pid: string, program: string, address: string): boolean {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return words.some((word) => word.endsWith(`/${program}`)) && variables.includes(`POD_IP=${address}`);
  } catch {
    return false; // it has ended meanwhile, or is somebody else's
  }
}
