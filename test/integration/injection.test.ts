// The webhook is away, on the local cluster: pods are created all the same, are found by the controller, and get their
// agents once it is back, where their namespace allows it and without a moment in which nothing serves.
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type KubeObject, resources } from '@kubeai/kube';
import { after, milliseconds, minutes } from '@kubeai/units';
import { createAuthority, createServingCertificate } from '../../packages/certificates/x509.ts';
import { clock, type Pod, type System, startSystem } from './system.ts';

interface Policy extends KubeObject {
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string; readonly reason: string }[];
  };
}
interface Event extends KubeObject {
  readonly reason: string;
  readonly involvedObject: { readonly kind: string; readonly name: string };
}
type Deployment = KubeObject & { readonly status?: { readonly availableReplicas?: number } };

const namespace = 'quickstart';
const webhook = { namespace: 'kubeai-system', name: 'kubeai-webhook' };
const lonePods = 20;

let system: System;

beforeAll(async () => {
  system = await startSystem(['namespace', 'model-server', 'policy']);
  // Two replicas, whatever is measured: the last one would be left alone.
  await patch(resources.policies, 'chat', { spec: { minReplicas: 2, maxReplicas: 2 } });
  await system.until('two replicas are asked for', async () => (await chatPods()).length === 2);
  await system.untilAvailable(namespace, 'chat');
});

afterAll(() => system?.cluster.stop());

test.each<[string, () => Promise<void>, () => Promise<void>]>([
  ['stopped', stopWebhook, startWebhook],
  ['serving with an expired certificate', expireCertificate, renewCertificate],
])(
  'a webhook that is %s costs no pod, and its pods are found and repaired',
  async (_name, breakWebhook, mendWebhook) => {
    await breakWebhook();
    const names = await createLonePods();
    const before = new Set((await chatPods()).map(uidOf));
    for (const pod of await chatPods()) await system.client.delete(resources.pods, pod.metadata);
    await system.until('the Deployment has pods again', async () => {
      const pods = await chatPods();
      return pods.length === 2 && pods.every((pod) => !before.has(uidOf(pod)));
    });
    expect((await chatPods()).filter(hasAgent)).toEqual([]);
    await system.until('all of them are found', async () => (await missed()) === lonePods + 2);
    expect(await metric('kubeai_webhook_answers')).toBe(0);
    await untilCondition('False', 'WebhookAway');

    await mendWebhook();
    for (const name of names) await system.client.delete(resources.pods, { namespace, name });
    await createLonePods(1, 'seen');
    await untilCondition('False', 'RepairOff');
    expect(await missed()).toBe(2);
    await system.untilAvailable(namespace, 'chat');
    const least = await allowRepair();
    expect(least).toBeGreaterThanOrEqual(1);
    expect(await missed()).toBe(0);
    await untilCondition('True', 'EveryPodSeen');
    const events = (await system.client.list<Event>(resources.events, { namespace })).items;
    expect(
      events.filter(({ reason }) => reason === 'RestartedForAgent').map(({ involvedObject }) => involvedObject),
    ).toContainEqual(expect.objectContaining({ kind: 'Deployment', name: 'chat' }));
    await system.client.delete(resources.pods, { namespace, name: 'seen-0' });
    await patch(resources.namespaces, namespace, { metadata: { annotations: { 'kubeai.io/repair': null } } });
  },
  300_000,
);

const chatPods = async () => {
  const pods = await system.podsOf(namespace, 'app=chat');
  return pods.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
};
const uidOf = ({ metadata }: Pod) => metadata.uid;
const hasAgent = ({ spec }: Pod) => spec.initContainers?.some(({ name }) => name === 'kubeai-agent') ?? false;
const missed = () => metric(`kubeai_pods_without_agent{namespace="${namespace}"}`);

const patch = (
  resource: (typeof resources)[keyof typeof resources],
  name: string,
  change: object,
  inside = namespace,
) =>
  system.client.patch(resource, { ...(resource.namespaced ? { namespace: inside } : {}), name }, change, {
    kind: 'merge',
  });

