// How requests come to the agent. `port`: the named port changes hands, which needs no privilege but only works for
// Services that target the port by its name. `redirect`: an init container writes a rule for inbound traffic, which
// works for everybody but needs NET_ADMIN once. `none`: nothing passes the agent; it reads the engine and the GPU only.
import { type Eligible, isMeshed, type NamespaceView } from './eligibility.ts';
import { annotations, names } from './names.ts';
import { type Container, type Pod, runningContainers } from './pod.ts';
import type { Reach } from './pod-settings.ts';
import { isTarget, type ServiceView, serviceByNumber, targetsOf } from './service-view.ts';
import { servingPorts } from './serving-port.ts';

export type EffectiveReach = Exclude<Reach, 'auto'>;

export interface ReachChoice {
  readonly reach: EffectiveReach;
  /** Why it is not what was asked for. */
  readonly warning?: string;
}

/** What the wish comes to for this pod. `redirectAvailable`: an image for the init container is configured. */
export function reachOf(
  wish: Reach,
  { serving }: Eligible,
  pod: Pod,
  namespace: NamespaceView,
  redirectAvailable: boolean,
): ReachChoice {
  const hindrance = redirectHindrance(pod, namespace, redirectAvailable);
  if (wish === 'none') return { reach: 'none' };
  const services = namespace.services ?? [];
  const proxy = proxyInFront(serving, pod, services);
  if (proxy !== undefined && wish === 'auto') {
    const warning = `container ${proxy.name} passes requests on to port ${serving.port} inside the pod, past the agent; requests are not observed; ${annotations.port} with a port of ${proxy.name} puts the agent in front of it`;
    return { reach: 'none', warning };
  }
  if (wish !== 'port' && hindrance === undefined) return { reach: 'redirect' };

  const named = hasOwnName(serving, pod);
  const past = named ? serviceByNumber(pod, serving.port, services) : undefined;
  const goesPast = `Service ${past?.name} targets port ${serving.port} by number and goes past the agent; target it by name, ${serving.declared?.name}`;
  switch (wish) {
    case 'auto':
      if (past !== undefined) return { reach: 'none', warning: goesPast };
      if (named) return { reach: 'port' };
      return {
        reach: 'none',
        warning: `requests are not observed: port ${serving.port} has no name of its own, and reach redirect is not possible: ${hindrance}; name the port, and target it by that name in the Service`,
      };
    case 'port':
      // Whoever asks for it may be about to change the Service.
      if (named) return past === undefined ? { reach: 'port' } : { reach: 'port', warning: goesPast };
      return {
        reach: 'none',
        warning: `reach port needs a container port with a name of its own; port ${serving.port} has none, so requests are not observed`,
      };
    case 'redirect': {
      const reach = named && past === undefined ? 'port' : 'none';
      return { reach, warning: `reach redirect is not possible: ${hindrance}; using ${reach}` };
    }
  }
}

/**
 * Whether the name of the port can change hands: a Service takes the first container that declares it, so a second one
 * with the same name would be found before the agent.
 */
function hasOwnName({ declared }: Eligible['serving'], { spec }: Pod): boolean {
  const name = declared?.name;
  if (typeof name !== 'string' || name === '' || name === names.adminPort) return false;
  const ports = [...spec.containers, ...(spec.initContainers ?? [])].flatMap((container) => container.ports ?? []);
  return ports.every((port) => port === declared || port.name !== name);
}

/**
 * A container that takes the requests and passes them on to the serving port by localhost, where neither a port's name
 * nor a rule for inbound traffic leads to the agent. It is known by its name, or it listens itself and its command line
 * holds the number; else by the Services: they lead to it, and none leads to the serving port.
 */
function proxyInFront(
  { container, port, declared, main }: Eligible['serving'],
  pod: Pod,
  services: readonly ServiceView[],
): Container | undefined {
  // Where another port than the model's was asked for, the model is not what stands in front of it.
  const here = [container, main];
  const others = runningContainers(pod).filter((other) => !here.includes(other));
  const targets = targetsOf(pod, services);
  const isReached = isTarget(declared ?? { containerPort: port }, targets);
  return others.find((other) => {
    if (proxyNames.test(other.name)) return true;
    const own = servingPorts(other).filter(({ containerPort }) => containerPort !== port);
    if (own.length === 0) return false;
    const holdsNumber = new RegExp(`(^|[=:\\s])${port}(\\D|$)`);
    if ([...(other.command ?? []), ...(other.args ?? [])].some((text) => holdsNumber.test(text))) return true;
    return !isReached && own.some((each) => isTarget(each, targets));
  });
}

/** Knative's, and the routing sidecar of llm-d, which needs no flag to find the model. */
const proxyNames = /^(queue-proxy|routing-(proxy|sidecar))$/;

function redirectHindrance(pod: Pod, namespace: NamespaceView, available: boolean): string | undefined {
  if (!available) return 'no image for it is configured (--redirect-image)';
  const level = namespace.labels?.['pod-security.kubernetes.io/enforce'];
  if (level === 'baseline' || level === 'restricted')
    return `Pod Security level ${level} of the namespace forbids NET_ADMIN`;
  if (isMeshed(pod, namespace)) return "Istio's own rules come first in this pod";
  return undefined;
}
