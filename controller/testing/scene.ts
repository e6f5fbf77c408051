// The controller as main.ts starts it, against a real API server in this process: policies, targets and pods as a cluster
// has them, agents that report over TLS with their pods' own tokens. Each test has a namespace of its own.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { createSecretStore, ensureCertificates } from '@kubeai/certificates';
import { createClock, createLog } from '@kubeai/daemon';
import {
  createKubeClient,
  type KubeClient,
  type KubeObject,
  PooledKubeConfig,
  type Resource,
  resources,
} from '@kubeai/kube';
import { encodeReport, type PodIdentity } from '@kubeai/protocol';
import { milliseconds, seconds } from '@kubeai/units';
import { parse } from 'yaml';
import { eventually } from '../../packages/daemon/testing/eventually.ts';
import { type ApiServer, startApiServer } from '../../packages/local-cluster/api-server/api-server.ts';
import { type Controller, type ControllerOptions, createController } from '../controller.ts';
import { createMetrics, type Metrics } from '../metrics.ts';
import { type ReportListener, serveReports } from '../report-listener.ts';
import { audience } from '../token-reviews.ts';
import { type Opened, open, reportOf } from './report-sender.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const policyDefinition = parse(
  readFileSync(join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'), 'utf8'),
);
export const clock = createClock();
export const log = createLog({ level: 'silent', name: 'tested' });

interface Status {
  readonly status?: {
    readonly currentReplicas?: number;
    readonly decisions?: readonly {
      readonly from: number;
      readonly to: number;
      readonly reason: string;
      readonly message: string;
    }[];
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason: string;
      readonly message: string;
      readonly observedGeneration?: number;
    }[];
    readonly history?: object;
  };
}
export type PolicyObject = KubeObject & Status;

export interface Started {
  readonly controller: Controller;
  readonly listener: ReportListener;
  readonly metrics: Metrics;
  /** The authority to trust, as PEM. */
  readonly bundle: string;
  stop(): Promise<void>;
}

export interface Agent {
  readonly answer: Opened['answer'];
  /** Reports that were sent. */
  sent(): number;
  stop(): void;
}

