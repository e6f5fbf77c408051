import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import jsonPatch from 'jsonpatch';
import { parse, stringify } from 'yaml';
import { parseReview } from './admission-review.ts';
import { agentContainer, type InjectionConfig } from './agent-container.ts';
import type { NamespaceView } from './eligibility.ts';
import { admitPod, mutatePod } from './mutate-pods.ts';
import { type Pod, parsePod } from './pod.ts';
import { type ServingPort, servingPortOf } from './serving-port.ts';
import { anyPod } from './testing/any-pod.ts';
import { config, labelled, modelPod, ownNamespace, reviewOfPod } from './testing/injection.ts';
import { podProblems, resolvePort, restrictedProblems } from './testing/pod-problems.ts';

const redirecting: InjectionConfig = { ...config, redirectImage: 'kubeai/redirect:1.2.3' };
const oldCluster: InjectionConfig = { ...config, nativeSidecars: false };

const admit = (object: unknown, settings = config, namespace: NamespaceView = labelled) =>
  admitPod(object, namespace, ownNamespace, settings);

/** The patch as the API server gets it. */
function patchOf(object: unknown, settings = config): unknown[] {
  const parsed = parseReview(Buffer.from(JSON.stringify(reviewOfPod(object))));
  if (!parsed.ok) throw new Error(parsed.problems.join());
  const { patch } = mutatePod(parsed.value, labelled, ownNamespace, settings).response;
  return patch === undefined ? [] : (JSON.parse(Buffer.from(patch, 'base64').toString()) as unknown[]);
}

// ---- Golden files -------------------------------------------------------------------------------------------------

const pods = join(import.meta.dirname, 'testing/pods');
const goldens = join(import.meta.dirname, 'goldens');
const variants: Record<string, InjectionConfig> = { native: config, redirect: redirecting, container: oldCluster };
const cases = readdirSync(pods).flatMap((file) =>
  Object.keys(variants).map((variant) => [file.replace('.yaml', ''), variant] as const),
);

test.each(cases)('%s, %s: the injected pod is the golden one (UPDATE_GOLDENS=1 rewrites it)', (name, variant) => {
  const { pod, outcome, warnings } = admit(parse(readFileSync(join(pods, `${name}.yaml`), 'utf8')), variants[variant]);
  const text = stringify({ outcome, warnings, pod }, { lineWidth: 120, aliasDuplicateObjects: false });
  const file = join(goldens, `${name}.${variant}.golden.yaml`);
  if (process.env['UPDATE_GOLDENS'] === '1') writeFileSync(file, text);
  expect(existsSync(file) ? readFileSync(file, 'utf8') : `${file} is missing: run with UPDATE_GOLDENS=1`).toBe(text);
  expect(podProblems(pod)).toEqual([]);
});

// ---- Single promises ----------------------------------------------------------------------------------------------

test('a Service that targets the port by name reaches the agent, and the agent reaches the model by number', () => {
  const { pod } = admit(modelPod());
  expect(resolvePort(pod, 'http')).toEqual({ container: 'kubeai-agent', port: 15_001 });
  const agent = (pod as { spec: { initContainers: { env: object[] }[] } }).spec.initContainers[0]!;
  expect(agent.env).toContainEqual({ name: 'KUBEAI_UPSTREAM_PORT', value: '8000' });
});

test('a name that two containers declare does not change hands: the other one would be found first', () => {
  const twin = { name: 'twin', image: 'own', ports: [{ name: 'http', containerPort: 9000 }] };
  const pod = modelPod();
  pod.spec.containers.push(twin as never);
  expect(admit(pod).outcome).toEqual({ kind: 'injected', reach: 'none' });
});

/** A model and a proxy whose configuration lies in a file. */
const besideNginx = () =>
  modelPod({
    spec: {
      containers: [
        ...modelPod().spec.containers,
        { name: 'nginx', image: 'nginx', ports: [{ name: 'web', containerPort: 80 }] },
      ],
    },
  });
const withService = (...targets: string[]): NamespaceView => ({
  ...labelled,
  services: [{ name: 'chat', namespace: 'ai', selector: { app: 'chat' }, targets: ['web', ...targets] }],
});

