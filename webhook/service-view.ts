// What a Service says about a pod's port. A Service that targets the number of a port goes past an agent that has taken
// over its name: the agent would see no request and call a busy pod idle. So the webhook looks before it chooses.
import type { ContainerPort, Pod } from './pod.ts';

export interface ServiceView {
  readonly name: string;
  readonly namespace: string;
  readonly selector: Readonly<Record<string, string>>;
  /** Numbers and names of container ports. */
  readonly targets: readonly (number | string)[];
  /** The numbers among them by which a port may be guessed, with the Service's names for them. */
  readonly guides?: readonly Guide[];
}

export interface Guide {
  readonly name: string | undefined;
  readonly number: number;
}

interface ServiceObject {
  readonly metadata?: { readonly name?: string; readonly namespace?: string } | null;
  readonly spec?: {
    readonly selector?: Readonly<Record<string, string>> | null;
    readonly clusterIP?: string | null;
    readonly ports?: readonly ServicePort[] | null;
  } | null;
}

interface ServicePort {
  readonly name?: string | null;
  readonly protocol?: string | null;
  readonly port?: number;
  readonly targetPort?: number | string | null;
}

/** The few words that matter of a Service as it is stored or written; anything else may be missing. */
export function serviceView(object: unknown): ServiceView {
  const { metadata, spec } = object as ServiceObject;
  const ports = (spec?.ports ?? [])
    .filter(({ protocol }) => (protocol ?? 'TCP') === 'TCP')
    // Without a target the Service's own port is meant.
    .flatMap(({ name, port, targetPort }) => {
      const target = targetPort ?? port;
      return target === undefined ? [] : [{ name: name ?? undefined, target }];
    });
  // Nobody passes the ports of a headless Service: pods are asked by their own, and what stands there is often a placeholder.
  const guiding = spec?.clusterIP === 'None' ? [] : ports;
  return {
    name: metadata?.name ?? '',
    namespace: metadata?.namespace ?? 'default',
    selector: spec?.selector ?? {},
    targets: ports.map(({ target }) => target),
    guides: guiding.flatMap(({ name, target }) => (typeof target === 'number' ? [{ name, number: target }] : [])),
  };
}

/** The first of these Services that sends requests to this number of this pod. */
export const serviceByNumber = (pod: Pod, port: number, services: readonly ServiceView[]): ServiceView | undefined =>
  servicesOf(pod, services).find(({ targets }) => targets.includes(port));

/** The numbers and names of ports to which these Services send requests of this pod. */
export type Targets = ReadonlySet<number | string>;
export const targetsOf = (pod: Pod, services: readonly ServiceView[]): Targets =>
  new Set(servicesOf(pod, services).flatMap(({ targets }) => targets));

/** What these Services tell of numbers that the pod may not declare. */
export const guidesOf = (pod: Pod, services: readonly ServiceView[]): readonly Guide[] =>
  servicesOf(pod, services).flatMap(({ guides }) => guides ?? []);

export const isTarget = ({ containerPort, name }: ContainerPort, targets: Targets): boolean =>
  targets.has(containerPort) || (typeof name === 'string' && targets.has(name));

function servicesOf(pod: Pod, services: readonly ServiceView[]): readonly ServiceView[] {
  const labels = pod.metadata?.labels ?? {};
  return services.filter(({ selector }) => {
    const wanted = Object.entries(selector);
    return wanted.length > 0 && wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
  });
}

/** Services by their namespace, kept as they come and go. */
export function createServiceIndex() {
  const index = new Map<string, Map<string, ServiceView>>();
  return {
    put(object: unknown): void {
      const service = serviceView(object);
      const inside = index.get(service.namespace) ?? new Map<string, ServiceView>();
      index.set(service.namespace, inside.set(service.name, service));
    },
    remove(object: unknown): void {
      const { namespace, name } = serviceView(object);
      const inside = index.get(namespace);
      inside?.delete(name);
      if (inside?.size === 0) index.delete(namespace);
    },
    of: (namespace: string): readonly ServiceView[] => [...(index.get(namespace)?.values() ?? [])],
  };
}
