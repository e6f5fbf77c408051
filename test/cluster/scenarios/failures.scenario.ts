// Things break, one after the other, under one workload that must go on serving and must not shrink unsafely.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { layout } from '../layout.ts';
import {
  apply,
  available,
  clusterDirectory,
  complete,
  eventually,
  get,
  hasAgent,
  isReady,
  kubectl,
  namespaceOf,
  podsOf,
  policyOf,
  reachable,
  startTraffic,
  type Traffic,
  tryKubectl,
  workload,
} from './scene.ts';

const namespace = 'failures';
const system = 'kubeai-system';
const patience = 240_000;
let url: string;
let traffic: Traffic;

beforeAll(async () => {
  await apply(namespaceOf(namespace));
  await apply(
    ...workload({ namespace, name: 'chat', replicas: 2 }),
    policyOf(namespace, 'chat', {
      minReplicas: 1,
      maxReplicas: 4,
      metrics: { concurrency: { targetPerReplica: 4 } },
      // Longer than this file: whatever shrinks here shrinks against the policy.
      scaleDown: { stabilizationWindowSeconds: 900 },
    }),
  );
  await apply({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: 'chat', namespace },
    spec: { maxUnavailable: 1, selector: { matchLabels: { app: 'chat' } } },
  });
  await available(namespace, 'chat');
  url = await reachable(namespace, 'chat');
  await kubectl(['wait', '--for=condition=Ready', '--timeout=60s', '-n', namespace, 'aiap/chat']);
}, patience);
afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

const leader = async (): Promise<string | undefined> => {
  const { spec } = await get<{ spec: { holderIdentity?: string } }>('lease', '-n', system, 'kubeai-controller');
  return spec.holderIdentity || undefined;
};
const decidedAfter = (moment: number) =>
  eventually('a decision is made again', 90, async () => {
    const ready = '{.status.conditions[?(@.type=="Ready")].status}';
    const status = await kubectl(['get', 'aiap', '-n', namespace, 'chat', '-o', `jsonpath=${ready}`]);
    const { spec } = await get<{ spec: { renewTime?: string } }>('lease', '-n', system, 'kubeai-controller');
    return status === 'True' && Date.parse(spec.renewTime ?? '') > moment;
  });

const replicas = async (): Promise<number> => {
  const { spec } = await get<{ spec: { replicas: number } }>('deployment', '-n', namespace, 'chat');
  return spec.replicas;
};
const killController = () =>
  kubectl(
    'delete pod -n kubeai-system -l app.kubernetes.io/name=kubeai-controller --grace-period=0 --force'.split(' '),
  );

const ours = clusterDirectory === undefined ? test.skip : test;
/** A process of the cluster, by the number it has in its own namespace, which is where we run. */
const signal = async (name: string, what: NodeJS.Signals) =>
  process.kill(Number(await readFile(join(layout(clusterDirectory ?? '').pids, name), 'utf8')), what);