test.each<[string, object, InjectionConfig, NamespaceView, string]>([
  ['auto with a name', modelPod(), config, labelled, 'port'],
  ['auto without a name', modelPod({ container: { ports: [{ containerPort: 8000 }] } }), config, labelled, 'none'],
  ['auto where redirect is offered', modelPod(), redirecting, labelled, 'redirect'],
  [
    'auto under Pod Security',
    modelPod(),
    redirecting,
    { ...labelled, labels: { ...labelled.labels, 'pod-security.kubernetes.io/enforce': 'restricted' } },
    'port',
  ],
  ['auto in a mesh', modelPod({ metadata: { labels: { 'istio.io/rev': 'x' } } }), redirecting, labelled, 'port'],
  ['none', modelPod({ metadata: { annotations: { 'kubeai.io/reach': 'none' } } }), redirecting, labelled, 'none'],
  [
    'port without a name',
    modelPod({ metadata: { annotations: { 'kubeai.io/reach': 'port' } }, container: { ports: null } }),
    redirecting,
    labelled,
    'none',
  ],
  [
    'redirect without an image',
    modelPod({ metadata: { annotations: { 'kubeai.io/reach': 'redirect' } } }),
    config,
    labelled,
    'port',
  ],
  [
    'a model behind a proxy of its pod',
    modelPod({
      spec: {
        initContainers: [
          {
            name: 'routing',
            restartPolicy: 'Always',
            args: ['--port=8080', '--vllm-port=8000'],
            ports: [{ containerPort: 8080, name: 'sidecar' }],
          },
        ],
      },
    }),
    redirecting,
    labelled,
    'none',
  ],
  [
    'a model behind the routing sidecar of llm-d, which finds it without a flag',
    modelPod({
      spec: {
        initContainers: [
          {
            name: 'routing-proxy',
            restartPolicy: 'Always',
            args: ['--port=8080', '--kv-connector=nixlv2'],
            ports: [{ containerPort: 8080, name: 'sidecar' }],
          },
        ],
      },
    }),
    redirecting,
    labelled,
    'none',
  ],
  ['a model behind a container that Services lead to', besideNginx(), redirecting, withService('web'), 'none'],
  [
    'a model beside a container that Services lead to, as to itself',
    besideNginx(),
    config,
    withService('http'),
    'port',
  ],
  ['a model beside a container that no Service leads to', besideNginx(), config, labelled, 'port'],
  [
    'a model beside one that reads its metrics',
    modelPod({
      spec: {
        initContainers: [
          {
            name: 'reader',
            restartPolicy: 'Always',
            args: ['--from=http://localhost:8000/metrics'],
            ports: [{ containerPort: 9090, name: 'metrics' }],
          },
        ],
      },
    }),
    config,
    labelled,
    'port',
  ],
  [
    "a model behind Knative's proxy",
    modelPod({ spec: { initContainers: [{ name: 'queue-proxy', restartPolicy: 'Always' }] } }),
    config,
    labelled,
    'none',
  ],
])('the reach of %s', (_wish, pod, settings, namespace, reach) => {
  expect(admit(pod, settings, namespace).outcome).toEqual({ kind: 'injected', reach });
});

// ---- Requests that come in elsewhere --------------------------------------------------------------------------------

interface Made {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly spec: Readonly<Record<'containers' | 'initContainers' | 'volumes', readonly Record<string, unknown>[]>>;
}
const front = { name: 'front', ports: [{ name: 'web', containerPort: 9000 }] };
const atFront = { metadata: { annotations: { 'kubeai.io/port': 'web' } } };
const drained = { lifecycle: { preStop: { httpGet: { path: '/drain', port: 15_020 } } } };

