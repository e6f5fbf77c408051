// The containers and the volume that we put into pods, as data. They run with the least that Kubernetes can give:
// Pod Security `restricted` passes with the agent in place.
import type { Eligible } from './eligibility.ts';
import { names } from './names.ts';
import type { Container, Pod } from './pod.ts';
import { type PodSettings, quantityOf } from './pod-settings.ts';
import type { EffectiveReach } from './reach.ts';

export interface InjectionConfig {
  /** Our own version, written into the status annotation. */
  readonly version: string;
  readonly agentImage: string;
  /** Absent: reach `redirect` is not offered. */
  readonly redirectImage?: string;
  readonly controllerUrl: string;
  /** The name in the controller's certificate, where the URL holds an address. */
  readonly controllerServerName?: string;
  /** Where the dcgm-exporter of a pod's node answers, with `$(KUBEAI_HOST_IP)` for the node. */
  readonly dcgmUrl?: string;
  /** How long streams may take to end when a pod leaves. */
  readonly drainSeconds: number;
  /** Whether the cluster knows sidecars (Kubernetes 1.29 and later). */
  readonly nativeSidecars: boolean;
  readonly defaults: PodSettings;
}

const fieldRef = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const value = (name: string, text: string | number) => ({ name, value: String(text) });

/** The agent for one pod. */
export function agentContainer(
  pod: Pod,
  { serving, ports }: Eligible,
  settings: PodSettings,
  reach: EffectiveReach,
  config: InjectionConfig,
): Container {
  const probe = (path: string, timing: object) => ({
    httpGet: { path, port: ports.admin },
    timeoutSeconds: 2,
    ...timing,
  });
  const takeover = reach === 'port' && serving.declared !== undefined;
  return {
    name: names.agentContainer,
    image: config.agentImage,
    imagePullPolicy: 'IfNotPresent',
    env: [
      fieldRef('KUBEAI_POD_NAME', 'metadata.name'),
      fieldRef('KUBEAI_POD_NAMESPACE', 'metadata.namespace'),
      fieldRef('KUBEAI_POD_UID', 'metadata.uid'),
      fieldRef('KUBEAI_POD_IP', 'status.podIP'),
      value('KUBEAI_LISTEN_PORT', ports.listen),
      value('KUBEAI_UPSTREAM_PORT', serving.port),
      value('KUBEAI_ADMIN_PORT', ports.admin),
      value('KUBEAI_REACH', reach),
      value('KUBEAI_CONTROLLER_URL', config.controllerUrl),
      ...(config.controllerServerName === undefined
        ? []
        : [value('KUBEAI_CONTROLLER_SERVER_NAME', config.controllerServerName)]),
      value('KUBEAI_TOKEN_FILE', `${names.mountPath}/token`),
      value('KUBEAI_CA_FILE', `${names.mountPath}/ca.crt`),
      value('KUBEAI_ENGINE', settings.engine),
      value('KUBEAI_GPU_SOURCE', settings.gpuSource),
      ...(config.dcgmUrl === undefined
        ? []
        : [fieldRef('KUBEAI_HOST_IP', 'status.hostIP'), value('KUBEAI_DCGM_URL', config.dcgmUrl)]),
      value('KUBEAI_CONCURRENCY_LIMIT', settings.concurrencyLimit),
      value('KUBEAI_LOG_LEVEL', settings.logLevel),
      value('KUBEAI_DRAIN_SECONDS', config.drainSeconds),
    ],
    ports: [
      ...(takeover ? [takenPort(serving.declared, ports.listen)] : []),
      { name: names.adminPort, containerPort: ports.admin, protocol: 'TCP' },
    ],
    resources: resourcesFor(pod, settings),
    volumeMounts: [{ name: volumeName(pod), mountPath: names.mountPath, readOnly: true }],
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
    readinessProbe: probe('/readyz', { periodSeconds: 2, failureThreshold: 2 }),
    livenessProbe: probe('/healthz', { periodSeconds: 10, failureThreshold: 3 }),
    ...(config.nativeSidecars
      ? { restartPolicy: 'Always', startupProbe: probe('/healthz', { periodSeconds: 1, failureThreshold: 60 }) }
      : // A plain container is told to end together with the engine, and must outlast its streams by itself.
        { lifecycle: { preStop: drainHook(ports.admin) } }),
  };
}

/** The declared entry under the agent's own number; a port of the node goes along, else it would pass the agent by. */
function takenPort(declared: NonNullable<Eligible['serving']['declared']>, listen: number) {
  const { name, hostPort } = declared;
  return { name, containerPort: listen, protocol: 'TCP', ...(typeof hostPort === 'number' ? { hostPort } : {}) };
}

export const drainHook = (adminPort: number) => ({ httpGet: { path: '/drain', port: adminPort, scheme: 'HTTP' } });

/**
 * Requests, and limits that leave the pod in the class it was in: a pod whose every container has limits equal to its
 * requests (Guaranteed) keeps its pinned CPUs, and a quota on CPU limits counts every container. Otherwise CPU has no
 * limit, because throttling the agent would slow the requests that pass it.
 */