describe('the workload goes on serving, and does not shrink, while', () => {
  beforeEach(() => {
    traffic = startTraffic(url);
  });
  afterEach(async () => {
    await eventually('requests are served', 30, async () => traffic.served() > 10);
    const { failures } = await traffic.stop();
    expect(failures).toEqual([]);
    expect(await replicas()).toBeGreaterThanOrEqual(2);
  }, patience);

  test(
    'the controller is killed',
    async () => {
      const before = await leader();
      await killController();
      await eventually('another one leads', 120, async () => {
        const now = await leader();
        return now !== undefined && now !== before;
      });
      await available(system, 'kubeai-controller');
      await decidedAfter(Date.now());
    },
    patience,
  );

  test(
    'the controller is killed in the middle of scaling',
    async () => {
      // Ten streams of half a minute, where a replica is to have four: three are wanted.
      const streams = Array.from({ length: 10 }, () => complete(url, 900, true));
      await eventually('it grows', 60, async () => (await replicas()) > 2);
      await killController();
      await decidedAfter(Date.now());
      await eventually('three serve', 120, async () => {
        const pods = await podsOf(namespace, 'app=chat');
        return pods.filter(isReady).length >= 3;
      });
      const answers = await Promise.all(streams);
      expect(answers.map(({ status }) => status)).toEqual(streams.map(() => 200));
      expect(answers.filter(({ text }) => !text.includes('data: [DONE]'))).toEqual([]);
      expect(await replicas()).toBeGreaterThanOrEqual(3);
    },
    patience,
  );

  test(
    'a node is drained: its pods are moved, in their own time',
    async () => {
      const before = await replicas();
      const [pod] = await podsOf(namespace, 'app=chat');
      const node = pod!.spec.nodeName!;
      // Some of these are being read from the node when it is drained.
      const streams = Array.from({ length: 4 }, () => complete(url, 300, true));
      try {
        await kubectl(['drain', node, '--delete-emptydir-data', '--timeout=150s']);
        expect((await Promise.all(streams)).filter(({ text }) => !text.includes('data: [DONE]'))).toEqual([]);
        await available(namespace, 'chat');
        const places = (await podsOf(namespace, 'app=chat')).map(({ spec }) => spec.nodeName);
        expect(places).not.toContain(node);
        expect(await replicas()).toBeGreaterThanOrEqual(before);
        await decidedAfter(Date.now());
      } finally {
        await kubectl(['uncordon', node]);
      }
    },
    patience,
  );

  test(
    'of two controllers one leads, and the other takes over',
    async () => {
      await kubectl(['scale', '-n', system, 'deployment/kubeai-controller', '--replicas=2']);
      const selector = 'app.kubernetes.io/name=kubeai-controller';
      const both = await eventually('two run, one of them ready', 60, async () => {
        const pods = await podsOf(system, selector);
        const running = pods.filter(({ status }) => status.containerStatuses?.every(({ state }) => state?.running));
        return running.length === 2 && running.filter(isReady).length === 1 && running;
      });
      const first = both.find(isReady)!;
      await kubectl(['delete', 'pod', '-n', system, first.metadata.name, '--wait=false']);
      await eventually('the other one is ready', 60, async () => {
        const ready = (await podsOf(system, selector)).filter(isReady);
        return ready.length === 1 && ready[0]!.metadata.name !== first.metadata.name;
      });
      await decidedAfter(Date.now());
      await kubectl(['scale', '-n', system, 'deployment/kubeai-controller', '--replicas=1']);
      await eventually('one is left, and leads', 90, async () => {
        const pods = await podsOf(system, selector);
        return pods.length === 1 && isReady(pods[0]!);
      });
    },
    patience,
  );

  test(
    'the webhook is away: pods start without an agent, and nothing waits for it',
    async () => {
      await kubectl(['scale', '-n', system, 'deployment/kubeai-webhook', '--replicas=0']);
      // Those that are leaving still answer until they are gone.
      const selector = 'app.kubernetes.io/name=kubeai-webhook';
      await kubectl(['wait', '--for=delete', '--timeout=60s', '-n', system, 'pod', '-l', selector]);
      await apply(...workload({ namespace, name: 'late' }));
      await available(namespace, 'late');
      const [pod] = await podsOf(namespace, 'app=late');
      expect(hasAgent(pod!)).toBe(false);
      await kubectl(['scale', '-n', system, 'deployment/kubeai-webhook', '--replicas=2']);
      await available(system, 'kubeai-webhook');
      await kubectl(['rollout', 'restart', '-n', namespace, 'deployment/late']);
      await available(namespace, 'late');
      await eventually('its next pod has an agent', 60, async () => {
        const pods = await podsOf(namespace, 'app=late');
        return pods.length === 1 && hasAgent(pods[0]!);
      });
    },
    patience,
  );

  // Here, because an API server that has just started refuses for a moment what it has not read the roles for yet.
  test('nobody has been refused anything by RBAC so far', async () => {
    for (const component of ['controller', 'webhook']) {
      const log = await kubectl([
        'logs',
        '-n',
        system,
        '-l',
        `app.kubernetes.io/name=kubeai-${component}`,
        '--tail=-1',
        '--prefix',
      ]);
      const forbidden = log.split('\n').filter((line) => /forbidden|answered with 403/i.test(line));
      expect({ component, forbidden }).toEqual({ component, forbidden: [] });
    }
  }, 60_000);

  ours(
    'the API server is killed, and comes back',
    async () => {
      await signal('kube-apiserver', 'SIGKILL');
      await eventually(
        'the API server is gone',
        20,
        async () => (await tryKubectl(['get', '--raw', '/readyz'])).code !== 0,
      );
      await eventually(
        'the API server answers',
        90,
        async () => (await tryKubectl(['get', '--raw', '/readyz'])).code === 0,
      );
      await decidedAfter(Date.now());
    },
    patience,
  );

  ours(
    'etcd stands still for half a minute',
    async () => {
      await signal('etcd', 'SIGSTOP');
      const { spec } = await new Promise<{ spec: { replicas?: number } }>((resolve, reject) => {
        // The time is the scenario: nothing else could be waited for.
        setTimeout(() => {
          signal('etcd', 'SIGCONT')
            .then(() =>
              eventually('the API server reads again', 60, () =>
                get<{ spec: object }>('deployment', '-n', namespace, 'chat'),
              ),
            )
            .then(resolve, reject);
        }, 30_000);
      });
      expect(spec.replicas).toBeGreaterThanOrEqual(2);
      await decidedAfter(Date.now());
    },
    patience,
  );
});

ours(
  'the only replica of a target is replaced when its node is given up, long before Kubernetes does it',
  async () => {
    const spec = { minReplicas: 1, maxReplicas: 4, metrics: { concurrency: { targetPerReplica: 4 } } };
    await apply(...workload({ namespace, name: 'alone' }), policyOf(namespace, 'alone', spec));
    await available(namespace, 'alone');
    const alone = () => podsOf(namespace, 'app=alone');
    const [pod] = await alone();
    const node = pod!.spec.nodeName!;
    // The pod goes on, and its agent reports; but no Service leads to a node that is given up.
    await signal(`kubelet-${node}`, 'SIGSTOP');
    try {
      await eventually('another one serves elsewhere', 180, async () =>
        (await alone()).some((other) => other.spec.nodeName !== node && isReady(other)),
      );
      const why = '{.status.decisions[0].reason}';
      const reason = await kubectl(['get', 'aiap', '-n', namespace, 'alone', '-o', `jsonpath=${why}`]);
      expect({ reason, pods: (await alone()).length }).toEqual({ reason: 'ReplacingDeadReplicas', pods: 2 });
    } finally {
      await signal(`kubelet-${node}`, 'SIGCONT');
    }
    await eventually('both are ready', 60, async () => (await alone()).every(isReady));
  },
  patience,
);
