// Binds pods to nodes. One key for the whole cluster, because every decision depends on all the others: a pass walks the
// waiting pods, oldest first. There are no priorities and no preemption.
import { copyOf } from '../cluster-client.ts';
import { createController, onEvery, type Running, runningUntilStopped, type World } from './controller.ts';
import { createEventRecorder, type EventRecorder } from './event-recorder.ts';
import { type Condition, conditionOf, keyOf, type Node, type Pod } from './objects.ts';
import { type Amounts, add, type NodeLoad, place, requestsOf } from './placement.ts';
import { timeOf } from './time.ts';

const schedulerName = 'default-scheduler';
const isFinished = ({ status }: Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
const isWaiting = (pod: Pod): boolean =>
  (pod.spec.nodeName ?? '') === '' &&
  pod.metadata.deletionTimestamp === undefined &&
  !isFinished(pod) &&
  (pod.spec.schedulerName ?? schedulerName) === schedulerName;

export function runScheduler(world: World): Running {
  const events = createEventRecorder(world, schedulerName);
  const controller = createController('scheduler', world, () => schedule(world, events));
  const bound = new Set<string>();
  // Status changes of running pods are most of all events and change no decision.
  const ofPod = (pod: Pod, type: string) => {
    const uid = pod.metadata.uid ?? '';
    const holds = (pod.spec.nodeName ?? '') !== '' && !isFinished(pod) && type !== 'DELETED';
    if (holds && bound.has(uid)) return;
    if (holds) bound.add(uid);
    else bound.delete(uid);
    controller.enqueue('pods');
  };
  return runningUntilStopped(
    [onEvery<Pod>(world.client, 'pods', ofPod), onEvery<Node>(world.client, 'nodes', () => controller.enqueue('pods'))],
    [controller],
  );
}

async function schedule(world: World, events: EventRecorder): Promise<void> {
  const { items: nodes } = await world.client.list<Node>('nodes');
  const { items: pods } = await world.client.list<Pod>('pods');
  const loads = new Map(
    nodes.map((node): [string, NodeLoad] => [node.metadata.name, { node, requested: {}, pods: 0 }]),
  );
  const take = (name: string, requests: Amounts) => {
    const load = loads.get(name);
    if (load === undefined) return;
    loads.set(name, { ...load, requested: add(load.requested, requests), pods: load.pods + 1 });
  };
  for (const pod of pods) if (pod.spec.nodeName && !isFinished(pod)) take(pod.spec.nodeName, requestsOf(pod));
  const waiting = pods
    .filter(isWaiting)
    .sort((a, b) => (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? ''));
  for (const pod of waiting) {
    const placement = place(pod, [...loads.values()]);
    if (placement.kind === 'unschedulable') {
      await refuse(pod, placement.message, world, events);
      continue;
    }
    await bind(pod, placement.node, world, events);
    take(placement.node, requestsOf(pod));
  }
}

async function bind(pod: Pod, node: string, { client }: World, events: EventRecorder): Promise<void> {
  const { name, namespace, resourceVersion } = pod.metadata;
  const binding = { metadata: { resourceVersion }, spec: { nodeName: node } };
  await client.patch('pods', { name, namespace }, binding, { type: 'merge' });
  events.record(pod, 'Normal', 'Scheduled', `Successfully assigned ${keyOf(pod)} to ${node}`);
}

async function refuse(pod: Pod, message: string, { client, clock }: World, events: EventRecorder): Promise<void> {
  const present = conditionOf(pod.status?.conditions, 'PodScheduled');
  if (present?.status === 'False' && present.message === message) return;
  events.record(pod, 'Warning', 'FailedScheduling', message);
  const condition: Condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastTransitionTime: present?.status === 'False' ? (present.lastTransitionTime ?? '') : timeOf(clock.now()),
  };
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const status = { ...copyOf(pod.status), phase: 'Pending', conditions: [...others, condition] };
  await client.updateStatus('pods', { ...pod, status } as Pod);
}
