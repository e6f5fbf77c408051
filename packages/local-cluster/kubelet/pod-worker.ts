// One pod on this machine, from the first look at it to its last container's end. Whatever happens (a container ends, a
// probe changes its mind, the object changes, a wait is over) only asks for another step; a step looks at how everything
// is and starts or stops what is due. Nothing is remembered between steps but the containers themselves.
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '@kubeai/daemon';
import { after, elapsed, type Instant, type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import { equal } from '../api-server/kube-object.ts';
import type { World } from '../workloads/controller.ts';
import type { EventRecorder } from '../workloads/event-recorder.ts';
import { type Container, type Pod, type PodStatus, restartsAlways } from '../workloads/objects.ts';
import type { ChildHost, Launch } from './child.ts';
import { type ContainerHost, createContainer, type PodContainer } from './container.ts';
import { setUpRetry } from './limits.ts';
import { podStatus } from './pod-status.ts';
import type { PodVolumes } from './pod-volumes.ts';

export interface PodHost extends World, ChildHost {
  readonly clock: Clock;
  readonly events: EventRecorder;
  readonly directory: string;
  readonly hostIP: string;
  readonly userAgent: string;
  readonly firstRestartWait: Milliseconds;
  takeAddress(): string;
  releaseAddress(address: string): void;
  createVolumes(directory: string): PodVolumes;
  /** What a container runs. Throws UnknownImage, MissingConfiguration or StartError. */
  launchOf(container: Container, pod: Pod, address: string, volumes: PodVolumes): Promise<Launch>;
}

export interface PodWorker {
  /** The object has changed; also when it is being deleted. */
  update(pod: Pod): void;
  /** A ConfigMap or Secret of this name has changed. */
  refreshVolumes(): void;
  /** The object is gone: everything ends at once. Resolves when nothing of the pod is left. */
  kill(): Promise<void>;
  container(name: string): PodContainer | undefined;
}

export function createPodWorker(first: Pod, host: PodHost): PodWorker {
  const { client, clock, log, events } = host;
  const startTime = clock.now();
  const key = { name: first.metadata.name, namespace: first.metadata.namespace };
  const title = `${key.name}_${key.namespace}(${first.metadata.uid})`;
  const volumes = host.createVolumes(join(host.directory, 'volumes'));
  let pod = first;
  let address: string | undefined;
  let isSetUp = false;
  let settingUp: Promise<void> | undefined;
  let isOver = false;
  let isGone = false;
  let isRemoved = false;
  let ending: Promise<void> | undefined;
  let due: { at: Instant; timer: Timer } | undefined;
  let pending: NodeJS.Immediate | undefined;
  let written: PodStatus | undefined;
  let writing: Promise<void> | undefined;
  /** Something has happened since the status was last computed. */
  let isStale = false;

  const slot = (spec: Container, waitingReason: string): PodContainer =>
    createContainer(spec, waitingReason, hostOf(spec));
  const hasInit = (first.spec.initContainers ?? []).length > 0;
  const init = (first.spec.initContainers ?? []).map((spec) => slot(spec, 'PodInitializing'));
  const main = first.spec.containers.map((spec) => slot(spec, hasInit ? 'PodInitializing' : 'ContainerCreating'));
  const all = [...init, ...main];
  const sidecars = init.filter(({ spec }) => restartsAlways(spec));

  function hostOf(spec: Container): ContainerHost {
    const isInit = first.spec.initContainers?.includes(spec) === true;
    const fieldPath = `spec.${isInit ? 'initContainers' : 'containers'}{${spec.name}}`;
    return {
      clock,
      log,
      watchdog: host.watchdog,
      address: () => address ?? '',
      userAgent: host.userAgent,
      firstRestartWait: host.firstRestartWait,
      podTitle: title,
      logDirectory: join(host.directory, 'logs', spec.name),
      grace: seconds(first.spec.terminationGracePeriodSeconds ?? 30),
      prepare: (container) => host.launchOf(container, pod, address ?? '', volumes),
      event: (type, reason, message) => events.record(pod, type, reason, message, fieldPath),
      changed: ask,
    };
  }

  /** Asks for a step; many askings before it are one. */
  function ask(): void {
    if (isGone) return;
    pending ??= setImmediate(() => {
      pending = undefined;
      step();
    });
  }

  function askAt(at: Instant | undefined): void {
    if (at === undefined || (due !== undefined && due.at <= at)) return;
    due?.timer.stop();
    const wake = () => {
      due = undefined;
      ask();
    };
    due = { at, timer: clock.after(milliseconds(Math.max(1, elapsed(clock.now(), at))), wake) };
  }

  function step(): void {
    if (ending === undefined) {
      if (isSetUp) advance();
      else setUp();
    }
    publish();
  }

  function setUp(): void {
    settingUp ??= prepareSandbox()
      .then(() => {
        isSetUp = true;
        ask();
      })
      .catch((cause: unknown) => {
        const message = cause instanceof Error ? cause.message : String(cause);
        events.record(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${message}`);
        askAt(after(clock.now(), setUpRetry));
      })
      .finally(() => {
        settingUp = undefined;
      });
  }

  async function prepareSandbox(): Promise<void> {
    address ??= host.takeAddress();
    await mkdir(host.directory, { recursive: true });
    await volumes.write(pod, address);
  }

  /** Init containers one after the other, native sidecars staying behind; then the others, all at once. */
  function advance(): void {
    const policy = pod.spec.restartPolicy ?? 'Always';
    const begun = main.some((container) => container.isRunning() || container.exitCode() !== undefined);
    for (const container of init) {
      if (restartsAlways(container.spec)) {
        askAt(container.start());
        if (!container.isStarted() && !begun) return;
        continue;
      }
      if (begun || container.exitCode() === 0) continue;
      if (policy === 'Never' && container.exitCode() !== undefined) finish();
      else askAt(container.start());
      return;
    }
    const restarts = (code: number) => policy === 'Always' || (policy === 'OnFailure' && code !== 0);
    let open = 0;
    for (const container of main) {
      const code = container.exitCode();
      if (code !== undefined && !restarts(code)) continue;
      open += 1;
      askAt(container.start());
    }
    if (open === 0) finish();
  }

  /** The pod has run to its end by itself; its sidecars are of no use any more. */
  function finish(): void {
    begin(seconds(pod.spec.terminationGracePeriodSeconds ?? 30));
  }

  function begin(grace: Milliseconds): void {
    end(grace).catch((cause) => log.error('Pod not ended', { pod: title, cause }));
  }

  /** Stops the containers together and the sidecars after them, the last one first. */
  function end(grace: Milliseconds): Promise<void> {
    const message = (container: PodContainer) => `Stopping container ${container.spec.name}`;
    const plain = all.filter((container) => !sidecars.includes(container));
    let turn: Promise<unknown> = Promise.all(
      plain.map((container) => container.stop({ grace, message: message(container) })),
    );
    for (const sidecar of sidecars.toReversed()) {
      const before = turn;
      const stopped = sidecar.stop({ grace, message: message(sidecar), turn: before });
      turn = Promise.all([before, stopped]);
    }
    ending ??= turn.then(ended);
    return ending;
  }

  async function ended(): Promise<void> {
    isOver = true;
    due?.timer.stop();
    volumes.stop();
    if (address !== undefined) host.releaseAddress(address);
    publish();
    while (writing !== undefined) await writing;
    if (pod.metadata.deletionTimestamp !== undefined && !isGone) await removeObject();
  }

  /** The last thing a kubelet does for a pod: the object may go. Done once, however often we are told that it is due. */
  async function removeObject(): Promise<void> {
    if (isRemoved) return;
    isRemoved = true;
    const { uid } = pod.metadata;
    const options = { gracePeriodSeconds: 0, ...(uid === undefined ? {} : { preconditions: { uid } }) };
    await client.delete('pods', key, options).catch((cause: unknown) => {
      isRemoved = false;
      log.debug('Pod object not removed', { pod: title, cause });
    });
  }

  function publish(): void {
    isStale = true;
    if (isGone) return;
    writing ??= write()
      .catch((cause: unknown) => {
        log.debug('Pod status not written', { pod: title, cause });
        written = undefined;
        askAt(after(clock.now(), setUpRetry));
      })
      .finally(() => {
        writing = undefined;
        if (isStale && written !== undefined) publish();
      });
  }

  // Loops instead of queueing: however often the status changed meanwhile, the next write carries the newest.
  async function write(): Promise<void> {
    while (isStale && !isGone) {
      isStale = false;
      const status = statusNow();
      if (isSame(status, written)) continue;
      written = status;
      const { name, namespace = '', uid } = pod.metadata;
      const draft = { ...pod, metadata: { name, namespace, ...(uid === undefined ? {} : { uid }) }, status };
      pod = newer(await client.updateStatus<Pod>('pods', draft));
    }
  }

  // The answer of a write may come after a newer object from the watch; only its status matters here.
  const newer = (answer: Pod): Pod => (pod.status === answer.status ? pod : { ...pod, status: answer.status ?? {} });

  function statusNow(): PodStatus {
    const observed = {
      startTime,
      podIP: address,
      hostIP: host.hostIP,
      isSetUp,
      init: init.map((container) => container.status()),
      main: main.map((container) => container.status()),
      isOver,
    };
    return podStatus(pod, observed, clock.now());
  }

  return {
    update(changed) {
      const before = pod;
      pod = changed;
      if (changed.metadata.deletionTimestamp !== undefined) {
        const grace = seconds(changed.metadata.deletionGracePeriodSeconds ?? 30);
        begin(grace);
        if (isOver) void removeObject();
        return;
      }
      const described = (object: Pod) => [object.metadata.labels, object.metadata.annotations];
      if (isSetUp && !equal(described(before), described(changed))) this.refreshVolumes();
      const gates = (changed.spec.readinessGates ?? []).length > 0;
      if (gates || !isSetUp) ask();
    },
    refreshVolumes() {
      if (!isSetUp || isOver || address === undefined) return;
      volumes.write(pod, address).catch((cause: unknown) => {
        events.record(pod, 'Warning', 'FailedMount', `MountVolume.SetUp failed: ${String(cause)}`);
      });
    },
    async kill() {
      isGone = true;
      if (pending !== undefined) clearImmediate(pending);
      due?.timer.stop();
      await end(milliseconds(0));
      await settingUp;
      await rm(host.directory, { recursive: true, force: true });
    },
    container: (name) => all.find(({ spec }) => spec.name === name),
  };
}

const isSame = (status: PodStatus, written: PodStatus | undefined): boolean =>
  written !== undefined && JSON.stringify(status) === JSON.stringify(written);
