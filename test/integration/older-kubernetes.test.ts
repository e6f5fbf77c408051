// The whole system on Kubernetes 1.28, which knows no native sidecars: it takes `restartPolicy` out of an init container,
// and an agent there would keep its pod from ever starting. So the agent is a container beside the engine, and everything
// else must be as on a newer one.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { parseTrace, replay } from '@kubeai/load';
import { clock, type Pod, type System, startSystem } from './system.ts';

interface Policy extends KubeObject {
  readonly status?: {
    readonly desiredReplicas?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

const namespace = 'quickstart';
let system: System;

beforeAll(async () => {
  system = await startSystem(['namespace', 'model-server', 'policy'], { kubernetesVersion: '1.28' });
});

afterAll(() => system?.cluster.stop(), 60_000);

test('the agent runs beside the engine, and requests pass it', async () => {
  const pod = await onlyPod();
  expect(pod.spec.containers.map(({ name }) => name)).toEqual(['model', 'kubeai-agent']);
  expect(pod.spec.initContainers ?? []).toEqual([]);
  expect(statusOf(pod)).toMatchObject({ status: 'injected', sidecar: 'container', reach: 'port' });
  const before = await requestsSeen(pod);
  expect((await complete(5)).status).toBe(200);
  await system.until('the agent has seen the request', async () => (await requestsSeen(pod)) === before + 1);
});

test('a pod that is deleted ends the answer it is giving first, though its agent is told to end at the same time', async () => {
  const pod = await onlyPod();
  let deletion: Promise<unknown> | undefined;
  const answer = await complete(120, () => {
    deletion ??= system.client.delete(resources.pods, pod.metadata);
  });
  await deletion;
  expect(deletion).toBeDefined();
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('data: [DONE]');
  await system.until('the pod is gone, and another one serves', async () => {
    const pods = await system.podsOf(namespace, 'app=chat');
    return pods.length === 1 && pods[0]!.metadata.uid !== pod.metadata.uid;
  });
  await system.untilAvailable(namespace, 'chat');
});

test('a pod that runs to completion gets no agent even if it asks, and completes', async () => {
  const spec = {
    restartPolicy: 'Never',
    containers: [
      { name: 'batch', image: 'busybox', command: ['true'], ports: [{ name: 'http', containerPort: 8_000 }] },
    ],
  };
  const annotations = { 'kubeai.io/inject': 'true' };
  await system.client.create(resources.pods, {
    metadata: { namespace, name: 'batch', annotations },
    spec,
  } as KubeObject);
  const read = () => system.client.read<Pod>(resources.pods, { namespace, name: 'batch' });
  await system.until('the pod has completed', async () => (await read()).status?.phase === 'Succeeded');
  expect(statusOf(await read())).toMatchObject({ status: 'skipped', reason: 'WouldNotComplete' });
});

test('the controller believes it, and the Deployment grows with its traffic', async () => {
  await system.until('the policy is ready', async () => {
    const { status } = await readPolicy();
    return status?.conditions?.some(({ type, status: value }) => type === 'Ready' && value === 'True') ?? false;
  });
  const stop = new AbortController();
  const trace = parseTrace(`TIMESTAMP,ContextTokens,GeneratedTokens\n${'0,200,400\n'.repeat(60)}`);
  if (!trace.ok) throw new Error(JSON.stringify(trace.problems));
  const load = replay(trace.value, { url: await system.serviceUrl(), signal: stop.signal, clock });
  await system.until('the policy asks for more replicas', async () => {
    return ((await readPolicy()).status?.desiredReplicas ?? 0) > 1;
  });
  stop.abort();
  const { failed } = await load;
  expect(Object.values(failed).reduce((sum, count) => sum + count, 0)).toBe(0);
});

const readPolicy = () => system.client.read<Policy>(resources.policies, { namespace, name: 'chat' });

async function onlyPod(): Promise<Pod> {
  const pods = await system.podsOf(namespace, 'app=chat');
  expect(pods).toHaveLength(1);
  return pods[0]!;
}

const statusOf = ({ metadata }: Pod) =>
  JSON.parse(metadata.annotations?.['kubeai.io/injection-status'] ?? '{}') as object;

/** Requests that the agent of a pod has counted, over all labels. */
async function requestsSeen({ status }: Pod): Promise<number> {
  const page = await (await fetch(`http://${status!.podIP}:15020/metrics`)).text();
  const lines = page.split('\n').filter((line) => line.startsWith('kubeai_requests_total{'));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

/** One streamed completion through the Service. */
async function complete(
  tokens: number,
  onChunk: () => void = () => undefined,
): Promise<{ status: number; text: string }> {
  const response = await fetch(`${await system.serviceUrl()}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: tokens, stream: true }),
  });
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    onChunk();
  }
  return { status: response.status, text };
}
