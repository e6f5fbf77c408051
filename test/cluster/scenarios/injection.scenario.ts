// Agents in real pods: how requests reach them, in which order things start and end, and that a shrinking workload cuts
// nobody's answer.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  apply,
  available,
  complete,
  eventually,
  hasAgent,
  isReady,
  kubectl,
  namespaceOf,
  type Pod,
  podsOf,
  reachable,
  requestsCounted,
  workload,
} from './scene.ts';

const restricted = 'injection-restricted';
const privileged = 'injection-open';
const plain = 'injection-off';
const patience = 180_000;

beforeAll(async () => {
  await apply(
    namespaceOf(restricted, { 'pod-security.kubernetes.io/enforce': 'restricted' }),
    namespaceOf(privileged),
    namespaceOf(plain, { 'kubeai.io/injection': 'disabled' }),
  );
}, patience);
afterAll(() => kubectl(['delete', 'namespace', restricted, privileged, plain, '--wait=false']));

interface InjectionStatus {
  readonly status: string;
  readonly reach: string;
  readonly sidecar: string;
}
const statusOf = ({ metadata }: Pod): InjectionStatus =>
  JSON.parse(metadata.annotations?.['kubeai.io/injection-status'] ?? '{}') as InjectionStatus;

const onlyPod = async (namespace: string, name: string): Promise<Pod> => {
  await available(namespace, name);
  const [pod] = await podsOf(namespace, `app=${name}`);
  return pod!;
};

const isContainerReady = ({ status }: Pod, name: string): boolean =>
  [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find((each) => each.name === name)
    ?.ready ?? false;

const started = ({ status }: Pod, name: string): number =>
  Date.parse(
    [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].find((each) => each.name === name)
      ?.state?.running?.startedAt ?? '',
  );

describe('reach', () => {
  test(
    'port: under Pod Security restricted the named port changes hands',
    async () => {
      await apply(...workload({ namespace: restricted, name: 'chat', restricted: true }));
      const pod = await onlyPod(restricted, 'chat');
      expect(statusOf(pod)).toMatchObject({ status: 'injected', reach: 'port', sidecar: 'native' });
      const agent = pod.spec.initContainers?.find(({ name }) => name === 'kubeai-agent');
      expect(agent?.restartPolicy).toBe('Always');
      expect(started(pod, 'kubeai-agent')).toBeLessThanOrEqual(started(pod, 'model'));
      const url = await reachable(restricted, 'chat');
      const before = await requestsCounted(pod);
      expect((await complete(url, 4)).status).toBe(200);
      await eventually('the agent has seen the request', 10, async () => (await requestsCounted(pod)) === before + 1);
    },
    patience,
  );

  test(
    'redirect: a rule in the pod leads even a numbered port to the agent',
    async () => {
      const annotations = { 'kubeai.io/reach': 'redirect' };
      await apply(...workload({ namespace: privileged, name: 'chat', targetPort: 8_000, annotations }));
      const pod = await onlyPod(privileged, 'chat');
      expect(statusOf(pod)).toMatchObject({ status: 'injected', reach: 'redirect' });
      const said = await kubectl(['logs', '-n', privileged, pod.metadata.name, '-c', 'kubeai-redirect']);
      expect(said).toBe('port 8000 is redirected to 15001');
      const url = await reachable(privileged, 'chat');
      const before = await requestsCounted(pod);
      expect((await complete(url, 4)).status).toBe(200);
      // Past the Service, by the address of the pod, as a gateway would.
      expect((await complete(`http://${pod.status.podIP}:8000`, 4)).status).toBe(200);
      await eventually('the agent has seen both requests', 10, async () => (await requestsCounted(pod)) === before + 2);
    },
    patience,
  );

  test(
    'a namespace without the label gets no agents',
    async () => {
      await apply(...workload({ namespace: plain, name: 'chat' }));
      expect(hasAgent(await onlyPod(plain, 'chat'))).toBe(false);
    },
    patience,
  );
});

test.each([
  ['port', restricted, true],
  ['redirect', privileged, false],
])(
  'probes go on asking the model, and are no load, with reach %s',
  async (reach, namespace, secured) => {
    const name = `slow-${reach}`;
    await apply(
      ...workload({
        namespace,
        name,
        restricted: secured,
        startupSeconds: 8,
        ...(reach === 'redirect' ? { targetPort: 8_000 } : {}),
        annotations: { 'kubeai.io/reach': reach },
      }),
    );
    const loading = await eventually('the agent is ready before the model is', 60, async () => {
      const [pod] = await podsOf(namespace, `app=${name}`);
      return pod !== undefined && isContainerReady(pod, 'kubeai-agent') && pod;
    });
    expect({ model: isContainerReady(loading, 'model'), pod: isReady(loading) }).toEqual({ model: false, pod: false });
    const pod = await onlyPod(namespace, name);
    expect({ model: isContainerReady(pod, 'model'), pod: isReady(pod) }).toEqual({ model: true, pod: true });
    expect(await requestsCounted(pod)).toBe(0);
  },
  patience,
);

test.each([
  ['port', restricted, true],
  ['redirect', privileged, false],
])(
  'a pod that is deleted ends the answer it is giving first, with reach %s',
  async (reach, namespace, secured) => {
    await apply(
      ...workload({
        namespace,
        name: 'stream',
        restricted: secured,
        ...(reach === 'redirect' ? { targetPort: 8_000 } : {}),
        annotations: { 'kubeai.io/reach': reach },
      }),
    );
    const pod = await onlyPod(namespace, 'stream');
    let chunks = 0;
    let deletion: Promise<string> | undefined;
    const answer = await complete(await reachable(namespace, 'stream'), 300, true, () => {
      chunks += 1;
      // Some tokens have been read; nine seconds of them are still to come.
      if (chunks === 5) deletion = kubectl(['delete', 'pod', '-n', namespace, pod.metadata.name, '--wait=false']);
    });
    await deletion;
    expect(deletion).toBeDefined();
    expect(answer.status).toBe(200);
    expect(answer.text).toContain('data: [DONE]');
    await kubectl(['wait', '--for=delete', '--timeout=60s', '-n', namespace, `pod/${pod.metadata.name}`]);
  },
  patience,
);
