// The one word `kubectl get pods` shows for a pod: not its phase, but the most telling thing about its containers.
import { type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';

const text = (value: unknown): string => (typeof value === 'string' ? value : '');

function terminatedWord(terminated: unknown): string {
  const reason = text(valueAt(terminated, 'reason'));
  if (reason !== '') return reason;
  const signal = Number(valueAt(terminated, 'signal') ?? 0);
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${Number(valueAt(terminated, 'exitCode') ?? 0)}`;
}

function initWord(pod: KubeObject): string | undefined {
  const containers = listAt(pod, 'spec', 'initContainers');
  const sidecar = (name: unknown) => containers.find((one) => one.name === name)?.restartPolicy === 'Always';
  const statuses = listAt(pod, 'status', 'initContainerStatuses');
  for (const [index, status] of statuses.entries()) {
    const terminated = valueAt(status, 'state', 'terminated');
    if (terminated !== undefined && valueAt(terminated, 'exitCode') === 0) continue;
    if (sidecar(status.name) && status.started === true) continue;
    if (terminated !== undefined) return `Init:${terminatedWord(terminated)}`;
    const waiting = text(valueAt(status, 'state', 'waiting', 'reason'));
    if (waiting !== '' && waiting !== 'PodInitializing') return `Init:${waiting}`;
    return `Init:${index}/${containers.length}`;
  }
  return undefined;
}

function containerWord(statuses: readonly JsonObject[]): string | undefined {
  for (const status of statuses) {
    const waiting = text(valueAt(status, 'state', 'waiting', 'reason'));
    if (waiting !== '') return waiting;
    const terminated = valueAt(status, 'state', 'terminated');
    if (terminated !== undefined) return terminatedWord(terminated);
  }
  return undefined;
}

export function podStatusText(pod: KubeObject): string {
  const phase = text(valueAt(pod, 'status', 'phase')) || 'Unknown';
  const conditions = listAt(pod, 'status', 'conditions');
  const gated = conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated');
  let word = text(valueAt(pod, 'status', 'reason')) || (gated ? 'SchedulingGated' : phase);
  const statuses = listAt(pod, 'status', 'containerStatuses');
  const init = initWord(pod);
  word = init ?? containerWord(statuses) ?? word;
  const running = statuses.some((status) => status.ready === true && valueAt(status, 'state', 'running') !== undefined);
  if (init === undefined && word === 'Completed' && running) {
    word = conditions.some(({ type, status }) => type === 'Ready' && status === 'True') ? 'Running' : 'NotReady';
  }
  if (pod.metadata.deletionTimestamp === undefined) return word;
  if (valueAt(pod, 'status', 'reason') === 'NodeLost') return 'Unknown';
  return phase === 'Succeeded' || phase === 'Failed' ? word : 'Terminating';
}
