// The main job, in order: a cluster, the system, the quickstart, traffic, and patience until the fleet is small again.
import { join } from 'node:path';
import type { Clock, Log } from '@kubeai/daemon';
import { createKubeClient, type KubeClient, type KubeObject, loadKubeConfig, resources } from '@kubeai/kube';
import { type LoadReport, replay, type ScheduleOptions } from '@kubeai/load';
import { type Instant, inSeconds, milliseconds, seconds } from '@kubeai/units';
import type { ClusterProcess } from './cluster-process.ts';
import { type Inputs, targetOf, workload } from './inputs.ts';
import { systemManifests } from './installation.ts';
import { applyManifests, readManifests } from './manifests.ts';
import { type Observation, observe, unexplained } from './observation.ts';
import type { Page } from './page.ts';
import type { Screen } from './screen.ts';
import { type DemoReport, type RequestOutcome, summarize } from './summary.ts';
import { waitForDeployment, waitUntil } from './waiting.ts';

export interface Demonstration {
  readonly repository: string;
  readonly inputs: Inputs;
  /** Which part of the trace is replayed, and how fast. */
  readonly schedule: ScheduleOptions;
  readonly page: Page | undefined;
  readonly screen: Screen;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

const installLimit = seconds(90);
const readyLimit = seconds(120);
/** Beyond what the policy's own windows allow, for the steps of a shrinking fleet and the drain of its last streams. */
const patience = seconds(120);

/** Runs against a cluster that is up. Rejects with an AbortError when stopped, with an Error when a step fails. */
export async function demonstrate(cluster: ClusterProcess, demo: Demonstration): Promise<DemoReport> {
  const { clock, screen, inputs } = demo;
  const client = clientFor(cluster.kubeconfig, clock);
  await install(cluster, client, demo);
  await applyQuickstart(client, demo);
  const observation = await observe(client, clock, demo.log, workload, inputs.manifest.metadata);
  try {
    await waitForTarget(client, demo, observation);
    const baseline = observation.now().replicas;
    const url = await urlOfTarget(cluster, client, demo);
    screen.say(`Sending ${inputs.trace.length} recorded requests to Service ${workload.namespace}/${workload.name}`);
    const start = clock.now();
    const load = await sendLoad(url, demo, observation);
    screen.say('The last answer has come; waiting for the fleet to be small again');
    await waitForCalm(demo, observation, baseline);
    const sizes = sizesSince(observation, start);
    const target = targetOf(inputs.policy);
    return summarize(load.records.map(outcomeOf), sizes, observation.readiness(), target, start, clock.now());
  } finally {
    observation.stop();
  }
}

function clientFor(kubeconfig: string, clock: Clock): KubeClient {
  const config = loadKubeConfig({ path: kubeconfig, environment: {} });
  if (!config.ok) throw new Error(config.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
  return createKubeClient(config.value, { userAgent: 'kubeai-demo', clock });
}

async function install(
  cluster: ClusterProcess,
  client: KubeClient,
  { repository, clock, screen, signal, page }: Demonstration,
): Promise<void> {
  screen.say('Installing the CRD, the controller and the webhook');
  const manifests = await systemManifests(repository);
  await applyManifests(client, clock, manifests);
  for (const name of ['kubeai-controller', 'kubeai-webhook']) {
    await waitForDeployment(client, clock, signal, installLimit, { namespace: 'kubeai-system', name });
  }
  if (page === undefined) return;
  const http = await cluster.reach(await addressOf(client, 'kubeai-system', 'kubeai-controller', 'http'));
  page.leadTo(http.host, http.port);
  screen.say(`The dashboard is at ${page.url}`);
}

async function applyQuickstart(
  client: KubeClient,
  { repository, clock, screen, inputs }: Demonstration,
): Promise<void> {
  screen.say('Applying examples/quickstart: a labelled namespace, a model server, a policy');
  const files = ['namespace.yaml', 'model-server.yaml'].map((file) => join(repository, 'examples/quickstart', file));
  await applyManifests(client, clock, [...(await readManifests(files)), inputs.manifest]);
}

/** Until the model server serves at the size that the policy gives an idle target. */
async function waitForTarget(client: KubeClient, demo: Demonstration, observation: Observation): Promise<void> {
  const { clock, signal, screen, inputs } = demo;
  await waitUntil(
    clock,
    signal,
    readyLimit,
    () => {
      screen.show(`waiting for ${workload.name} to load its model`);
      return observation.now().replicas >= inputs.policy.minReplicas;
    },
    () => `the controller did not bring ${workload.name} to the policy's ${inputs.policy.minReplicas} replicas`,
  );
  await waitForDeployment(client, clock, signal, readyLimit, workload);
}

/** Where the Service answers; a node learns of new endpoints a moment after they are ready. */
async function urlOfTarget(
  cluster: ClusterProcess,
  client: KubeClient,
  { clock, signal }: Demonstration,
): Promise<string> {
  const { host, port } = await cluster.reach(await addressOf(client, workload.namespace, workload.name, 'http'));
  const url = `http://${host}:${port}`;
  const answers = () =>
    fetch(`${url}/health`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(clock, signal, readyLimit, answers, () => `Service ${workload.namespace}/${workload.name} is silent`);
  return url;
}

async function sendLoad(url: string, demo: Demonstration, observation: Observation): Promise<LoadReport> {
  const report = await replay(demo.inputs.trace, {
    url,
    ...demo.schedule,
    signal: demo.signal,
    clock: demo.clock,
    onProgress: ({ elapsedMs, planned, sent, inFlight, failed }) =>
      demo.screen.show(
        `${inSeconds(elapsedMs).toFixed(0).padStart(4)} s  ${sent}/${planned} sent, ${inFlight} in flight, ${failed} failed  ${sizeText(observation)}`,
      ),
  });
  demo.signal.throwIfAborted();
  return report;
}

/** Until the fleet is as small as before the load, or until patience ends; the report tells which. */
async function waitForCalm(demo: Demonstration, observation: Observation, baseline: number): Promise<void> {
  const { clock, signal, screen, inputs } = demo;
  const { cooldown, scaleDown } = inputs.policy;
  const longestPeriod = Math.max(0, ...scaleDown.policies.map(({ period }) => period));
  const limit = milliseconds(cooldown + scaleDown.stabilizationWindow + longestPeriod * baseline + patience);
  const started = clock.monotonic();
  while (observation.now().replicas > baseline && clock.monotonic() - started < limit) {
    signal.throwIfAborted();
    screen.show(sizeText(observation));
    await clock.sleep(seconds(1), signal);
  }
  // The reason of the last change is written after the change itself.
  for (let tries = 0; tries < 5 && observation.sizes().some(({ reason }) => reason === unexplained); tries += 1) {
    await clock.sleep(seconds(1), signal);
  }
}

function sizeText(observation: Observation): string {
  const { replicas, ready, reason } = observation.now();
  return `${ready}/${replicas} replicas ready  ${reason}`;
}

/** The size when the load began, and every change after it. */
function sizesSince(observation: Observation, start: Instant) {
  const sizes = observation.sizes();
  const first = sizes.findLastIndex(({ at }) => at <= start);
  return sizes.slice(Math.max(0, first));
}

const outcomeOf = (record: LoadReport['records'][number]): RequestOutcome => ({
  failed: record.outcome !== 'ok',
  timeToFirstTokenMs: record.timeToFirstTokenMs,
  latencyMs: record.latencyMs,
});

interface Service extends KubeObject {
  readonly spec: {
    readonly clusterIP: string;
    readonly ports: readonly { readonly name?: string; readonly port: number }[];
  };
}

async function addressOf(client: KubeClient, namespace: string, name: string, portName: string) {
  const { spec } = await client.read<Service>(resources.services, { namespace, name });
  const port = spec.ports.find((candidate) => candidate.name === portName);
  if (port === undefined) throw new Error(`Service ${namespace}/${name} has no port named ${portName}`);
  return { host: spec.clusterIP, port: port.port };
}
