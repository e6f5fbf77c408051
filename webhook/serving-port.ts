// Which port of which container takes the requests. Manifests say it in many ways and often not at all, so the evidence
// is weighed in one order: what the pod's owner says (annotation), what the container declares, what its command line
// says, where Services lead, what its engine is known for, what its probes ask. A wrong guess costs a measurement;
// kubeai.io/port settles it.
import { annotations } from './names.ts';
import {
  annotationOf,
  type Container,
  type ContainerPort,
  isPort,
  isTcp,
  labelOf,
  type Pod,
  runningContainers,
} from './pod.ts';
import { type Guide, guidesOf, isTarget, type ServiceView, type Targets, targetsOf } from './service-view.ts';
import { isToldTls, toldPort } from './told-port.ts';

export interface ServingPort {
  /** The very object of the pod: a container or a native sidecar. */
  readonly container: Container;
  readonly port: number;
  /** The declared entry, when there is one. */
  readonly declared?: ContainerPort;
  /** The container that serves the model, which need not be the one in front of which the agent was asked to stand. */
  readonly main: Container;
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
  // The organisation kserve publishes servers and their helpers alike.
  [/torchserve|mlserver|(huggingface|sklearn|xgb|lgb|pmml|paddle)server|kserve(?!\/)/, 8080],
  [/dynamo/, 8000],
  [/kubeai\/model-server/, 8000],
];

/** Sidecars of others: they listen, but they are not what is served. */
const sidecarNames =
  /^(istio-proxy|linkerd-proxy|envoy|cloud-sql-proxy|vault-agent|otc-container|fluent-?bit|filebeat|jaeger-agent|dapr?d|queue-proxy|kubeai-agent)$/;

const isSidecar = ({ name }: Container): boolean => sidecarNames.test(name);

const servingName =
  /^(http|http1|http-?(api|openai|server|serving|inference|service)?|openai|openai-api|api|serve|serving|inference|infer|web|model-?server|server|vllm|sglang|tgi|rest)$/;
const otherName =
  /(metric|prom|health|probe|admin|debug|pprof|status|system|profil|dist|nccl|nixl|kv-|event|replay|peer|cluster|raft|ssh|redis|gcs|dashboard)|^client$/;
const httpName = /(^|-)(http|api|rest|web)(-|$)/;
const grpcName = /grpc/;

/** The serving port, or why there is none. `services`: those of the namespace, as far as they are known. */
export function servingPortOf(pod: Pod, services: readonly ServiceView[] = []): ServingPort | NoPort {
  const { container: main, found } = mainOf(pod, targetsOf(pod, services), guidesOf(pod, services));
  const wish = annotationOf(pod, annotations.port);
  const wished = wish === undefined ? undefined : asWished(pod, wish, main);
  if (wished !== undefined) return wished;
  return typeof found === 'string' ? found : { container: main, main, ...found };
}

/** A worker of a LeaderWorkerSet may run the leader's image and serve nobody: only what it declares is believed. */
function isGroupWorker(pod: Pod): boolean {
  const index = labelOf(pod, 'leaderworkerset.sigs.k8s.io/worker-index');
  return index !== undefined && index !== '0';
}

/** What the annotation names: a port's name, or a number, declared or not. Undefined when it names nothing. */
function asWished(pod: Pod, wish: string, main: Container): ServingPort | undefined {
  const number = /^\d{1,5}$/.test(wish) ? Number(wish) : undefined;
  for (const container of runningContainers(pod)) {
    const declared = container.ports?.find(
      (port) => isTcp(port) && (port.containerPort === number || port.name === wish),
    );
    if (declared !== undefined) return { container, port: declared.containerPort, declared, main };
  }
  if (number === undefined || !isPort(number)) return undefined;
  return { container: main, port: number, main };
}

/** Whether a port of this name serves something else than requests: metrics, health, peers. */
const isSideDoor = (name: string | null | undefined): boolean => otherName.test(name ?? '');

/** Whether the annotation's text names a port of this pod. */
export const namesPort = (pod: Pod, wish: string): boolean =>
  asWished(pod, wish, pod.spec.containers[0]!) !== undefined;

