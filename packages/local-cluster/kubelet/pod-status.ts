// What a pod's status says, computed from the states of its containers: phase and conditions, by a real kubelet's rules.
import {
  type Condition,
  type ContainerStatus,
  conditionOf,
  type Pod,
  type PodStatus,
  restartsAlways,
} from '../workloads/objects.ts';
import { timeOf } from '../workloads/time.ts';

export interface Observed {
  readonly startTime: number;
  readonly podIP: string | undefined;
  readonly hostIP: string;
  /** Address and volumes are there. */
  readonly isSetUp: boolean;
  readonly init: readonly ContainerStatus[];
  readonly main: readonly ContainerStatus[];
  /** All containers have been stopped for good, because the pod is being deleted. */
  readonly isOver: boolean;
}

type Told = Omit<Condition, 'lastTransitionTime'>;

export function podStatus(pod: Pod, seen: Observed, now: number): PodStatus {
  const phase = phaseOf(pod, seen);
  const told = conditionsOf(pod, seen, phase);
  const present = pod.status?.conditions ?? [];
  const own = told.map((condition) => withTime(condition, conditionOf(present, condition.type), now));
  const others = present.filter(({ type }) => !told.some((condition) => condition.type === type));
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: [...others, ...own],
    hostIP: seen.hostIP,
    hostIPs: [{ ip: seen.hostIP }],
    ...(seen.podIP === undefined ? {} : { podIP: seen.podIP, podIPs: [{ ip: seen.podIP }] }),
    startTime: timeOf(seen.startTime),
    ...(seen.init.length === 0 ? {} : { initContainerStatuses: [...seen.init] }),
    containerStatuses: [...seen.main],
    ...(pod.status?.qosClass === undefined ? {} : { qosClass: pod.status.qosClass }),
  };
}

function withTime(told: Told, present: Condition | undefined, now: number): Condition {
  const same = present?.status === told.status ? present.lastTransitionTime : undefined;
  return { ...told, lastTransitionTime: same ?? timeOf(now) };
}

const exitOf = ({ state }: ContainerStatus): number | undefined => state?.terminated?.exitCode;

/** The init containers that have not done their part yet: run to success, or started for a native sidecar. */
export function incompleteInit(pod: Pod, init: readonly ContainerStatus[]): string[] {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(restartsAlways).map(({ name }) => name));
  return init
    .filter((status) => (sidecars.has(status.name) ? status.started !== true : exitOf(status) !== 0))
    .map(({ name }) => name);
}

export function phaseOf(pod: Pod, { init, main, isOver }: Observed): string {
  const policy = pod.spec.restartPolicy ?? 'Always';
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(restartsAlways).map(({ name }) => name));
  const initFailed = init.some((status) => !sidecars.has(status.name) && (exitOf(status) ?? 0) !== 0);
  const codes = main.map((status) => exitOf(status));
  if (isOver) return codes.every((code) => code === 0) ? 'Succeeded' : 'Failed';
  if (initFailed && policy === 'Never') return 'Failed';
  const everRan = main.some(({ state, lastState }) => state?.running ?? state?.terminated ?? lastState?.terminated);
  const initPending = incompleteInit(pod, init).length > 0 && !everRan;
  const neverRan = main.some(
    ({ state, lastState }) => state?.waiting !== undefined && lastState?.terminated === undefined,
  );
  if (initPending || neverRan) return 'Pending';
  if (policy === 'Always' || codes.some((code) => code === undefined)) return 'Running';
  // A pod is not over before its native sidecars are.
  if (init.some(({ name, state }) => sidecars.has(name) && state?.running !== undefined)) return 'Running';
  if (codes.every((code) => code === 0)) return 'Succeeded';
  return policy === 'Never' ? 'Failed' : 'Running';
}

function conditionsOf(pod: Pod, seen: Observed, phase: string): Told[] {
  const sidecars = new Set((pod.spec.initContainers ?? []).filter(restartsAlways).map(({ name }) => name));
  const incomplete = phase === 'Succeeded' ? [] : incompleteInit(pod, seen.init);
  const counted = [...seen.init.filter(({ name }) => sidecars.has(name)), ...seen.main];
  const unready = counted.filter(({ ready }) => !ready).map(({ name }) => name);
  const done = phase === 'Succeeded' ? 'PodCompleted' : undefined;
  const containers: Told =
    unready.length === 0 && !done
      ? { type: 'ContainersReady', status: 'True' }
      : {
          type: 'ContainersReady',
          status: 'False',
          reason: done ?? (phase === 'Failed' ? 'PodFailed' : 'ContainersNotReady'),
          ...(phase === 'Succeeded' || phase === 'Failed'
            ? {}
            : { message: `containers with unready status: [${unready.join(' ')}]` }),
        };
  const gates = (pod.spec.readinessGates ?? [])
    .map(({ conditionType }) => conditionType)
    .filter((type) => conditionOf(pod.status?.conditions, type)?.status !== 'True');
  const ready: Told =
    containers.status === 'True' && gates.length > 0
      ? {
          type: 'Ready',
          status: 'False',
          reason: 'ReadinessGatesNotReady',
          message: `corresponding condition of pod readiness gate "${gates[0]}" does not exist or is not "True".`,
        }
      : { ...containers, type: 'Ready' };
  return [
    { type: 'PodReadyToStartContainers', status: seen.isSetUp && !seen.isOver ? 'True' : 'False' },
    incomplete.length === 0
      ? { type: 'Initialized', status: 'True', ...(done === undefined ? {} : { reason: done }) }
      : {
          type: 'Initialized',
          status: 'False',
          reason: 'ContainersNotInitialized',
          message: `containers with incomplete status: [${incomplete.join(' ')}]`,
        },
    ready,
    containers,
    { type: 'PodScheduled', status: 'True' },
  ];
}
