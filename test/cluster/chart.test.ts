// The Helm chart: what it renders, what it refuses, and that deploy/ and the CRD in it are what they say they are copies
// of. What needs helm is skipped, aloud, where it has not been built (`npm run cluster:real build`).
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { renderDeploy } from '../../scripts/render-deploy.ts';
import { findProgram, programPlaces, runCommand } from './programs.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const chart = join(repository, 'charts/kubeai-autoscaler');
const read = (...path: string[]) => readFileSync(join(repository, ...path), 'utf8');

const found = await findProgram('helm', programPlaces(process.env));
if (found === undefined) console.warn('No helm (npm run cluster:real build makes it): the chart is not rendered.');
const helm = found ?? 'helm';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly annotations?: Record<string, string> };
  readonly [field: string]: unknown;
}

async function render(...sets: readonly string[]): Promise<Manifest[]> {
  const words = sets.flatMap((set) => ['--set', set]);
  const text = await runCommand(helm, ['template', 'kubeai', chart, '--namespace', 'autoscaling', ...words]);
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  for (const { errors } of documents) expect(errors).toEqual([]);
  return documents.map((document) => document.toJS() as Manifest | null).filter((object) => object !== null);
}

const named = (manifests: readonly Manifest[], kind: string) =>
  manifests.filter((manifest) => manifest.kind === kind).map(({ metadata }) => metadata.name);

test('the CRD in the chart is the one in crds/', () => {
  expect(read('charts/kubeai-autoscaler/files/crd.yaml')).toBe(
    read('crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'),
  );
});

test('alerts and dashboards ask only for metrics that the processes have', () => {
  const files = ['alerts.yaml', ...readdirSync(join(chart, 'files/dashboards')).map((name) => `dashboards/${name}`)];
  const asked = files.flatMap((file) => read('charts/kubeai-autoscaler/files', file).match(/\bkubeai_[a-z_]+/g) ?? []);
  const sources = ['agent/exposition.ts', 'controller/metrics.ts', 'webhook/webhook-metrics.ts'].map((file) =>
    read(file),
  );
  const known = new Set(sources.flatMap((source) => source.match(/\bkubeai_[a-z_]+/g) ?? []));
  const unknown = asked.map((name) => name.replace(/_bucket$/, '')).filter((name) => !known.has(name));
  expect(asked.length).toBeGreaterThan(10);
  expect(unknown).toEqual([]);
});

(found === undefined ? describe.skip : describe)('rendered by helm', () => {
  test('deploy/ is what the chart renders', async () => {
    const rendered = await renderDeploy(helm);
    expect(readdirSync(join(repository, 'deploy')).sort()).toEqual([...rendered.keys()]);
    for (const [file, text] of rendered) expect({ file, text: read('deploy', file) }).toEqual({ file, text });
  });

  test('helm finds nothing to complain of', async () => {
    expect(await runCommand(helm, ['lint', chart, '--strict'])).toContain('0 chart(s) failed');
  });

  test('by default it leaves room for what the webhook and users write', async () => {
    const manifests = await render();
    expect(JSON.stringify(manifests)).not.toContain('caBundle');
    expect(named(manifests, 'Namespace')).toEqual([]);
    const crd = manifests.find(({ kind }) => kind === 'CustomResourceDefinition');
    expect(crd?.metadata.annotations?.['helm.sh/resource-policy']).toBe('keep');
    // Server-side apply refuses a list with the same name twice.
    for (const { spec } of manifests.filter(({ kind }) => kind === 'Deployment')) {
      const { template } = spec as { template: { spec: { containers: { env: { name: string }[] }[] } } };
      for (const { env } of template.spec.containers) {
        const names = env.map(({ name }) => name);
        expect(names).toEqual([...new Set(names)]);
      }
    }
  });

  test.each([
    ['several webhooks have a disruption budget', [], 'PodDisruptionBudget', ['kubeai-webhook']],
    [
      'a single one has none, which would keep nodes from draining',
      ['webhook.replicaCount=1'],
      'PodDisruptionBudget',
      [],
    ],
    ['network policies', ['networkPolicy.enabled=true'], 'NetworkPolicy', ['kubeai-webhook', 'kubeai-controller']],
    ['certificates by cert-manager', ['certificates.certManager.enabled=true'], 'Certificate', ['kubeai-webhook']],
    ['agents for Prometheus', ['prometheus.podMonitor.enabled=true'], 'PodMonitor', ['kubeai-agents']],
    ['alerts', ['prometheus.prometheusRule.enabled=true'], 'PrometheusRule', ['kubeai-autoscaler']],
    [
      'processes for Prometheus',
      ['prometheus.serviceMonitor.enabled=true'],
      'ServiceMonitor',
      ['kubeai-controller', 'kubeai-webhook'],
    ],
    [
      'dashboards',
      ['grafana.dashboards.enabled=true'],
      'ConfigMap',
      ['kubeai-dashboard-policies', 'kubeai-dashboard-traffic'],
    ],
    ['no roles where somebody else makes them', ['rbac.create=false'], 'ClusterRole', []],
  ])('%s', async (_name, sets, kind, expected) => {
    expect(named(await render(...sets), kind).sort()).toEqual([...expected].sort());
  });

  test('a certificate of somebody else takes the permissions for our own away', async () => {
    const secrets = (manifests: readonly Manifest[]) =>
      manifests.filter(
        ({ kind, metadata, rules }) =>
          kind === 'Role' && metadata.name === 'kubeai-webhook' && JSON.stringify(rules).includes('secrets'),
      ).length;
    expect(secrets(await render())).toBe(1);
    expect(secrets(await render('certificates.certManager.enabled=true'))).toBe(0);
  });

  test.each([
    ['an unknown value', 'webhook.replicas=3', /webhook.*additional properties|'replicas'/s],
    ['no replica', 'controller.replicaCount=0', /replicaCount/],
    ['a reach that is none', 'agent.reach=tunnel', /reach/],
    ['a Secret without its authority', 'certificates.secretName=mine', /caBundle/],
    [
      'two sources of one certificate',
      'certificates.certManager.enabled=true,certificates.secretName=mine,certificates.caBundle=theirs',
      /choose one/,
    ],
    ['redirect without its image', 'agent.reach=redirect', /needs agent\.redirect\.enabled=true/],
  ])('the chart refuses %s', async (_name, set, complaint) => {
    await expect(render(set)).rejects.toThrow(complaint);
  });
});