/**
 * The container that serves the model: the one with a GPU, else with a known engine, else the first that has a port to
 * serve on, before all one that Services lead to, and is no sidecar, else the first that is no sidecar.
 */
function mainOf(pod: Pod, targets: Targets, guides: readonly Guide[]) {
  const said = annotationOf(pod, annotations.defaultContainer);
  const guess = !isGroupWorker(pod);
  const [first, ...others] = pod.spec.containers.map((container) => {
    const found = portOf(container, guess, targets);
    const rank =
      2 +
      (hasGpu(container) ? 32 : 0) +
      (container.name === said ? 16 : 0) +
      (knownPort(container) === undefined ? 0 : 8) +
      (typeof found === 'string' ? 0 : 4) +
      (servingPorts(container).some((port) => isTarget(port, targets)) ? 1 : 0);
    return { container, found, rank: isSidecar(container) ? 0 : rank };
  });
  const { container, found } = others.reduce((best, each) => (each.rank > best.rank ? each : best), first!);
  return { container, found: guess ? portOf(container, guess, targets, unclaimedNumbers(pod, guides)) : found };
}

/** Numbers that Services lead to though no container declares them: the model's, wherever that is. */
function unclaimedNumbers(pod: Pod, guides: readonly Guide[]): readonly number[] {
  const declared = runningContainers(pod).flatMap(({ ports }) => ports ?? []);
  return guides
    .filter(({ name, number }) => isPort(number) && !isSideDoor(name))
    .map(({ number }) => number)
    .filter((number) => !declared.some(({ containerPort }) => containerPort === number));
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

/** The declared ports that may take requests. */
export const servingPorts = ({ ports }: Container): readonly ContainerPort[] =>
  (ports ?? []).filter((port) => isTcp(port) && isPort(port.containerPort) && !isSideDoor(port.name));

/**
 * `guess`: whether a port may be taken that is not declared. `unclaimed`: numbers that Services lead to though nobody
 * declares them; what else is known of the container chooses among them.
 */
function portOf(
  container: Container,
  guess: boolean,
  targets: Targets,
  unclaimed: readonly number[] = [],
): Omit<ServingPort, 'container' | 'main'> | NoPort {
  const all = container.ports ?? [];
  const told = toldPort(container);
  const known = knownPort(container);
  const candidates = servingPorts(container);
  const declared =
    candidates.find(({ name }) => servingName.test(name ?? '')) ??
    candidates.find(({ containerPort }) => containerPort === told) ??
    candidates.find(({ name }) => httpName.test(name ?? '')) ??
    candidates.find(({ containerPort }) => containerPort === known) ??
    candidates.find((port) => isTarget(port, targets)) ??
    candidates.find(({ name }) => !grpcName.test(name ?? '')) ??
    candidates[0] ??
    // An engine answers for its metrics where it answers for everything: the name says what somebody needed it for.
    (guess ? all.find((port) => isTcp(port) && port.containerPort === (told ?? known)) : undefined);
  const [engine, asked] = all.length === 0 ? [known, probedPort(container)] : [];
  const agreed = engine === asked ? engine : undefined;
  const led = unclaimed.find((number) => number === engine || number === asked) ?? unclaimed[0];
  const guessed = guess ? (told ?? agreed ?? led ?? engine ?? asked) : undefined;
  const port = declared?.containerPort ?? guessed;
  if (port === undefined) {
    return all.length > 0 && !all.some(isTcp) ? 'UnsupportedProtocol' : 'NoServingPort';
  }
  // Behind TLS there is nothing to see: the agent would count connections and call it a measurement.
  if (isTls(container, port, declared?.name)) return 'UnsupportedProtocol';
  return declared === undefined ? { port } : { port, declared };
}

function isTls(container: Container, port: number, name: string | null | undefined): boolean {
  if (name === 'https' || isToldTls(container)) return true;
  return [container.readinessProbe, container.livenessProbe, container.startupProbe].some((probe) => {
    const get = probe?.httpGet;
    return get?.scheme === 'HTTPS' && (get.port === port || (typeof name === 'string' && get.port === name));
  });
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
