// Whether a pod gets an agent, and why not. Pure: a pod, its namespace and our settings go in, one word comes out.
import { annotations, names } from './names.ts';
import { annotationOf, type Container, labelOf, type Pod, runningContainers } from './pod.ts';
import type { ServiceView } from './service-view.ts';
import { type ServingPort, servingPortOf } from './serving-port.ts';

/** Why a pod was left as it is. The same word stands in the status annotation, in metrics, in logs and in tests. */
export const skipReasons = {
  NotAPodCreation: 'only the creation of a pod is looked at',
  InvalidPod: 'the pod cannot be read; the API server will say what is wrong with it',
  SystemNamespace: 'pods of Kubernetes and of the autoscaler itself are never touched',
  NamespaceNotLabelled: `the namespace does not carry the label ${names.namespaceLabel}=enabled`,
  OptedOut: `the pod says ${annotations.inject}=false`,
  AlreadyInjected: 'the pod already has an agent',
  MirrorPod: 'a mirror pod shows what the kubelet runs; it cannot be changed',
  Windows: 'the agent runs on Linux only',
  HostNetwork: 'the pod shares the network of its node, so its ports cannot change hands',
  JobLike: `the pod runs to completion and serves nobody; ${annotations.inject}=true overrides this`,
  WouldNotComplete: 'the pod runs to completion, from which an agent would keep it on a Kubernetes before 1.29',
  NoServingPort: `no port that serves requests was found; name one with ${annotations.port}`,
  UnsupportedProtocol: 'the serving port speaks TLS, UDP or SCTP, in which no request can be seen',
  PortConflict: "the pod already uses the agent's ports",
} as const;
export type SkipReason = keyof typeof skipReasons;

export interface Skipped {
  readonly inject: false;
  readonly reason: SkipReason;
}
export interface Eligible {
  readonly inject: true;
  readonly serving: ServingPort;
  /** Where the agent listens and where it answers probes. */
  readonly ports: AgentPorts;
}

export interface AgentPorts {
  readonly listen: number;
  readonly admin: number;
}

export interface NamespaceView {
  readonly name: string;
  /** Undefined when unknown: then the webhook configuration's own selector is trusted to have looked. */
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Its Services, as far as they are known. */
  readonly services?: readonly ServiceView[];
}

export const skipped = (reason: SkipReason): Skipped => ({ inject: false, reason });

const systemNamespaces = ['kube-system', 'kube-public', 'kube-node-lease'];

/**
 * Eligible, or the first reason that speaks against it, the most general first.
 * @param nativeSidecars without them the agent is a container like any other, and a pod completes when all of them have
 */
export function eligibility(
  pod: Pod,
  namespace: NamespaceView,
  ownNamespace: string,
  nativeSidecars: boolean,
): Eligible | Skipped {
  if (systemNamespaces.includes(namespace.name) || namespace.name === ownNamespace) return skipped('SystemNamespace');
  if (namespace.labels !== undefined && namespace.labels[names.namespaceLabel] !== 'enabled')
    return skipped('NamespaceNotLabelled');
  if (annotationOf(pod, 'kubernetes.io/config.mirror') !== undefined) return skipped('MirrorPod');
  const ours: readonly string[] = [names.agentContainer, names.redirectContainer];
  if (allContainers(pod).some(({ name }) => ours.includes(name))) return skipped('AlreadyInjected');
  const wish = wishOf(pod);
  if (wish === 'no') return skipped('OptedOut');
  if (isWindows(pod)) return skipped('Windows');
  if (pod.spec.hostNetwork === true) return skipped('HostNetwork');
  if (isJobLike(pod)) {
    if (wish !== 'yes') return skipped('JobLike');
    if (!nativeSidecars) return skipped('WouldNotComplete');
  }
  const serving = servingPortOf(pod, namespace.services);
  if (typeof serving === 'string') return skipped(serving);
  const ports = agentPortsOf(pod, namespace, serving.port);
  return ports === undefined ? skipped('PortConflict') : { inject: true, serving, ports };
}

/** A label beats an annotation: it is what an objectSelector sees. Anything but true and false says nothing. */
function wishOf(pod: Pod): 'yes' | 'no' | 'silent' {
  for (const text of [labelOf(pod, annotations.inject), annotationOf(pod, annotations.inject)]) {
    if (text === 'true') return 'yes';
    if (text === 'false') return 'no';
  }
  return 'silent';
}

const allContainers = ({ spec }: Pod): readonly Container[] => [...spec.containers, ...(spec.initContainers ?? [])];

function isWindows({ spec }: Pod): boolean {
  if (spec.os?.name === 'windows') return true;
  if (osLabels.some((label) => spec.nodeSelector?.[label] === 'windows')) return true;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const expressions = (required?.nodeSelectorTerms ?? []).flatMap(({ matchExpressions }) => matchExpressions ?? []);
  return expressions.some(
    ({ key, operator, values }) =>
      osLabels.includes(key) && operator === 'In' && values?.every((os) => os === 'windows'),
  );
}
const osLabels = ['kubernetes.io/os', 'beta.kubernetes.io/os'];

function isJobLike({ spec, metadata }: Pod): boolean {
  if ((spec.restartPolicy ?? 'Always') !== 'Always') return true;
  return (metadata?.ownerReferences ?? []).some(({ kind }) => kind === 'Job');
}

// Istio's proxy holds 15000 to 15090 in every pod of its mesh, and may be put in after us: where anything speaks of a
// mesh, or the ports are declared by the pod, the agent moves out of the way.
const pairs: readonly AgentPorts[] = [
  { listen: 15_001, admin: 15_020 },
  { listen: 25_001, admin: 25_020 },
  { listen: 35_001, admin: 35_020 },
];

function agentPortsOf(pod: Pod, namespace: NamespaceView, servingPort: number): AgentPorts | undefined {
  const declared = runningContainers(pod).flatMap(({ ports }) =>
    (ports ?? []).map(({ containerPort }) => containerPort),
  );
  const taken = new Set([...declared, servingPort]);
  const free = pairs.filter(({ listen, admin }) => !taken.has(listen) && !taken.has(admin));
  return isMeshed(pod, namespace) ? free.find(({ listen }) => listen !== pairs[0]!.listen) : free[0];
}

/** Whether Istio's proxy is in this pod, or is likely to come. */
export function isMeshed(pod: Pod, { labels }: NamespaceView): boolean {
  if (allContainers(pod).some(({ name }) => istioContainers.includes(name))) return true;
  const wish = labelOf(pod, 'sidecar.istio.io/inject') ?? annotationOf(pod, 'sidecar.istio.io/inject');
  if (wish !== undefined) return wish === 'true';
  return (
    labelOf(pod, 'istio.io/rev') !== undefined ||
    labels?.['istio-injection'] === 'enabled' ||
    labels?.['istio.io/rev'] !== undefined
  );
}
const istioContainers = ['istio-proxy', 'istio-init', 'istio-validation'];
