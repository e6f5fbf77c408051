// Pods as people write them and as nobody should: any mix of containers, ports, probes, hooks, sidecars, annotations,
// nulls and fields that we have never heard of.
import fc from 'fast-check';

const portNames = ['http', 'grpc', 'metrics', 'api', 'main', 'https', 'web', 'kubeai-admin'];
const numbers = [80, 8000, 8001, 8080, 9400, 15_001, 15_020, 30_000];
const maybe = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined, freq: 3 });
const absent = <Value>(value: fc.Arbitrary<Value>) =>
  fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constantFrom(null, undefined) });

const port = fc.record({
  name: maybe(fc.constantFrom(...portNames)),
  containerPort: fc.constantFrom(...numbers),
  protocol: maybe(fc.constantFrom('TCP', 'TCP', 'UDP')),
  hostPort: fc.option(fc.constantFrom(18_000, 18_001), { nil: undefined, freq: 8 }),
});
const target = fc.constantFrom<string | number>(...portNames.slice(0, 5), ...numbers.slice(0, 4));
const handler = fc.oneof(
  target.map((to) => ({ httpGet: { path: '/health', port: to } })),
  target.map((to) => ({ tcpSocket: { port: to } })),
  fc.constant({ exec: { command: ['true'] } }),
  fc.constant({ grpc: { port: 8001 } }),
);
const quantities = fc.record({
  cpu: maybe(fc.constantFrom('1', '500m')),
  memory: maybe(fc.constantFrom('1Gi', '512Mi')),
  'nvidia.com/gpu': maybe(fc.constant('1')),
});

const container = (name: string) =>
  fc
    .record({
      name: fc.constant(name),
      image: fc.constantFrom(
        'vllm/vllm-openai:v1',
        'lmsysorg/sglang',
        'busybox',
        'own/server:2',
        'nvcr.io/nvidia/tritonserver:25',
      ),
      args: absent(fc.array(fc.constantFrom('--port=8080', '--port', '9000', '-v', 'serve'), { maxLength: 3 })),
      env: absent(
        fc.array(
          fc.constantFrom(
            { name: 'PORT', value: '8001' },
            { name: 'HF_TOKEN', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
          ),
          { maxLength: 1 },
        ),
      ),
      ports: absent(
        fc.uniqueArray(port, { maxLength: 3, selector: ({ name, containerPort }) => name ?? containerPort }),
      ),
      resources: absent(fc.record({ limits: absent(quantities), requests: absent(quantities) })),
      readinessProbe: absent(handler),
      livenessProbe: absent(handler),
      startupProbe: absent(handler),
      lifecycle: absent(fc.record({ postStart: absent(handler), preStop: absent(handler) })),
      'x-unknown/~field': maybe(fc.jsonValue({ maxDepth: 2 })),
    })
    .map(withoutUndefined);

const containers = fc
  .integer({ min: 1, max: 3 })
  .chain((count) => fc.tuple(...['model', 'helper', 'istio-proxy'].slice(0, count).map(container)));
const initContainers = fc.array(
  fc.record({
    name: fc.constantFrom('init', 'sidecar', 'istio-init'),
    image: fc.constant('own'),
    restartPolicy: maybe(fc.constant('Always')),
    ports: maybe(fc.array(port, { maxLength: 1 })),
  }),
  { maxLength: 2 },
);

const settings = {
  'kubeai.io/inject': ['true', 'false', 'maybe'],
  'kubeai.io/port': ['8000', 'http', 'nothing', '99999'],
  'kubeai.io/reach': ['auto', 'port', 'redirect', 'none', 'magic'],
  'kubeai.io/engine': ['vllm', 'other'],
  'kubeai.io/agent-cpu': ['200m', '2', 'all'],
  'kubeai.io/agent-memory': ['128Mi', '1G', '1'],
  'kubectl.kubernetes.io/default-container': ['model', 'helper'],
  'a/~1b': ['x'],
};
const annotations = fc
  .record(
    Object.fromEntries(
      Object.entries(settings).map(([name, texts]) => [
        name,
        fc.option(fc.constantFrom(...texts), { nil: undefined, freq: 2 }),
      ]),
    ),
  )
  .map(withoutUndefined);

/** Any pod. Containers have names of their own; whatever else clashes is the generator's wish. */
export const anyPod = (): fc.Arbitrary<unknown> =>
  fc
    .record({
      apiVersion: fc.constant('v1'),
      kind: fc.constant('Pod'),
      metadata: fc
        .record({
          generateName: fc.constant('any-'),
          annotations: absent(annotations),
          labels: absent(fc.constantFrom({}, { app: 'x' }, { 'sidecar.istio.io/inject': 'true' })),
        })
        .map(withoutUndefined),
      spec: fc
        .record({
          containers,
          initContainers: absent(initContainers),
          volumes: absent(
            fc.constantFrom([], [{ name: 'cache', emptyDir: {} }], [{ name: 'kubeai-credentials', emptyDir: {} }]),
          ),
          hostNetwork: fc.option(fc.boolean(), { nil: undefined, freq: 6 }),
          restartPolicy: fc.option(fc.constantFrom('Always', 'Never'), { nil: undefined, freq: 4 }),
          terminationGracePeriodSeconds: absent(fc.constantFrom(0, 30, 1_000)),
        })
        .map(withoutUndefined),
    })
    // What travels is JSON: no undefined, no prototype but Object's.
    .map((pod) => JSON.parse(JSON.stringify(pod)) as unknown);

function withoutUndefined<Shape extends object>(object: Shape): Shape {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as Shape;
}