/** A cluster for the tests of one file, kept by its hooks. `definitions`: of further kinds that it knows. */
export function useScene(definitions: readonly object[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'controller-'));
  let api: ApiServer;
  let config: PooledKubeConfig;
  let client: KubeClient;
  let namespaces = 0;
  let namespace = '';
  let running: Started | undefined;
  let agents: Agent[] = [];

  beforeAll(async () => {
    api = await startApiServer({ clock, crds: [policyDefinition, ...definitions] });
    config = new PooledKubeConfig();
    config.loadFromString(api.kubeconfig());
    client = createKubeClient(config, { userAgent: 'test', clock });
  });
  afterAll(async () => {
    await config.close();
    await api.stop();
    rmSync(folder, { recursive: true });
  });
  beforeEach(async () => {
    agents = [];
    namespaces += 1;
    namespace = `models-${namespaces}`;
    await client.create(resources.namespaces, { metadata: { name: namespace } });
  });
  afterEach(async () => {
    stopAgents();
    await running?.stop();
    running = undefined;
    for await (const policy of (await client.list(resources.policies)).items) {
      await client.delete(resources.policies, policy.metadata as { name: string });
    }
  });

  function stopAgents() {
    for (const agent of agents) agent.stop();
  }

  /** Starts what main.ts starts: the controller and its HTTPS listener with a certificate of our own. */
  async function start(journal?: string, server?: string, more: Partial<ControllerOptions> = {}): Promise<Started> {
    const metrics = createMetrics();
    const own = new PooledKubeConfig();
    const kubeconfig = api.kubeconfig('system:serviceaccount:kubeai-system:kubeai-controller');
    own.loadFromString(server === undefined ? kubeconfig : kubeconfig.replace(api.url, server));
    const calls = createKubeClient(own, { userAgent: 'controller', clock, onCall: metrics.called });
    const controller = await createController({
      client: calls,
      clock,
      log,
      metrics,
      tick: milliseconds(100),
      journal,
      ...more,
    });
    const store = createSecretStore(calls, { namespace: 'kube-system', name: 'kubeai-ca' });
    const certificates = await ensureCertificates(store, { dnsNames: ['kubeai-controller'], clock, log });
    const identity = certificates.current();
    const { bundle } = identity;
    const listener = await serveReports(controller.ingest.receive, identity, { clock, host: '127.0.0.1', port: 0 });
    await controller.start();
    running = {
      controller,
      listener,
      metrics,
      bundle,
      async stop() {
        certificates.stop();
        await controller.stop();
        await listener.drain(seconds(0));
        await own.close();
      },
    };
    return running;
  }

  const spec = (change: object = {}) => ({
    targetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'chat' },
    minReplicas: 1,
    maxReplicas: 8,
    metrics: { concurrency: { targetPerReplica: 4 } },
    ...change,
  });
  const applyPolicy = (name: string, change: object = {}) =>
    client.create(resources.policies, { metadata: { namespace, name }, spec: spec(change) } as KubeObject);

  async function createDeployment(replicas: number) {
    const labels = { app: 'chat' };
    const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'kubeai/model-server' }] } };
    const object = {
      metadata: { namespace, name: 'chat' },
      spec: { replicas, selector: { matchLabels: labels }, template },
    };
    await client.create(resources.deployments, object as KubeObject);
  }

  /** A pod that serves, as a kubelet would report it. */
  async function createPod(name: string): Promise<PodIdentity> {
    const metadata = { namespace, name, labels: { app: 'chat' } };
    const pod = await client.create<KubeObject>(resources.pods, {
      metadata,
      spec: { containers: [{ name: 'main', image: 'kubeai/model-server' }] },
    } as KubeObject);
    const since = new Date().toISOString().replace(/\.\d+Z/, 'Z');
    const conditions = ['PodScheduled', 'Ready'].map((type) => ({ type, status: 'True', lastTransitionTime: since }));
    const containerStatuses = [
      {
        name: 'main',
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: since } },
        image: '',
        imageID: '',
      },
    ];
    await client.patch(
      resources.pods,
      { namespace, name },
      { status: { phase: 'Running', conditions, containerStatuses } },
      { kind: 'merge', subresource: 'status' },
    );
    return { namespace, name, uid: pod.metadata.uid ?? '' };
  }

  const tokenFor = async (pod: PodIdentity, audiences: string[] = [audience]): Promise<string> => {
    const issued = await api
      .client('test')
      .issueToken({ namespace: pod.namespace, name: 'default' }, { audiences, expirationSeconds: 3_600, pod });
    return issued.token;
  };

  /** An agent that reports ten times a second, which is a second's worth of news to us. */
  async function startAgent(
    ingest: { listener: ReportListener; bundle: string },
    pod: PodIdentity,
    load: () => number,
  ) {
    const sending = await open(ingest.listener, ingest.bundle, await tokenFor(pod));
    let sequence = 0;
    const send = () => sending.write(encodeReport(reportOf(pod, sequence++, load())));
    const timer = setInterval(send, 100);
    send();
    const agent = {
      answer: sending.answer,
      sent: () => sequence,
      stop() {
        clearInterval(timer);
        sending.destroy();
      },
    };
    agents.push(agent);
    return agent;
  }

  /** A controller whose one policy has grown its target, because of an agent that keeps reporting too much. */
  async function startUnderLoad() {
    await createDeployment(1);
    const pod = await createPod('chat-a');
    await applyPolicy('chat');
    const controller = await start();
    await startAgent(controller, pod, () => 30);
    await eventually(async () => (await replicas()) > 1);
    return controller;
  }

  const policy = (name: string) => client.read<PolicyObject>(resources.policies, { namespace, name });
  const condition = async (name: string, type: string) =>
    (await policy(name)).status?.conditions?.find((each) => each.type === type);
  const settled = (name: string, type: string, status: string) =>
    eventually(async () => {
      const found = await condition(name, type);
      return found?.status === status && found;
    });
  const replicas = async (of: Resource = resources.deployments) =>
    (await client.read<KubeObject & { spec: { replicas: number } }>(of, { namespace, name: 'chat' })).spec.replicas;

  return {
    /** A folder that is removed afterwards. */
    folder,
    api: () => api,
    client: () => client,
    /** The namespace of this test. */
    namespace: () => namespace,
    /** Something in it. */
    named: (name: string) => ({ namespace, name }),
    /** A policy in it, as the controller calls it. */
    key: (name: string) => `${namespace}/${name}`,
    start,
    startAgent,
    startUnderLoad,
    stopAgents,
    applyPolicy,
    createDeployment,
    createPod,
    tokenFor,
    policy,
    condition,
    settled,
    replicas,
  };
}
