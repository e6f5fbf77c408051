// The pod with its agent, as a value: nothing is written to the pod that came in, and what we do not change is the very
// same object, so a difference of the two is small. Additions stand at the end of their lists: a patch then only adds.
import {
  agentContainer,
  credentialsVolume,
  drainHook,
  type InjectionConfig,
  redirectContainer,
} from './agent-container.ts';
import type { Eligible, NamespaceView, SkipReason } from './eligibility.ts';
import { annotations } from './names.ts';
import { annotationOf, type Container, type Handler, type Pod } from './pod.ts';
import { podSettingsOf } from './pod-settings.ts';
import { type EffectiveReach, reachOf } from './reach.ts';

export interface Injected {
  readonly pod: Pod;
  readonly reach: EffectiveReach;
  readonly warnings: readonly string[];
}

/** The pod with agent, credentials, drain hook and status annotation. */
export function injectAgent(pod: Pod, eligible: Eligible, namespace: NamespaceView, config: InjectionConfig): Injected {
  const { settings, warnings } = podSettingsOf(pod, config.defaults, config.dcgmUrl !== undefined);
  const { reach, warning } = reachOf(settings.reach, eligible, pod, namespace, config.redirectImage !== undefined);
  const agent = agentContainer(pod, eligible, settings, reach, config);
  const redirect =
    reach === 'redirect' && config.redirectImage !== undefined
      ? [redirectContainer(pod, eligible, config.redirectImage)]
      : [];
  const { serving, ports } = eligible;
  const { main } = serving;
  const given = (container: Container): Container =>
    container === serving.container && reach === 'port' ? withoutPortName(container, serving) : container;
  // Where nothing passes the agent it could wait for no stream; and native sidecars end after the others anyway.
  const waits = (container: Container) => reach !== 'none' && (container === serving.container || container === main);
  const containers = pod.spec.containers.map((container) =>
    waits(container) ? withDrain(given(container), ports) : container,
  );
  // Last of the init containers: it starts after the sidecars of others (their network is up) and ends before them.
  const initContainers = [
    ...(pod.spec.initContainers ?? []).map(given),
    ...redirect,
    ...(config.nativeSidecars ? [agent] : []),
  ];
  const grace = gracePeriod(pod, reach, config.drainSeconds);
  return {
    pod: {
      ...pod,
      metadata: {
        ...pod.metadata,
        annotations: {
          ...pod.metadata?.annotations,
          ...(annotationOf(pod, annotations.defaultContainer) === undefined
            ? { [annotations.defaultContainer]: main.name }
            : {}),
          [annotations.status]: injectedStatus(eligible, reach, config),
        },
      },
      spec: {
        ...pod.spec,
        containers: config.nativeSidecars ? containers : [...containers, agent],
        ...(initContainers.length > 0 ? { initContainers } : {}),
        volumes: [...(pod.spec.volumes ?? []), credentialsVolume(pod)],
        ...(grace === undefined ? {} : { terminationGracePeriodSeconds: grace }),
      },
    },
    reach,
    warnings: warning === undefined ? warnings : [...warnings, warning],
  };
}

/** The pod that was looked at and left alone, with the reason on it. */
export function markSkipped(pod: Pod, reason: SkipReason, version: string): Pod {
  const status = JSON.stringify({ status: 'skipped', reason, version });
  return {
    ...pod,
    metadata: { ...pod.metadata, annotations: { ...pod.metadata?.annotations, [annotations.status]: status } },
  };
}

function injectedStatus({ serving, ports }: Eligible, reach: EffectiveReach, config: InjectionConfig): string {
  return JSON.stringify({
    status: 'injected',
    container: serving.container.name,
    port: serving.port,
    reach,
    listenPort: ports.listen,
    adminPort: ports.admin,
    sidecar: config.nativeSidecars ? 'native' : 'container',
    version: config.version,
  });
}

/** Before it ends it waits for the streams that pass the agent, unless it has something else to do. */
const withDrain = (container: Container, { admin }: Eligible['ports']): Container =>
  container.lifecycle?.preStop
    ? container
    : { ...container, lifecycle: { ...container.lifecycle, preStop: drainHook(admin) } };

/**
 * The number stays declared, the name goes to the agent. Probes and hooks that used the name mean this container, so they
 * get the number; names of ports are looked up in their own container only.
 */
function withoutPortName(container: Container, { declared, port: number }: Eligible['serving']): Container {
  const name = declared?.name;
  const byNumber = <Probe extends Handler | null | undefined>(handler: Probe): Probe =>
    handler ? renumbered(handler, name, number) : handler;
  const { lifecycle } = container;
  return {
    ...container,
    ports: (container.ports ?? []).map((port) => {
      if (port !== declared) return port;
      const { name: _name, hostPort: _hostPort, ...rest } = port;
      return rest;
    }),
    ...present('livenessProbe', byNumber(container.livenessProbe)),
    ...present('readinessProbe', byNumber(container.readinessProbe)),
    ...present('startupProbe', byNumber(container.startupProbe)),
    ...present(
      'lifecycle',
      lifecycle && {
        ...lifecycle,
        ...present('postStart', byNumber(lifecycle.postStart)),
        ...present('preStop', byNumber(lifecycle.preStop)),
      },
    ),
  };
}

const present = <Value>(key: string, value: Value): Record<string, Value> =>
  value === undefined ? {} : { [key]: value };

function renumbered<Probe extends Handler>(handler: Probe, name: string | null | undefined, number: number): Probe {
  const { httpGet, tcpSocket } = handler;
  if (httpGet?.port === name) return { ...handler, httpGet: { ...httpGet, port: number } };
  if (tcpSocket?.port === name) return { ...handler, tcpSocket: { ...tcpSocket, port: number } };
  return handler;
}

/** Time for the streams and for the engine's own end. 0 means that the owner wants the pod gone at once. */
function gracePeriod({ spec }: Pod, reach: EffectiveReach, drainSeconds: number): number | undefined {
  const now = spec.terminationGracePeriodSeconds ?? 30;
  const wanted = drainSeconds + 15;
  return reach === 'none' || now === 0 || now >= wanted ? undefined : wanted;
}
