import { expect, test } from '@jest/globals';
import { parsePod } from './pod.ts';
import { servingPortOf } from './serving-port.ts';

function chosen(containers: readonly object[], annotations: object = {}): string {
  const parsed = parsePod({ metadata: { annotations }, spec: { containers } });
  if (!parsed.ok) throw new Error(parsed.problem);
  const found = servingPortOf(parsed.pod);
  return typeof found === 'string' ? found : `${parsed.pod.spec.containers[found.container]!.name}:${found.port}`;
}

const port = (containerPort: number, name?: string, protocol?: string) => ({ containerPort, name, protocol });
const model = (more: object = {}) => ({ name: 'model', image: 'registry/own:1', ...more });
const gpu = { resources: { limits: { 'nvidia.com/gpu': '1' } } };

const rows: readonly [string, string, readonly object[], object?][] = [
  ['the only port', 'model:9000', [model({ ports: [port(9000)] })]],
  ['the port called http', 'model:8080', [model({ ports: [port(9000, 'grpc'), port(8080, 'http')] })]],
  ['not the metrics', 'model:9000', [model({ ports: [port(9400, 'metrics'), port(9000, 'main')] })]],
  [
    'REST before gRPC',
    'model:8080',
    [model({ ports: [port(50051, 'grpc'), port(9190, 'metrics'), port(8080, 'classify-api')] })],
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
  const [expected, containers, annotations] = row;
  expect(chosen(containers, annotations)).toBe(expected);
});