test('a native sidecar may be named for its port: it gives up the name, and the model waits for the streams', () => {
  const probe = { httpGet: { path: '/', port: 'web' } };
  const sidecar = { ...front, restartPolicy: 'Always', readinessProbe: probe };
  const { pod, warnings, outcome } = admit(modelPod({ ...atFront, spec: { initContainers: [sidecar] } }));
  expect({ outcome, warnings }).toEqual({ outcome: { kind: 'injected', reach: 'port' }, warnings: [] });
  expect(podProblems(pod)).toEqual([]);
  expect(resolvePort(pod, 'web')).toEqual({ container: 'kubeai-agent', port: 15_001 });
  const { metadata, spec } = pod as Made;
  expect(spec.initContainers[0]).toEqual({
    ...sidecar,
    ports: [{ containerPort: 9000 }],
    readinessProbe: { httpGet: { path: '/', port: 9000 } },
  });
  expect(spec.initContainers[1]!['env']).toContainEqual({ name: 'KUBEAI_UPSTREAM_PORT', value: '9000' });
  expect(spec.containers).toMatchObject([{ name: 'model', ports: [{ name: 'http' }], ...drained }]);
  expect(metadata.annotations).toMatchObject({
    'kubectl.kubernetes.io/default-container': 'model',
    'kubeai.io/injection-status': expect.stringContaining('"container":"front","port":9000'),
  });
});

test('beside a container that is named for its port, the model waits for the streams too', () => {
  const { pod } = admit(modelPod({ ...atFront, spec: { containers: [front, ...modelPod().spec.containers] } }));
  const { metadata, spec } = pod as Made;
  expect(resolvePort(pod, 'web')).toEqual({ container: 'kubeai-agent', port: 15_001 });
  expect(spec.containers).toMatchObject([
    { name: 'front', ...drained },
    { name: 'model', ports: [{ name: 'http' }], ...drained },
  ]);
  expect(metadata.annotations['kubectl.kubernetes.io/default-container']).toBe('model');
});

test('the routing sidecar of llm-d is measured where its own port is asked for', () => {
  const router = { ...front, name: 'routing-proxy', restartPolicy: 'Always', args: ['--vllm-port=8000'] };
  const { outcome } = admit(modelPod({ ...atFront, spec: { initContainers: [router] } }));
  expect(outcome).toEqual({ kind: 'injected', reach: 'port' });
});

test('a volume that has our name, and a mount at our path, stay what they are', () => {
  const volumes = [
    { name: 'kubeai-credentials', emptyDir: {} },
    { name: 'kubeai-credentials-2', emptyDir: {} },
  ];
  const volumeMounts = [{ name: 'kubeai-credentials', mountPath: '/var/run/secrets/kubeai.io' }];
  const { pod, warnings } = admit(modelPod({ spec: { volumes }, container: { volumeMounts } }));
  expect({ warnings, problems: podProblems(pod) }).toEqual({ warnings: [], problems: [] });
  const { spec } = pod as Made;
  expect(spec.volumes.slice(0, 2)).toEqual(volumes);
  expect(spec.volumes[2]).toMatchObject({ name: 'kubeai-credentials-3', projected: {} });
  expect(spec.containers[0]).toMatchObject({ volumeMounts });
  expect(spec.initContainers[0]).toMatchObject({
    volumeMounts: [{ name: 'kubeai-credentials-3', mountPath: '/var/run/secrets/kubeai.io' }],
  });
});

test('the agent passes Pod Security restricted, native or not', () => {
  for (const settings of [config, oldCluster]) {
    const parsed = parsePod(modelPod());
    const eligible = {
      inject: true,
      serving: { container: { name: 'model' }, port: 8000, main: { name: 'model' } },
      ports: { listen: 15_001, admin: 15_020 },
    } as const;
    const agent = parsed.ok && agentContainer(parsed.pod, eligible, settings.defaults, 'port', settings);
    expect(restrictedProblems(agent)).toEqual([]);
  }
});

test('in a pod with resources of its own as a whole our containers take their part of them', () => {
  const whole = { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '1' } };
  const { pod } = admit(modelPod({ spec: { resources: whole } }), redirecting);
  const { initContainers } = (pod as { spec: { initContainers: { resources: object }[] } }).spec;
  expect(initContainers.map(({ resources }) => resources)).toEqual(Array(2).fill({ requests: {}, limits: {} }));

  const { pod: other } = admit(modelPod({ spec: { resources: { requests: { cpu: '1' } } } }));
  expect((other as typeof pod & { spec: { initContainers: object[] } }).spec.initContainers[0]).toMatchObject({
    resources: { requests: { memory: '64Mi' }, limits: { memory: '128Mi' } },
  });
});