function resourcesFor({ spec }: Pod, { cpu, memory }: PodSettings): NonNullable<Container['resources']> {
  const all = [...spec.containers, ...(spec.initContainers ?? [])];
  const limitsCpu = all.every(({ resources }) => resources?.limits?.['cpu'] !== undefined);
  const guaranteed = all.every(isGuaranteed);
  const cpuLimit = guaranteed ? cpu : (quantityOf(cpu) ?? 0) > 1 ? cpu : '1';
  return withinPod(spec, {
    requests: { cpu, memory: guaranteed ? doubled(memory) : memory },
    limits: { ...(limitsCpu ? { cpu: cpuLimit } : {}), memory: doubled(memory) },
  });
}

/**
 * Without what the pod as a whole is given: the agent takes its part of that. The API server refuses a pod whose
 * containers ask for more than their pod.
 */
function withinPod({ resources: pod }: Pod['spec'], resources: NonNullable<Container['resources']>) {
  const shared = { ...pod?.limits, ...pod?.requests };
  const own = (amounts: object | null | undefined) =>
    Object.fromEntries(Object.entries(amounts ?? {}).filter(([name]) => !Object.hasOwn(shared, name)));
  return { requests: own(resources.requests), limits: own(resources.limits) };
}

function isGuaranteed({ resources }: Container): boolean {
  return ['cpu', 'memory'].every((name) => {
    const limit = resources?.limits?.[name];
    return limit !== undefined && (resources?.requests?.[name] ?? limit) === limit;
  });
}

/** Twice a quantity, in its own unit. Long prompts are held while they wait; the request is the ordinary use. */
const doubled = (quantity: string): string => quantity.replace(/^[\d.]+/, (digits) => String(Number(digits) * 2));

/** A name that no volume of the pod has, for a second one of that name would be refused, and another's is not ours to replace. */
function volumeName({ spec }: Pod): string {
  const taken = new Set((spec.volumes ?? []).map(({ name }) => name));
  let name: string = names.volume;
  for (let number = 2; taken.has(name); number += 1) name = `${names.volume}-${number}`;
  return name;
}

export const credentialsVolume = (pod: Pod) => ({
  name: volumeName(pod),
  projected: {
    sources: [
      { serviceAccountToken: { path: 'token', audience: names.tokenAudience, expirationSeconds: 3_600 } },
      // Published into the namespace by the controller; a pod must start without it, and gets it when it comes.
      { configMap: { name: names.bundleConfigMap, optional: true, items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
    ],
  },
});

/** The init container of reach `redirect`. */
export function redirectContainer({ spec }: Pod, { serving, ports }: Eligible, image: string): Container {
  return {
    name: names.redirectContainer,
    image,
    imagePullPolicy: 'IfNotPresent',
    command: ['/bin/sh', '-c', redirectScript],
    env: [
      fieldRef('KUBEAI_POD_IP', 'status.podIP'),
      value('KUBEAI_UPSTREAM_PORT', serving.port),
      value('KUBEAI_LISTEN_PORT', ports.listen),
    ],
    // Equal, so that a Guaranteed pod stays one.
    resources: withinPod(spec, {
      requests: { cpu: '50m', memory: '32Mi' },
      limits: { cpu: '50m', memory: '32Mi' },
    }),
    securityContext: {
      runAsNonRoot: false,
      runAsUser: 0,
      runAsGroup: 0,
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'], add: ['NET_ADMIN', 'NET_RAW'] },
      seccompProfile: { type: 'RuntimeDefault' },
    },
  };
}

// Only what comes in from outside the pod meets PREROUTING, so the agent's own connection to the engine, and everything
// else on loopback, is left alone; so is every other port. Only the family of the address that the agent listens on is
// redirected. Rules are replaced, not added, when the container runs again. When they cannot be written the pod starts
// all the same and its requests go to the engine directly: a lost measurement, not an outage.
const redirectScript = `
case "$KUBEAI_POD_IP" in *:*) family=ip6; tables=ip6tables;; *) family=ip; tables=iptables;; esac
from="$KUBEAI_UPSTREAM_PORT"; to="$KUBEAI_LISTEN_PORT"
# The root file system is read-only: no here-documents, and the lock of iptables goes where a container may write.
export XTABLES_LOCKFILE=/dev/shm/xtables.lock
by_nft() {
  nft "add table $family kubeai; delete table $family kubeai; add table $family kubeai;
    add chain $family kubeai inbound { type nat hook prerouting priority -100; policy accept; };
    add rule $family kubeai inbound tcp dport $from redirect to :$to"
}
by_iptables() {
  $tables -w -t nat -C PREROUTING -p tcp --dport "$from" -j REDIRECT --to-ports "$to" 2>/dev/null ||
    $tables -w -t nat -A PREROUTING -p tcp --dport "$from" -j REDIRECT --to-ports "$to"
}
if by_nft || by_iptables; then
  echo "port $from is redirected to $to"
else
  echo "port $from could not be redirected to $to: requests will not be observed" >&2
fi
`.trim();
