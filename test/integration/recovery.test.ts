// The whole system on the local cluster, with its processes killed one after the other: the kubelet starts them again,
// and the main job goes on.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { parseTrace, replay } from '@kubeai/load';
import { milliseconds } from '@kubeai/units';
import { clock, type Pod, type System, startSystem } from './system.ts';

interface Policy extends KubeObject {
  readonly status?: { readonly desiredReplicas?: number };
}

let system: System;

beforeAll(async () => {
  system = await startSystem(['namespace', 'model-server', 'policy']);
}, 120_000);

afterAll(() => system?.cluster.stop());

test('a killed agent is started again, and requests pass it as before', async () => {
  const [pod] = await system.podsOf('quickstart', 'app=chat');
  kill(pod!, 'agent.mjs');
  await untilRestarted(pod!, 'kubeai-agent');
  await untilServed();
}, 90_000);

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
}, 90_000);

test('a killed controller is started again, and scales when load comes', async () => {
  const [pod] = await system.podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-controller');
  kill(pod!, 'controller.mjs');
  await untilRestarted(pod!, 'controller');
  const stop = new AbortController();
  const trace = parseTrace(`TIMESTAMP,ContextTokens,GeneratedTokens\n${'0,200,400\n'.repeat(60)}`);
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const load = replay(trace.value, { url: await system.serviceUrl(), signal: stop.signal, clock });
  await system.until('the policy asks for more replicas', async () => {
    const policy = await system.client.read<Policy>(resources.policies, { namespace: 'quickstart', name: 'chat' });
    return (policy.status?.desiredReplicas ?? 0) > 1;
  });
  stop.abort();
  const { failed } = await load;
  expect(Object.values(failed).reduce((sum, count) => sum + count, 0)).toBe(0);
}, 120_000);

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