/** Pods that no node takes, so that they cost nothing but their admission. None may be refused. */
async function createLonePods(count = lonePods, prefix = 'lone'): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  const containers = [
    { name: 'model', image: 'kubeai/model-server:dev', ports: [{ name: 'http', containerPort: 8000 }] },
  ];
  const spec = { nodeSelector: { 'example.com/absent': 'true' }, containers };
  await Promise.all(
    names.map((name) => system.client.create(resources.pods, { metadata: { namespace, name }, spec } as KubeObject)),
  );
  return names;
}

/** Lets the pods be repaired; resolves, when all have agents, with the least replicas that were available meanwhile. */
async function allowRepair(): Promise<number> {
  await patch(resources.namespaces, namespace, { metadata: { annotations: { 'kubeai.io/repair': 'true' } } });
  let least = Number.POSITIVE_INFINITY;
  await system.until('every pod has its agent', async () => {
    const deployment = await system.client.read<Deployment>(resources.deployments, { namespace, name: 'chat' });
    least = Math.min(least, deployment.status?.availableReplicas ?? 0);
    const pods = await chatPods();
    return pods.length === 2 && pods.every(hasAgent) && (await missed()) === 0;
  });
  return least;
}

const untilCondition = (status: string, reason: string) =>
  system.until(`the policy says ${reason}`, async () => {
    const policy = await system.client.read<Policy>(resources.policies, { namespace, name: 'chat' });
    const condition = policy.status?.conditions?.find(({ type }) => type === 'Injected');
    return condition?.status === status && condition.reason === reason;
  });

/** A number of the controller's metrics; NaN while it cannot be read. */
async function metric(name: string): Promise<number> {
  const [pod] = await system.podsOf('kubeai-system', 'app.kubernetes.io/name=kubeai-controller');
  const text = await fetch(`http://${pod!.status!.podIP}:8080/metrics`).then((response) => response.text());
  const line = text.split('\n').find((each) => each.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? Number.NaN);
}

async function stopWebhook(): Promise<void> {
  await patch(resources.deployments, webhook.name, { spec: { replicas: 0 } }, webhook.namespace);
  await system.until('the webhook is gone', async () => {
    return (await system.podsOf(webhook.namespace, `app.kubernetes.io/name=${webhook.name}`)).length === 0;
  });
}

async function startWebhook(): Promise<void> {
  await patch(resources.deployments, webhook.name, { spec: { replicas: 1 } }, webhook.namespace);
  await system.untilAvailable(webhook.namespace, webhook.name);
}

/** The API server trusts the authority, and the certificate ended a minute ago. */
async function expireCertificate(): Promise<void> {
  const now = clock.now();
  const authority = await createAuthority(now, minutes(60));
  const serving = await createServingCertificate(authority, {
    dnsNames: ['kubeai-webhook.kubeai-system.svc'],
    now: after(now, milliseconds(-minutes(10))),
    notAfter: after(now, milliseconds(-minutes(1))),
  });
  await system.client.create(resources.secrets, {
    metadata: { namespace: webhook.namespace, name: 'expired' },
    stringData: { 'tls.crt': serving.cert, 'tls.key': serving.key },
  } as KubeObject);
  await patchWebhook({
    volumes: [{ name: 'certificate', secret: { secretName: 'expired' } }],
    containers: [
      {
        name: 'webhook',
        args: ['--certificate-directory', '/certificate'],
        volumeMounts: [{ name: 'certificate', mountPath: '/certificate' }],
      },
    ],
  });
  const caBundle = Buffer.from(authority.cert).toString('base64');
  await system.client.patch(
    resources.mutatingWebhooks,
    { name: webhook.name },
    [{ op: 'replace', path: '/webhooks/0/clientConfig/caBundle', value: caBundle }],
    { kind: 'json' },
  );
}

async function renewCertificate(): Promise<void> {
  await patchWebhook({
    volumes: [{ name: 'certificate', $patch: 'delete' }],
    containers: [{ name: 'webhook', args: null, volumeMounts: [{ mountPath: '/certificate', $patch: 'delete' }] }],
  });
}

async function patchWebhook(spec: object): Promise<void> {
  await system.client.patch(resources.deployments, webhook, { spec: { template: { spec } } }, { kind: 'strategic' });
  await system.untilAvailable(webhook.namespace, webhook.name);
}
