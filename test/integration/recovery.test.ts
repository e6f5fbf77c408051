// The whole system on the local cluster: a GPU budget holds the size, then its processes are killed one after the other,
// the kubelet starts them again, and the main job goes on.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { parseTrace, replay } from '@kubeai/load';
import { milliseconds } from '@kubeai/units';
import { clock, type Pod, type System, startSystem } from './system.ts';

interface Policy extends KubeObject {
  readonly status?: {
    readonly desiredReplicas?: number;
    readonly lastDecision?: { readonly reason: string };
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}

const chat = { namespace: 'quickstart', name: 'chat' };
const controller = { namespace: 'kubeai-system', name: 'kubeai-controller' };
let system: System;

beforeAll(async () => {
  system = await startSystem(['namespace', 'model-server', 'policy']);
  // Four of seven GPUs are taken by the first replica.
  const argument = (value: string) => ({ op: 'add', path: '/spec/template/spec/containers/0/args/-', value });
  const budgets = [argument('--gpu-budgets'), argument('chats=7')];
  await system.client.patch(resources.deployments, controller, budgets, { kind: 'json' });
  await patchPolicy({ gpu: { budget: 'chats', perReplica: 4 } });
  await system.untilAvailable(controller.namespace, controller.name);
});

afterAll(() => system?.cluster.stop());

test('a GPU budget holds back a Deployment that asks for more, and the status says so', async () => {
  const load = await startLoad();
  await system.until('the budget is the reason', async () => (await shownReason()) === 'GpuBudget');
  // A changed policy has its status at once; a higher priority is of no use where nobody else shares the budget.
  await patchPolicy({ gpu: { priority: 9 } });
  await system.until(
    'the status says so',
    async () => (await readPolicy()).status?.lastDecision?.reason === 'GpuBudget',
  );
  expect((await readPolicy()).status?.conditions).toContainEqual(
    expect.objectContaining({ type: 'ScalingLimited', status: 'True', reason: 'GpuBudget' }),
  );
  const { spec } = await system.client.read<KubeObject & { spec: { replicas: number } }>(resources.deployments, chat);
  expect(spec.replicas).toBe(1);
  await load.end();
});

test('a killed agent is started again, and requests pass it as before', async () => {
  const [pod] = await system.podsOf('quickstart', 'app=chat');
  kill(pod!, 'agent.mjs');
  await untilRestarted(pod!, 'kubeai-agent');
  await untilServed();
});

test('a killed webhook is started again, and new pods get their agent', async () => {
  for (const pod of await system.podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-webhook')) {
    kill(pod, 'webhook.mjs');
    await untilRestarted(pod, 'webhook');
  }
  const [old] = await system.podsOf('quickstart', 'app=chat');
  await system.client.delete(resources.pods, old!.metadata);
  await system.until('the pod that takes its place has an agent', async () => {
    const pods = await system.podsOf('quickstart', 'app=chat');
    const next = pods.find((pod) => pod.metadata.uid !== old!.metadata.uid);
    return next?.spec.initContainers?.some(({ name }) => name === 'kubeai-agent') ?? false;
  });
  await system.untilAvailable('quickstart', 'chat');
});

test('a killed controller is started again, and scales when load comes', async () => {
  const [pod] = await system.podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-controller');
  kill(pod!, 'controller.mjs');
  await untilRestarted(pod!, 'controller');
  await patchPolicy({ gpu: null });
  const load = await startLoad();
  await system.until(
    'the policy asks for more replicas',
    async () => ((await readPolicy()).status?.desiredReplicas ?? 0) > 1,
  );
  expect(await load.end()).toBe(0);
});

const readPolicy = () => system.client.read<Policy>(resources.policies, chat);
const patchPolicy = (spec: object) => system.client.patch(resources.policies, chat, { spec }, { kind: 'merge' });

/** As the dashboard has it, each second; a status is written less often. */
async function shownReason(): Promise<string | undefined> {
  const [pod] = await system.podsOf(controller.namespace, 'app.kubernetes.io/name=kubeai-controller');
  const answer = await fetch(`http://${pod!.status!.podIP}:8080/api/policies`);
  const { policies } = (await answer.json()) as { policies: readonly { readonly decision?: { reason: string } }[] };
  return policies[0]?.decision?.reason;
}

/** Sixty requests at once, which ask for three replicas. `end` breaks off what runs, and says how many had failed. */
async function startLoad(): Promise<{ end(): Promise<number> }> {
  const stop = new AbortController();
  const trace = parseTrace(`TIMESTAMP,ContextTokens,GeneratedTokens\n${'0,200,400\n'.repeat(60)}`);
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const load = replay(trace.value, { url: await system.serviceUrl(), signal: stop.signal, clock });
  return {
    async end() {
      stop.abort();
      return Object.values((await load).failed).reduce((sum, count) => sum + count, 0);
    },
  };
}

const untilRestarted = (pod: Pod, container: string) =>
  system.until(`container ${container} of pod ${pod.metadata.name} runs again`, async () => {
    const { status } = await system.client.read<Pod>(resources.pods, pod.metadata);
    const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
    const found = all.find(({ name }) => name === container);
    return found?.ready === true && found.restartCount > 0;
  });

/** Until one request through the Service is answered in full. */
async function untilServed(): Promise<void> {
  const trace = parseTrace('TIMESTAMP,ContextTokens,GeneratedTokens\n0,20,5\n');
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const url = await system.serviceUrl();
  await system.until('a request is answered through the Service', async () => {
    const { succeeded } = await replay(trace.value, { url, timeout: milliseconds(5_000), clock });
    return succeeded === 1;
  });
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