test.each([
  [undefined, 315],
  [30, 315],
  [600, undefined],
  [0, undefined],
])('a grace period of %s becomes %s', (given, expected) => {
  const { pod } = admit(modelPod({ spec: { terminationGracePeriodSeconds: given } }));
  expect((pod as { spec: object }).spec).toMatchObject({ terminationGracePeriodSeconds: expected ?? given });
});

test('a value that makes no sense is told, and the safe default is taken', () => {
  const annotations = {
    'kubeai.io/engine': 'gpt',
    'kubeai.io/concurrency-limit': '-1',
    'kubeai.io/agent-cpu': '900',
    'kubeai.io/inject': 'Yes',
  };
  const { warnings, outcome } = admit(modelPod({ metadata: { annotations } }));
  expect(outcome.kind).toBe('injected');
  expect(warnings).toHaveLength(4);
  expect(warnings.join()).toMatch(
    /engine must be one of.*concurrency-limit must be a whole number.*agent-cpu.*inject must be/s,
  );
});

test('an agent is told of the exporter of its node, and only then may be asked to read it', () => {
  const pod = modelPod({ metadata: { annotations: { 'kubeai.io/gpu-source': 'dcgm' } } });
  const dcgmUrl = 'http://$(KUBEAI_HOST_IP):9400/metrics';
  const variables = (settings: InjectionConfig) => {
    const { pod: after, warnings } = admit(pod, settings);
    const { env } = (after as { spec: { initContainers: { env: { name: string; value?: string }[] }[] } }).spec
      .initContainers[0]!;
    return {
      env: env.filter(({ name }) => /DCGM|HOST_IP|GPU_SOURCE/.test(name)).map(({ name, value }) => value ?? name),
      warnings: warnings.length,
    };
  };
  expect(variables({ ...config, dcgmUrl })).toEqual({ env: ['dcgm', 'KUBEAI_HOST_IP', dcgmUrl], warnings: 0 });
  expect(variables(config)).toEqual({ env: ['auto'], warnings: 1 });
});

// ---- Properties ---------------------------------------------------------------------------------------------------

const runs = Number(process.env['KUBEAI_PROPERTY_RUNS'] ?? 1_000);
const settings = fc.constantFrom(config, redirecting, oldCluster);

test(`the patch, applied by an independent library, makes the pod of the pure function (${runs} pods)`, () => {
  let injected = 0;
  fc.assert(
    fc.property(anyPod(), settings, (object, chosen) => {
      const before = JSON.stringify(object);
      const { pod, outcome } = admit(object, chosen);
      const patch = patchOf(object, chosen);
      expect(JSON.stringify(object)).toBe(before); // nothing was written to what came in
      expect(jsonPatch.apply_patch(object as object, patch as never)).toEqual(JSON.parse(JSON.stringify(pod)));
      if (outcome.kind === 'injected') injected++;
    }),
    { numRuns: runs },
  );
  expect(injected).toBeGreaterThan(runs / 5);
});

test(`applied twice equals once, what is injected is valid, and no neighbour is rewritten (${runs} pods)`, () => {
  fc.assert(
    fc.property(anyPod(), settings, (object, chosen) => {
      const { pod, outcome } = admit(object, chosen);
      const again = admit(pod, chosen);
      expect(again.pod).toEqual(pod);
      if (outcome.kind === 'skipped') return;
      expect(again.outcome).toEqual({ kind: 'skipped', reason: 'AlreadyInjected' });
      const known = podProblems(object);
      expect(podProblems(pod).filter((problem) => !known.includes(problem))).toEqual([]);

      const { metadata, spec } = pod as Made;
      const touched = [
        (JSON.parse(metadata.annotations['kubeai.io/injection-status']!) as { container: string }).container,
        (servingPortOf(object as Pod) as ServingPort).main.name,
      ];
      for (const list of ['containers', 'initContainers'] as const) {
        for (const [index, container] of ((object as Made).spec[list] ?? []).entries()) {
          const after = spec[list][index]!;
          if (touched.includes(container['name'] as string)) expect(after['name']).toBe(container['name']);
          else expect(after).toBe(container);
        }
      }
    }),
    { numRuns: runs },
  );
});
