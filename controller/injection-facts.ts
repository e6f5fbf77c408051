// What one pod says about its agent, read from the pod alone. Pure. The webhook writes its status annotation on every pod
// of a labelled namespace that it has looked at, injected or not: a pod without it was made while the webhook was away, or
// before its namespace was labelled. So nothing here decides anew who gets an agent; only those pods are left out for which
// a restart is known to cost work or to change nothing.
import type { KubeObject } from '@kubeai/kube';

/** Words that the webhook writes and users know: a promise, as in its own `names.ts`. */
const agentContainer = 'kubeai-agent';
const statusAnnotation = 'kubeai.io/injection-status';
const wishName = 'kubeai.io/inject';

export interface InjectedPod extends KubeObject {
  readonly spec?: {
    readonly containers?: readonly { readonly name: string }[] | null;
    readonly initContainers?: readonly { readonly name: string }[] | null;
    readonly hostNetwork?: boolean | null;
    readonly restartPolicy?: string | null;
    readonly nodeSelector?: Readonly<Record<string, string>> | null;
    readonly os?: { readonly name?: string } | null;
  };
}

/** `seen` by the webhook, `missed` by it, or `exempt`: no agent would come, whatever the webhook does. */
export type Injection = 'seen' | 'missed' | 'exempt';

/** Who makes a pod anew when it goes. */
export interface Workload {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
}

export function injectionOf({ metadata, spec = {} }: InjectedPod): Injection {
  const annotations = metadata.annotations ?? {};
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  if (annotations[statusAnnotation] !== undefined) return 'seen';
  if (containers.some(({ name }) => name === agentContainer)) return 'seen';
  // A label beats an annotation; anything but true and false says nothing.
  const wish = [metadata.labels?.[wishName], annotations[wishName]].find((text) => text === 'true' || text === 'false');
  const windows = spec.os?.name === 'windows' || spec.nodeSelector?.['kubernetes.io/os'] === 'windows';
  const ends =
    (spec.restartPolicy ?? 'Always') !== 'Always' || metadata.ownerReferences?.some(({ kind }) => kind === 'Job');
  const mirror = annotations['kubernetes.io/config.mirror'] !== undefined;
  const ours = metadata.labels?.['app.kubernetes.io/part-of'] === 'kubeai-autoscaler'; // the webhook is not even asked
  if (wish === 'false' || ours || windows || mirror || spec.hostNetwork === true || (ends && wish !== 'true'))
    return 'exempt';
  return 'missed';
}

/** The workload that people know: a ReplicaSet made by a Deployment stands for the Deployment. */
export function workloadOf({ metadata }: KubeObject): Workload | undefined {
  const { labels = {}, ownerReferences = [] } = metadata;
  const owner = ownerReferences.find(({ controller }) => controller === true);
  if (owner === undefined) return undefined;
  const { apiVersion, kind, name } = owner;
  // Its pods are StatefulSets' pods, but a group of them stands and falls together.
  const group = labels['leaderworkerset.sigs.k8s.io/name'];
  if (group !== undefined) return { apiVersion: 'leaderworkerset.x-k8s.io/v1', kind: 'LeaderWorkerSet', name: group };
  const ending = `-${labels['pod-template-hash']}`;
  if (kind !== 'ReplicaSet' || !name.endsWith(ending)) return { apiVersion, kind, name };
  return { apiVersion, kind: 'Deployment', name: name.slice(0, -ending.length) };
}
