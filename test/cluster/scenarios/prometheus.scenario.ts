// A real Prometheus looks at the installation as the Prometheus operator would have it look, by the monitors and alerts
// that the chart renders, and a policy grows by what it answers.
import { type ChildProcess, spawn } from 'node:child_process';
import { access, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { controlAddress } from '../layout.ts';
import {
  apply,
  available,
  clusterDirectory,
  complete,
  eventually,
  get,
  kubectl,
  namespaceOf,
  policyOf,
  reachable,
  repository,
  runHere,
  workload,
} from './scene.ts';

const namespace = 'watched';
const program = '/usr/bin/prometheus';
const patience = 180_000;
/** Pods reach us at the address of the node, in whose network we are. */
const url = `http://${controlAddress}:9090`;
const targetsPort = 9_091;

const installed = await access(program).then(
  () => true,
  () => false,
);
const hindrance = !installed
  ? ' (skipped: no prometheus; apt-get install prometheus)'
  : clusterDirectory === undefined
    ? ' (skipped: a cluster of somebody else cannot reach us)'
    : '';
const withPrometheus = hindrance === '' ? test : test.skip;

interface Monitor {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly selector: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly endpoints?: readonly { readonly port: string }[];
    readonly podMetricsEndpoints?: readonly { readonly port: string }[];
  };
}

interface TargetPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly containers: readonly TargetContainer[];
    readonly initContainers?: readonly TargetContainer[];
  };
  readonly status: { readonly podIP?: string; readonly phase?: string };
}
interface TargetContainer {
  readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[];
}

let monitors: readonly Monitor[];
let directory: string;
let prometheus: ChildProcess | undefined;
let targets: Server | undefined;

beforeAll(async () => {
  if (hindrance !== '') return;
  const enabled = ['serviceMonitor', 'podMonitor'].flatMap((name) => ['--set', `prometheus.${name}.enabled=true`]);
  const words = ['template', 'kubeai', 'charts/kubeai-autoscaler', '--namespace', 'kubeai-system', ...enabled];
  const { stdout } = await runHere('helm', words);
  monitors = parseAllDocuments(stdout)
    .map((document) => document.toJS() as Monitor | null)
    .filter((object) => object !== null)
    .filter(({ kind }) => kind === 'ServiceMonitor' || kind === 'PodMonitor');
  directory = await mkdtemp(join(tmpdir(), 'watched-'));
  targets = createServer((_request, response) => {
    scrapeTargets().then(
      (groups) => response.setHeader('content-type', 'application/json').end(JSON.stringify(groups)),
      (cause: Error) => response.writeHead(500).end(cause.message),
    );
  });
  await new Promise<void>((resolve) => targets?.listen(targetsPort, '127.0.0.1', resolve));
  prometheus = await startPrometheus();
  await apply(namespaceOf(namespace));
  await apply(...workload({ namespace, name: 'chat' }));
  await available(namespace, 'chat');
}, patience);

afterAll(async () => {
  prometheus?.kill('SIGKILL');
  targets?.close();
  if (hindrance !== '') return;
  await rm(directory, { recursive: true });
  await kubectl(['delete', 'namespace', namespace, '--wait=false']);
});

withPrometheus(
  `the monitors of the chart find every process, and its alerts can be judged${hindrance}`,
  async () => {
    expect(monitors.map(({ metadata }) => metadata.name).sort()).toEqual([
      'kubeai-agents',
      'kubeai-controller',
      'kubeai-webhook',
    ]);
    await eventually('each is scraped', 60, async () => {
      const { activeTargets } = await ask<{
        activeTargets: readonly { labels: { monitor: string }; health: string; lastError: string }[];
      }>('targets?state=active');
      const broken = activeTargets.filter(({ health }) => health === 'down').map(({ lastError }) => lastError);
      if (broken.length > 0) throw new Error(broken.join('; '));
      return monitors.every(({ metadata }) =>
        activeTargets.some(({ labels, health }) => labels.monitor === metadata.name && health === 'up'),
      );
    });
    const alerts = await eventually('the alerts are judged', 60, async () => {
      const { groups } = await ask<{ groups: readonly { rules: readonly { name: string; health: string }[] }[] }>(
        'rules',
      );
      const rules = groups.flatMap((group) => group.rules);
      return rules.length > 0 && rules.every(({ health }) => health !== 'unknown') && rules;
    });
    expect(alerts.filter(({ health }) => health !== 'ok')).toEqual([]);
    const policies = await eventually('the controller says that it leads', 30, async () => {
      const { result } = await ask<{ result: readonly { value: [number, string] }[] }>(
        'query?query=max(leader_election_master_status)',
      );
      return result[0]?.value[1];
    });
    expect(policies).toBe('1');
  },
  patience,
);

