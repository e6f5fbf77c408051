// Which port of which container takes the requests. Manifests say it in many ways and often not at all, so the evidence
// is weighed in one order: what the pod's owner says (annotation), what the container declares, what its command line
// says, what its engine is known for, what its probes ask. A wrong guess costs a measurement; kubeai.io/port settles it.
import { annotations } from './names.ts';
import { annotationOf, type Container, type ContainerPort, isTcp, type Pod } from './pod.ts';

export interface ServingPort {
  /** Index in spec.containers. */
  readonly container: number;
  readonly port: number;
  /** The declared entry, when there is one. */
  readonly declared?: ContainerPort;
}

export type NoPort = 'NoServingPort' | 'UnsupportedProtocol';

/** Engines by a word of their image, with the port they listen on when nothing else is said. */
const engines: readonly (readonly [RegExp, number])[] = [
  [/tritonserver|triton/, 8000],
  [/sglang/, 30000],
  [/text-generation-inference|\btgi\b/, 80],
  [/text-embeddings-inference|\btei\b/, 80],
  [/ollama/, 11434],
  [/llama\.?-?cpp|llama-server/, 8080],
  [/tensorrt|trtllm|\bnim\b|nim\//, 8000],
  [/vllm|lmcache/, 8000],
  [/lmdeploy/, 23333],
  [/torchserve|kserve|huggingfaceserver/, 8080],
  [/dynamo/, 8000],
  [/kubeai\/model-server/, 8000],
];

/** Sidecars of others: they listen, but they are not what is served. */
const sidecarNames =
  /^(istio-proxy|linkerd-proxy|envoy|cloud-sql-proxy|vault-agent|otc-container|fluent-?bit|filebeat|jaeger-agent|dapr?d|queue-proxy|kubeai-agent)$/;

const servingName =
  /^(http|http1|http-?(api|openai|server|serving|inference|service)?|openai|openai-api|api|serve|serving|inference|infer|web|model-?server|server|vllm|sglang|tgi|rest)$/;
const otherName =
  /(metric|prom|health|probe|admin|debug|pprof|status|profil|dist|nccl|nixl|kv-|event|replay|peer|cluster|raft|ssh|redis)/;
const httpName = /(^|-)(http|api|rest|web)(-|$)/;
const grpcName = /grpc/;

/** Environment variables by which images are told their port. */
const portVariables = ['AIP_HTTP_PORT', 'NIM_SERVER_PORT', 'NIM_HTTP_API_PORT', 'PORT', 'SERVER_PORT', 'HTTP_PORT'];

/** The serving port, or why there is none. */
export function servingPortOf(pod: Pod): ServingPort | NoPort {
  const wish = annotationOf(pod, annotations.port);
  if (wish !== undefined) {
    const found = asWished(pod, wish);
    if (found !== undefined) return found;
  }
  const container = mainContainerOf(pod);
  const chosen = portOf(pod.spec.containers[container]!);
  return typeof chosen === 'string' ? chosen : { container, ...chosen };
}

/** What the annotation names: a port's name, or a number, declared or not. Undefined when it names nothing. */
function asWished(pod: Pod, wish: string): ServingPort | undefined {
  const { containers } = pod.spec;
  const number = /^\d{1,5}$/.test(wish) ? Number(wish) : undefined;
  for (const [container, { ports }] of containers.entries()) {
    const declared = ports?.find((port) => isTcp(port) && (port.containerPort === number || port.name === wish));
    if (declared !== undefined) return { container, port: declared.containerPort, declared };
  }
  if (number === undefined || !isPort(number)) return undefined;
  return { container: mainContainerOf(pod), port: number };
}

/** Whether a port of this name serves something else than requests: metrics, health, peers. */
export const isSideDoor = (name: string | null | undefined): boolean => otherName.test(name ?? '');

/** Whether the annotation's text names a port of this pod. */
export const namesPort = (pod: Pod, wish: string): boolean => asWished(pod, wish) !== undefined;

/** The container that serves the model: the one with a GPU, else with a known engine, else the first that is no sidecar. */
export function mainContainerOf(pod: Pod): number {
  const { containers } = pod.spec;
  const said = annotationOf(pod, annotations.defaultContainer);
  const rank = (container: Container): number => {
    if (sidecarNames.test(container.name)) return 0;
    return (
      1 + (hasGpu(container) ? 8 : 0) + (container.name === said ? 4 : 0) + (knownPort(container) === undefined ? 0 : 2)
    );
  };
  const ranks = containers.map(rank);
  return ranks.indexOf(Math.max(...ranks));
}

function hasGpu({ resources }: Container): boolean {
  const claimed = (resources?.claims?.length ?? 0) > 0;
  const asked = Object.keys({ ...resources?.limits, ...resources?.requests });
  return (
    claimed ||
    asked.some((name) =>
      /(^|\.)(nvidia|amd|intel|habana)\.(com|ai)\/|aws\.amazon\.com\/neuron|google\.com\/tpu/.test(name),
    )
  );
}

const knownPort = ({ image }: Container): number | undefined =>
  engines.find(([words]) => words.test((image ?? '').toLowerCase()))?.[1];

function portOf(container: Container): Omit<ServingPort, 'container'> | NoPort {
  const all = container.ports ?? [];
  const tcp = all.filter((port) => isTcp(port) && isPort(port.containerPort));
  const told = toldPort(container);
  const known = knownPort(container);
  const candidates = tcp.filter(({ name }) => !isSideDoor(name));
  const declared =
    candidates.find(({ name }) => servingName.test(name ?? '')) ??
    candidates.find(({ containerPort }) => containerPort === told) ??
    candidates.find(({ name }) => httpName.test(name ?? '')) ??
    candidates.find(({ containerPort }) => containerPort === known) ??
    candidates.find(({ name }) => !grpcName.test(name ?? '')) ??
    candidates[0];
  if (declared !== undefined) {
    // Behind TLS there is nothing to see: the agent would count connections and call it a measurement.
    if (isTls(container, declared)) return 'UnsupportedProtocol';
    return { port: declared.containerPort, declared };
  }
  if (told !== undefined) return { port: told };
  if (known !== undefined && all.length === 0) return { port: known };
  const probed = all.length === 0 ? probedPort(container) : undefined;
  if (probed !== undefined) return { port: probed };
  return all.length > 0 && tcp.length === 0 ? 'UnsupportedProtocol' : 'NoServingPort';
}

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65_535;

function isTls(container: Container, { name, containerPort }: ContainerPort): boolean {
  if (name === 'https') return true;
  return [container.readinessProbe, container.livenessProbe, container.startupProbe].some((probe) => {
    const get = probe?.httpGet;
    return (
      get?.scheme === 'HTTPS' &&
      (get.port === containerPort || (name !== undefined && name !== null && get.port === name))
    );
  });
}

/** The port on the command line (`--port 8000`, `--port=8000`, also inside a shell script) or in a variable. */
function toldPort({ command, args, env }: Container): number | undefined {
  const line = [...(command ?? []), ...(args ?? [])].join(' ');
  const flag = /(?:^|\s)--(?:http[-_])?port[=\s]+["']?(\d{2,5})\b/.exec(line)?.[1];
  const variable = portVariables
    .flatMap((name) => env?.find((entry) => entry.name === name)?.value ?? [])
    .find((value) => /^\d{2,5}$/.test(value));
  const port = Number(flag ?? variable ?? Number.NaN);
  return isPort(port) ? port : undefined;
}

/** The port that is asked whether the container is ready, where nothing is declared. */
function probedPort({ readinessProbe, startupProbe, livenessProbe }: Container): number | undefined {
  const ports = [readinessProbe, startupProbe, livenessProbe].flatMap((probe) => [
    probe?.httpGet?.port,
    probe?.tcpSocket?.port,
    probe?.grpc?.port,
  ]);
  return ports.find((port): port is number => typeof port === 'number' && isPort(port));
}
