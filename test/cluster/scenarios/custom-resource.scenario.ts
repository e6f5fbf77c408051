// The CRD before the judge whose verdict counts: every rule of it with an object that keeps it and one that breaks it, a
// description at every field, and two managers of one object.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { apply, kubectl, repository, tryKubectl } from './scene.ts';

interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly 'x-kubernetes-validations'?: readonly { readonly message: string }[];
}

const text = await readFile(join(repository, 'crds/kubeai.io_aiinferenceautoscalerpolicies.yaml'), 'utf8');
const crd = parse(text) as { spec: { versions: { schema: { openAPIV3Schema: Schema } }[] } };
const schema = crd.spec.versions[0]!.schema.openAPIV3Schema;

const namespace = 'policies';
const patience = 60_000;

beforeAll(async () => {
  await apply({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
});
afterAll(() => kubectl(['delete', 'namespace', namespace, '--wait=false']));

const policy = (name: string, spec: object) => ({
  apiVersion: 'kubeai.io/v1alpha1',
  kind: 'AIInferenceAutoscalerPolicy',
  metadata: { name, namespace },
  spec: { targetRef: { kind: 'Deployment', name: 'chat' }, maxReplicas: 8, ...spec },
});
const preset = { preset: 'interactive' };
const secret = { name: 'a', key: 'b' };
const entry = { name: 'x', cron: '0 8 * * *', durationSeconds: 60 };
const static3 = { behavior: 'static', replicas: 3 };

/** By the message of each rule: specs that keep it, and specs that break it. */
const cases: Readonly<Record<string, { readonly good: readonly object[]; readonly bad: readonly object[] }>> = {
  'minReplicas must not exceed maxReplicas': {
    good: [{ ...preset, minReplicas: 8 }],
    bad: [{ ...preset, minReplicas: 9 }],
  },
  'metrics must enable at least one metric, or the policy must name a preset': {
    good: [{ metrics: { requestQueueDepth: { enabled: true, targetPerReplica: 4 } } }],
    bad: [{}, { metrics: { latency: { enabled: false }, requestQueueDepth: {} } }],
  },
  'fallback.replicas must not exceed maxReplicas': {
    good: [{ ...preset, fallback: static3 }],
    bad: [{ ...preset, fallback: { behavior: 'static', replicas: 9 } }],
  },
  'must have targetP99Ms or targetP95Ms, or be disabled with `enabled: false`': {
    good: ['latency', 'timeToFirstToken', 'interTokenLatency'].map((name) => ({
      metrics: { [name]: { targetP95Ms: 100 } },
    })),
    bad: ['latency', 'timeToFirstToken', 'interTokenLatency'].map((name) => ({ ...preset, metrics: { [name]: {} } })),
  },
  'must have targetPerReplica, or be disabled with `enabled: false`': {
    good: ['concurrency', 'tokensPerSecond'].map((name) => ({ metrics: { [name]: { targetPerReplica: 4 } } })),
    bad: [...['concurrency', 'tokensPerSecond'].map((name) => ({ ...preset, metrics: { [name]: {} } }))],
  },
  'must have targetPercentage, or be disabled with `enabled: false`': {
    good: ['gpuMemory', 'kvCacheUtilization', 'cpuUtilization', 'memoryUtilization'].map((name) => ({
      metrics: { [name]: { targetPercentage: 70 } },
    })),
    bad: ['gpuMemory', 'kvCacheUtilization', 'cpuUtilization', 'memoryUtilization'].map((name) => ({
      ...preset,
      metrics: { [name]: {} },
    })),
  },
  'must have either prometheusQuery or agentMetric': {
    good: [{ metrics: { custom: [{ name: 'a', target: 1, agentMetric: 'x' }] } }],
    bad: [
      { metrics: { custom: [{ name: 'a', target: 1 }] } },
      { metrics: { custom: [{ name: 'a', target: 1, agentMetric: 'x', prometheusQuery: 'y' }] } },
    ],
  },
  'must have either module or url': {
    good: [{ ...preset, algorithm: { plugin: { url: 'http://127.0.0.1:1/' } } }],
    bad: [{ ...preset, algorithm: { plugin: {} } }],
  },
  'replicas is required when behavior is static or staticIfHigher': {
    good: [{ ...preset, fallback: { behavior: 'hold' } }],
    bad: [{ ...preset, fallback: { behavior: 'staticIfHigher' } }],
  },
  'must have minReplicas or maxReplicas': {
    good: [{ ...preset, schedule: [{ ...entry, maxReplicas: 3 }] }],
    bad: [{ ...preset, schedule: [entry] }],
  },
  'minReplicas must not exceed maxReplicas of the same entry': {
    good: [{ ...preset, schedule: [{ ...entry, minReplicas: 3, maxReplicas: 3 }] }],
    bad: [{ ...preset, schedule: [{ ...entry, minReplicas: 4, maxReplicas: 3 }] }],
  },
  'basicAuth must not stand beside bearerToken: choose one way to sign in': {
    good: [{ ...preset, prometheus: { bearerToken: secret } }],
    bad: [{ ...preset, prometheus: { bearerToken: secret, basicAuth: { username: secret, password: secret } } }],
  },
};

function messagesIn(node: Schema): string[] {
  const own = (node['x-kubernetes-validations'] ?? []).map(({ message }) => message);
  const children = [...Object.values(node.properties ?? {}), ...(node.items === undefined ? [] : [node.items])];
  return [...own, ...children.flatMap(messagesIn)];
}

test('every rule of the CRD has its cases here', () => {
  expect([...new Set(messagesIn(schema))].sort()).toEqual(Object.keys(cases).sort());
});

test.each(Object.entries(cases))(
  'rule: %s',
  async (message, { good, bad }) => {
    const dry = ['apply', '--dry-run=server', '--server-side', '-f', '-'];
    for (const spec of good) {
      expect({ spec, said: (await tryKubectl(dry, policy('good', spec))).stderr.match(/.*is invalid.*/)?.[0] }).toEqual(
        {
          spec,
          said: undefined,
        },
      );
    }
    for (const spec of bad) {
      const { code, stderr } = await tryKubectl(dry, policy('bad', spec));
      expect({ spec, code }).toEqual({ spec, code: 1 });
      expect(stderr).toContain(message);
    }
  },
  patience,
);

/** Every field that has fields, as kubectl names it. */
function paths(node: Schema, path: string): string[] {
  const inner = node.items ?? node;
  const children = Object.entries(inner.properties ?? {});
  return children.length === 0 ? [] : [path, ...children.flatMap(([name, child]) => paths(child, `${path}.${name}`))];
}

test('kubectl explains every field', async () => {
  const { spec, status } = schema.properties ?? {};
  const asked = [...paths(spec!, 'aiap.spec'), ...paths(status!, 'aiap.status')];
  expect(asked.length).toBeGreaterThan(20);
  for (const path of asked) {
    const said = await kubectl(['explain', path]);
    expect({ path, undocumented: said.match(/^.*\n.*<no description>/gm) ?? [] }).toEqual({ path, undocumented: [] });
  }
}, 240_000);

test(
  'two managers share a policy, and one does not overwrite the other unasked',
  async () => {
    const server = (manager: string, ...more: string[]) => [
      ...['apply', '--server-side', `--field-manager=${manager}`, ...more, '-f', '-'],
    ];
    await kubectl(server('team'), policy('shared', { ...preset, minReplicas: 2 }));
    const { targetRef, maxReplicas } = policy('shared', {}).spec;
    const other = { ...policy('shared', {}), spec: { targetRef, maxReplicas, minReplicas: 3 } };
    const { code, stderr } = await tryKubectl(server('platform'), other);
    expect(code).toBe(1);
    expect(stderr).toContain('conflict with "team": .spec.minReplicas');
    await kubectl(server('platform', '--force-conflicts'), other);
    expect(
      await kubectl(['get', 'aiap', '-n', namespace, 'shared', '-o', 'jsonpath={.spec.minReplicas} {.spec.preset}']),
    ).toBe('3 interactive');
  },
  patience,
);