withPrometheus(
  `a policy grows by what Prometheus answers${hindrance}`,
  async () => {
    const prometheusQuery = `sum(kubeai_requests_in_flight{namespace="${namespace}"})`;
    await apply(
      policyOf(namespace, 'chat', {
        maxReplicas: 3,
        prometheus: { url, intervalSeconds: 1 },
        metrics: { custom: [{ name: 'open', type: 'AverageValue', target: 2, prometheusQuery }] },
        scaleDown: { stabilizationWindowSeconds: 900 },
      }),
    );
    await kubectl(['wait', '--for=condition=Ready', '--timeout=60s', '-n', namespace, 'aiap/chat']);
    const service = await reachable(namespace, 'chat');
    const streams = Array.from({ length: 5 }, () => complete(service, 500, true));
    await eventually('three replicas', 60, async () => {
      const { spec } = await get<{ spec: { replicas: number } }>('deployment', '-n', namespace, 'chat');
      return spec.replicas === 3;
    });
    const answers = await Promise.all(streams);
    expect(answers.filter(({ text }) => !text.includes('data: [DONE]'))).toEqual([]);
  },
  patience,
);

async function ask<Data>(path: string): Promise<Data> {
  const response = await fetch(`${url}/api/v1/${path}`);
  return ((await response.json()) as { data: Data }).data;
}

/**
 * What the operator would make of the monitors: Debian's Prometheus is built without the discovery of Kubernetes. A port
 * of a Service is one of its pods' under the same name, in our chart.
 */
async function scrapeTargets() {
  const { items } = await get<{ items: readonly TargetPod[] }>('pods', '--all-namespaces');
  return monitors.flatMap(({ metadata, spec }) => {
    const names = [...(spec.endpoints ?? []), ...(spec.podMetricsEndpoints ?? [])].map(({ port }) => port);
    const wanted = Object.entries(spec.selector.matchLabels ?? {});
    return items
      .filter(({ status }) => status.phase === 'Running')
      .filter((pod) => wanted.every(([label, value]) => pod.metadata.labels?.[label] === value))
      .flatMap((pod) => {
        const ports = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].flatMap(({ ports }) => ports ?? []);
        return ports.filter(({ name }) => names.includes(name ?? '')).map((port) => ({ pod, port }));
      })
      .map(({ pod, port }) => ({
        targets: [`${pod.status.podIP}:${port.containerPort}`],
        labels: { monitor: metadata.name, namespace: pod.metadata.namespace, pod: pod.metadata.name },
      }));
  });
}

async function startPrometheus(): Promise<ChildProcess> {
  const rules = join(directory, 'alerts.yaml');
  await writeFile(rules, await readFile(join(repository, 'charts/kubeai-autoscaler/files/alerts.yaml'), 'utf8'));
  const http = { url: `http://127.0.0.1:${targetsPort}/`, refresh_interval: '1s' };
  const config = {
    global: { scrape_interval: '1s', scrape_timeout: '900ms', evaluation_interval: '1s' },
    rule_files: [rules],
    scrape_configs: [{ job_name: 'kubeai', http_sd_configs: [http] }],
  };
  const file = join(directory, 'prometheus.json');
  await writeFile(file, JSON.stringify(config)); // JSON is YAML
  const words = [`--config.file=${file}`, `--storage.tsdb.path=${join(directory, 'data')}`];
  return spawn(program, [...words, `--web.listen-address=${controlAddress}:9090`, '--log.level=error'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
