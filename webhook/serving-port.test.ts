import { expect, test } from '@jest/globals';
import { parsePod } from './pod.ts';
import { servingPortOf } from './serving-port.ts';

function chosen(
  containers: readonly object[],
  annotations: object = {},
  labels: object = {},
  initContainers: readonly object[] = [],
): string {
  const parsed = parsePod({ metadata: { annotations, labels }, spec: { containers, initContainers } });
  if (!parsed.ok) throw new Error(parsed.problem);
  const found = servingPortOf(parsed.pod);
  return typeof found === 'string' ? found : `${found.container.name}:${found.port}`;
}

const port = (containerPort: number, name?: string, protocol?: string) => ({ containerPort, name, protocol });
const model = (more: object = {}) => ({ name: 'model', image: 'registry/own:1', ...more });
const gpu = { resources: { limits: { 'nvidia.com/gpu': '1' } } };

type Row = [
  evidence: string,
  expected: string,
  containers: object[],
  annotations?: object,
  labels?: object,
  init?: object[],
];
const rows: readonly Row[] = [
  ['the only port', 'model:9000', [model({ ports: [port(9000)] })]],
  ['the port called http', 'model:8080', [model({ ports: [port(9000, 'grpc'), port(8080, 'http')] })]],
  ['not the metrics', 'model:9000', [model({ ports: [port(9400, 'metrics'), port(9000, 'main')] })]],
  [
    'REST before gRPC',
    'model:8080',
    [model({ ports: [port(50051, 'grpc'), port(9190, 'metrics'), port(8080, 'classify-api')] })],
  ],
  [
    'the port of vLLM, whatever it is called: its metrics are behind it too',
    'model:8000',
    [model({ image: 'vllm', ports: [port(8000, 'metrics')] })],
  ],
  [
    'the port on the command line, whatever it is called',
    'model:8100',
    [model({ ports: [port(8100, 'metrics')], args: ['--port=8100'] })],
  ],
  [
    'no port of metrics beside that of the engine',
    'NoServingPort',
    [model({ image: 'tritonserver', ports: [port(8002, 'metrics')] })],
  ],
  ['gRPC where there is nothing else', 'model:50051', [model({ ports: [port(50051, 'grpc')] })]],
  [
    'the port on the command line among unnamed ones',
    'model:8100',
    [model({ ports: [port(9000), port(8100)], args: ['--port', '8100'] })],
  ],
  [
    'a flag inside a shell script',
    'model:8200',
    [model({ command: ['/bin/sh', '-c'], args: ['exec vllm serve --port=8200 m'] })],
  ],
  ['no other flag that ends in port', 'NoServingPort', [model({ args: ['--vllm-port=8200', '--dist-port', '9'] })]],
  [
    "TensorFlow Serving's port of HTTP, whose --port is that of gRPC",
    'model:8080',
    [model({ args: ['--port=9000', '--rest_api_port=8080'], readinessProbe: { tcpSocket: { port: 8080 } } })],
  ],
  ["OpenVINO's port of HTTP", 'model:8888', [model({ args: ['--port=8001', '--rest_port=8888'] })]],
  ["LMDeploy's flag", 'model:8010', [model({ image: 'openmmlab/lmdeploy', args: ['--server-port', '8010'] })]],
  ["TGI's short flag", 'model:8082', [model({ image: 'huggingface/text-generation-inference', args: ['-p', '8082'] })]],
  ['no number after the -p of another program', 'NoServingPort', [model({ args: ['mkdir -p 2024/models'] })]],
  [
    'a variable on the command line, as Kubernetes puts it in',
    'model:8765',
    [model({ image: 'vllm', args: ['--port', '$(LISTEN)'], env: [{ name: 'LISTEN', value: '8765' }] })],
  ],
  [
    'a variable in a shell script',
    'model:9002',
    [model({ args: ['exec vllm serve m --port $SERVE'], env: [{ name: 'SERVE', value: '9002' }] })],
  ],
  ['the default of a variable that nobody sets', 'model:9001', [model({ args: [`vllm serve --port \${P:-9001}`] })]],
  [
    'a variable whose value is kept elsewhere, then what is known of the engine',
    'model:8000',
    [model({ image: 'vllm', args: ['--port=$(P)'], env: [{ name: 'P', valueFrom: { configMapKeyRef: {} } }] })],
  ],
  [
    'a script over several lines',
    'model:8123',
    [model({ args: ['vllm serve m \\\n --host 0.0.0.0 \\\n --port 8123 \\\n -tp 2'] })],
  ],
  [
    'not the port of Ray before it',
    'model:8081',
    [model({ args: ['ray start --head --port=6379 && vllm serve m --port 8081'] })],
  ],
  [
    'not the port of Ray alone',
    'model:8000',
    [model({ image: 'vllm', args: ['ray start --head --port=6379; vllm serve m'] })],
  ],
  ['the address of a variable', 'model:8080', [model({ env: [{ name: 'OLLAMA_HOST', value: '0.0.0.0:8080' }] })]],
  [
    "a worker of a group by what it declares, not by its image: it may run the leader's and serve nobody",
    'NoServingPort',
    [model({ image: 'vllm', args: ['worker --port 8000'] })],
    {},
    { 'leaderworkerset.sigs.k8s.io/worker-index': '1' },
  ],
  [
    'a worker of a group that declares a port',
    'model:8000',
    [model({ image: 'vllm', ports: [port(8000)] })],
    {},
    { 'leaderworkerset.sigs.k8s.io/worker-index': '1' },
  ],
  [
    'the leader of a group',
    'model:8000',
    [model({ image: 'vllm' })],
    {},
    { 'leaderworkerset.sigs.k8s.io/worker-index': '0' },
  ],
  [
    'nothing on the head of a Ray cluster that serves nobody',
    'NoServingPort',
    [model({ ports: [port(6379, 'gcs-server'), port(8265, 'dashboard'), port(10001, 'client')] })],
  ],
  [
    'nothing on a worker of Dynamo, which has a status server only',
    'NoServingPort',
    [model({ ...gpu, ports: [port(9090, 'system')] })],
  ],
  [
    'the container that has a port, behind one that has none',
    'model:9000',
    [{ name: 'log-shipper' }, model({ ports: [port(9000, 'http')] })],
  ],
  [
    'TLS by the flags of the server',
    'UnsupportedProtocol',
    [model({ ports: [port(8000, 'http')], args: ['--ssl-certfile=/tls.crt', '--ssl-keyfile', '/tls.key'] })],
  ],
  [
    'TLS by the scheme of a probe, where nothing is declared',
    'UnsupportedProtocol',
    [model({ args: ['--port=8443'], livenessProbe: { httpGet: { port: 8443, scheme: 'HTTPS' } } })],
  ],
  ['a variable', 'model:8000', [model({ env: [{ name: 'AIP_HTTP_PORT', value: '8000' }] })]],
  [
    'the command line before a variable',
    'model:8001',
    [model({ args: ['--port=8001'], env: [{ name: 'PORT', value: '8000' }] })],
  ],
  ['vLLM without a word', 'model:8000', [model({ image: 'vllm/vllm-openai:v0.10.0' })]],
  ['SGLang without a word', 'model:30000', [model({ image: 'docker.io/lmsysorg/sglang:latest' })]],
  ['NIM without a word', 'model:8000', [model({ image: 'nvcr.io/nim/nvidia/llm-nim:1.14' })]],
  ['Ollama without a word', 'model:11434', [model({ image: 'ollama/ollama' })]],
  [
    'the port of Triton among three',
    'model:8000',
    [
      model({
        image: 'nvcr.io/nvidia/tritonserver:25',
        ports: [port(8001, 'grpc'), port(8002, 'metrics'), port(8000, 'http')],
      }),
    ],
  ],
  [
    'the container with the GPU',
    'model:9000',
    [{ name: 'router', ports: [port(80, 'http')] }, model({ ...gpu, ports: [port(9000)] })],
  ],
  [
    'the container with a claimed device',
    'model:9000',
    [{ name: 'router', ports: [port(80)] }, model({ resources: { claims: [{ name: 'g' }] }, ports: [port(9000)] })],
  ],
  [
    'the container with a known engine',
    'engine:8000',
    [
      { name: 'runtime', image: 'own', ports: [port(8080)] },
      { name: 'engine', image: 'vllm', ports: [port(8000)] },
    ],
  ],
  [
    'MLServer behind the helpers of Seldon',
    'mlserver:9000',
    [
      { name: 'rclone', ports: [port(5572, 'rclone')] },
      { name: 'agent', ports: [port(9001, 'http')] },
      {
        name: 'mlserver',
        image: 'seldonio/mlserver:1.6',
        ports: [port(9500, 'server-grpc'), port(9000, 'server-http')],
        env: [{ name: 'MLSERVER_HTTP_PORT', value: '9000' }],
      },
    ],
  ],
  [
    "no helper of kserve's, whose organisation is no engine",
    'triton:8000',
    [
      { name: 'rest-proxy', image: 'kserve/rest-proxy', ports: [port(8008, 'http')] },
      { name: 'triton', image: 'tritonserver' },
    ],
  ],
  ["kserve's own servers", 'model:8080', [model({ image: 'docker.io/kserve/sklearnserver:v0.15.0' })]],
  [
    'the container of kubectl logs',
    'b:2',
    [
      { name: 'a', ports: [port(1)] },
      { name: 'b', ports: [port(2)] },
    ],
    { 'kubectl.kubernetes.io/default-container': 'b' },
  ],
  [
    'no sidecar of a mesh',
    'model:9000',
    [{ name: 'istio-proxy', ports: [port(15090, 'http')] }, model({ ports: [port(9000)] })],
  ],
  [
    'the annotation, by number',
    'model:7000',
    [model({ ports: [port(7000), port(8080, 'http')] })],
    { 'kubeai.io/port': '7000' },
  ],
  [
    'the annotation, by name',
    'other:7000',
    [model({ ports: [port(8080, 'http')] }), { name: 'other', ports: [port(7000, 'mine')] }],
    { 'kubeai.io/port': 'mine' },
  ],
  [
    'the annotation, by the name of a native sidecar',
    'proxy:7000',
    [model({ ports: [port(8080, 'http')] })],
    { 'kubeai.io/port': 'front' },
    {},
    [{ name: 'proxy', restartPolicy: 'Always', ports: [port(7000, 'front')] }],
  ],
  [
    'the annotation, by the number of a native sidecar',
    'proxy:7000',
    [model({ ports: [port(8080, 'http')] })],
    { 'kubeai.io/port': '7000' },
    {},
    [{ name: 'proxy', restartPolicy: 'Always', ports: [port(7000)] }],
  ],
  [
    'no annotation for what ends before the model begins',
    'model:8080',
    [model({ ports: [port(8080, 'http')] })],
    { 'kubeai.io/port': 'front' },
    {},
    [{ name: 'loader', ports: [port(7000, 'front')] }],
  ],
  ['the annotation, undeclared', 'model:7000', [model()], { 'kubeai.io/port': '7000' }],
  [
    'an annotation that names nothing',
    'model:8080',
    [model({ ports: [port(8080, 'http')] })],
    { 'kubeai.io/port': 'htp' },
  ],
  ['a port out of range', 'model:8080', [model({ ports: [port(8080)] })], { 'kubeai.io/port': '70000' }],
  ['a probe, where nothing is declared', 'model:5000', [model({ readinessProbe: { grpc: { port: 5000 } } })]],
  [
    'no probe, where something is declared',
    'NoServingPort',
    [model({ ports: [port(9400, 'metrics')], readinessProbe: { httpGet: { port: 9401 } } })],
  ],
  ['nothing', 'NoServingPort', [model()]],
  ['only UDP', 'UnsupportedProtocol', [model({ ports: [port(53, 'dns', 'UDP')] })]],
  ['null in place of a list', 'NoServingPort', [model({ ports: null, args: null, env: null, resources: null })]],
];

test.each(rows.map(([evidence, ...row]) => ({ evidence, row })))('the serving port is found: $evidence', ({ row }) => {
  const [expected, ...pod] = row;
  expect(chosen(...pod)).toBe(expected);
});
