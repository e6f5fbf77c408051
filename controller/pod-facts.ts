// A pod as the API server describes it, reduced to what decisions need. Thousands are kept in memory, so everything
// else is dropped as it arrives.
import type { PodFacts } from '@kubeai/decision';
import type { KubeObject } from '@kubeai/kube';
import { type Instant, instant } from '@kubeai/units';
import { type InjectedPod, type Injection, injectionOf, type Workload, workloadOf } from './injection-facts.ts';

export interface KubePod extends InjectedPod {
  readonly status?: {
    readonly phase?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly reason?: string;
      readonly lastTransitionTime?: string;
    }[];
    readonly containerStatuses?: readonly ContainerStatus[];
  };
}

interface ContainerStatus {
  readonly name: string;
  readonly ready?: boolean;
  readonly started?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { readonly reason?: string };
    readonly running?: object;
    readonly terminated?: { readonly reason?: string };
  };
}

/** What is kept of a pod. */
export interface KnownPod extends KubeObject {
  readonly facts: PodFacts;
  readonly injection: Injection;
  readonly workload: Workload | undefined;
}

const phases = ['Pending', 'Running', 'Succeeded', 'Failed'] as const;
const decisive = ['Ready', 'PodScheduled', 'Initialized', 'ContainersReady'];

/** Reduces a pod; made for a reflector's `keep`. */
export function knownPod(pod: KubePod): KnownPod {
  const { name, namespace, uid = '', resourceVersion, labels } = pod.metadata;
  return {
    metadata: {
      name,
      uid,
      ...(namespace === undefined ? {} : { namespace }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(labels === undefined ? {} : { labels }),
    },
    facts: factsOf(pod),
    injection: injectionOf(pod),
    workload: workloadOf(pod),
  };
}

function factsOf({ metadata, status = {} }: KubePod): PodFacts {
  const deletedAt = momentOf(metadata.deletionTimestamp);
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    phase: phases.find((phase) => phase === status.phase) ?? 'Unknown',
    createdAt: momentOf(metadata.creationTimestamp) ?? instant(0),
    ...(deletedAt === undefined ? {} : { deletedAt }),
    conditions: (status.conditions ?? [])
      .filter(({ type }) => decisive.includes(type))
      .map(({ type, status: state, reason, lastTransitionTime }) => {
        const since = momentOf(lastTransitionTime);
        return {
          type,
          status: state === 'True' || state === 'False' ? state : 'Unknown',
          ...(reason === undefined ? {} : { reason }),
          ...(since === undefined ? {} : { since }),
        };
      }),
    containers: (status.containerStatuses ?? []).map((container) => {
      const { waiting, running, terminated } = container.state ?? {};
      const reason = waiting?.reason ?? terminated?.reason;
      return {
        name: container.name,
        ready: container.ready === true,
        ...(container.started === undefined ? {} : { started: container.started }),
        restarts: container.restartCount ?? 0,
        state: running === undefined ? (terminated === undefined ? 'waiting' : 'terminated') : 'running',
        ...(reason === undefined ? {} : { reason }),
      };
    }),
  };
}

function momentOf(text: string | undefined): Instant | undefined {
  const value = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(value) ? undefined : instant(value);
}
