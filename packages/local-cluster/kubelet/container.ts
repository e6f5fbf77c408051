// One container of a pod through all its runs: prepare, start, probe, stop, wait, start again. It does what it is told
// (`start`, `stop`) and says how it is (`status`); when to start which container is the pod's business.
import { randomBytes } from 'node:crypto';
import type { Clock, Log } from '@kubeai/daemon';
import { after, type Instant, type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import type { Container, ContainerState, ContainerStatus, Probe } from '../workloads/objects.ts';
import { timeOf } from '../workloads/time.ts';
import { type Child, type ChildHost, type Ended, type Launch, StartError, startChild } from './child.ts';
import { type ContainerLog, createContainerLog } from './container-log.ts';
import { type ContainerProbes, startProbes } from './container-probes.ts';
import { endProcess } from './ending.ts';
import { MissingConfiguration } from './environment.ts';
import { type Found, type HandlerHost, handle } from './handler.ts';
import { setUpRetry } from './limits.ts';
import type { ProbeKind } from './probe-state.ts';
import { backOffAt, nextStart, noBackOff, restarted } from './restart-back-off.ts';
import { runCommand } from './run-command.ts';

/** An image that no table maps; the message is for the pod's status. */
export class UnknownImage extends Error {
  override readonly name = 'UnknownImage';
}

export interface ContainerHost extends ChildHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly address: () => string;
  readonly userAgent: string;
  readonly firstRestartWait: Milliseconds;
  /** `name_namespace(uid)`, as it stands in back-off messages. */
  readonly podTitle: string;
  readonly logDirectory: string;
  /** The pod's terminationGracePeriodSeconds: what a container that fails its probes gets, too. */
  readonly grace: Milliseconds;
  /** What to run. Throws UnknownImage, MissingConfiguration or StartError. */
  prepare(container: Container): Promise<Launch>;
  event(type: 'Normal' | 'Warning', reason: string, message: string): void;
  /** The status has changed. */
  changed(): void;
}

export interface StopOptions {
  /** From now on, preStop included. 0: at once. */
  readonly grace: Milliseconds;
  /** Why, for the event. */
  readonly message: string;
  /** SIGTERM waits for this after preStop: sidecars end after the containers they serve. */
  readonly turn?: Promise<unknown>;
}

export interface PodContainer {
  readonly spec: Container;
  /** Starts it unless it runs, or its back-off has not passed; then says when to ask again. */
  start(): Instant | undefined;
  /** Resolves when it is dead. A second call only shortens the grace. */
  stop(options: StopOptions): Promise<void>;
  isStarted(): boolean;
  /** The exit code of the last run when nothing runs and something has; undefined otherwise. */
  exitCode(): number | undefined;
  isRunning(): boolean;
  status(): ContainerStatus;
  log(previous: boolean): ContainerLog | undefined;
  execute(command: readonly string[], timeout: Milliseconds): Promise<Found>;
}

interface Run {
  readonly child: Child;
  readonly launch: Launch;
  readonly id: string;
  readonly startedAt: Instant;
  /** Resolves when its end has been recorded. */
  over: Promise<void>;
  probes: ContainerProbes | undefined;
}

type Phase =
  | { readonly kind: 'waiting'; readonly reason: string; readonly message?: string; readonly retryAt?: Instant }
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly run: Run }
  | { readonly kind: 'ended'; readonly finishedAt: Instant };

type Terminated = NonNullable<ContainerState['terminated']>;

export function createContainer(spec: Container, waitingReason: string, host: ContainerHost): PodContainer {
  const { clock } = host;
  let phase: Phase = { kind: 'waiting', reason: waitingReason };
  let terminated: Terminated | undefined;
  let before: Terminated | undefined;
  let restarts = 0;
  let endings = 0;
  let runs = 0;
  let backOff = noBackOff;
  let isReady = false;
  let isStarted = false;
  /** Of the last two runs. */
  const logs: ContainerLog[] = [];
  let stopping: { promise: Promise<void>; shorten: (grace: Milliseconds) => void } | undefined;
  let isStopped = false;
  let starting = Promise.resolve();
  let failedPulls = 0;

  function enter(next: Phase): void {
    phase = next;
    host.changed();
  }

  async function begin(): Promise<void> {
    try {
      const launch = await host.prepare(spec);
      if (isStopped) return enter({ kind: 'waiting', reason: waitingReason });
      host.event('Normal', 'Pulled', `Container image "${spec.image}" already present on machine`);
      const output = createContainerLog(`${host.logDirectory}/${runs}.log`, clock, host.log);
      await Promise.all(logs.splice(0, logs.length - 1).map((old) => old.remove()));
      logs.push(output);
      const child = await startChild(launch, host, (stream, readable) => output.attach(stream, readable));
      run(child, launch, output);
    } catch (cause) {
      refused(cause);
    }
  }

  function run(child: Child, launch: Launch, output: ContainerLog): void {
    runs += 1;
    const id = `local://${randomBytes(16).toString('hex')}`;
    const current: Run = {
      child,
      launch,
      id,
      startedAt: clock.now(),
      probes: undefined,
      over: child.ended.then(async (how) => {
        current.probes?.stop();
        await output.end();
        ended(how, current.startedAt, how.exitCode === 0 ? 'Completed' : 'Error', '', id);
      }),
    };
    host.event('Normal', 'Created', `Container created: ${spec.name}`);
    host.event('Normal', 'Started', `Container started: ${spec.name}`);
    isReady = false;
    isStarted = false;
    enter({ kind: 'running', run: current });
    current.over.catch(crash);
    begun(current).catch(crash);
  }

  /** postStart, then the probes: a real kubelet does not probe a container whose hook has not returned. */
  async function begun(current: Run): Promise<void> {
    const hook = spec.lifecycle?.postStart;
    if (hook) {
      const found = await handle(hook, handlerHost(), milliseconds(2 ** 31 - 1));
      if (!isCurrent(current)) return;
      if (!found.ok) {
        host.event('Warning', 'FailedPostStartHook', `PostStartHook failed: ${found.message}`);
        await killFor(current, 'FailedPostStartHook', undefined);
        return;
      }
    }
    current.probes = startProbes(spec, handlerHost(), {
      onStarted() {
        isStarted = true;
        host.changed();
      },
      onReady(ready) {
        isReady = ready;
        host.changed();
      },
      onUnhealthy: (kind, message) => host.event('Warning', 'Unhealthy', `${titles[kind]} probe failed: ${message}`),
      onDead: (kind, probe) => {
        const message = `Container ${spec.name} failed ${kind} probe, will be restarted`;
        killFor(current, message, probe).catch(crash);
      },
    });
  }

  async function killFor(current: Run, message: string, probe: Probe | undefined): Promise<void> {
    if (!isCurrent(current)) return;
    const own = probe?.terminationGracePeriodSeconds;
    const grace = own === undefined ? host.grace : seconds(own);
    await terminate(current, { grace, message });
  }

  const isCurrent = (current: Run) => phase.kind === 'running' && phase.run === current;

  function ended(how: Ended, startedAt: Instant, reason: string, message: string, id?: string): void {
    const finishedAt = clock.now();
    terminated = {
      exitCode: how.exitCode,
      ...(how.signal === undefined ? {} : { signal: how.signal }),
      reason,
      ...(message === '' ? {} : { message }),
      startedAt: timeOf(startedAt),
      finishedAt: timeOf(finishedAt),
      ...(id === undefined ? {} : { containerID: id }),
    };
    endings += 1;
    isReady = false;
    isStarted = false;
    backOff = backOffAt(backOff, finishedAt);
    enter({ kind: 'ended', finishedAt });
  }

  function refused(cause: unknown): void {
    const retryAt = after(clock.now(), milliseconds(Math.max(setUpRetry, backOff.wait)));
    const message = cause instanceof Error ? cause.message : String(cause);
    if (cause instanceof UnknownImage) {
      const first = failedPulls === 0;
      failedPulls += 1;
      backOff = restarted(backOff, clock.now(), host.firstRestartWait);
      if (first) {
        host.event('Warning', 'Failed', `Failed to pull image "${spec.image}": ${message}`);
        host.event('Warning', 'Failed', 'Error: ErrImagePull');
        enter({ kind: 'waiting', reason: 'ErrImagePull', message, retryAt });
      } else {
        host.event('Normal', 'BackOff', `Back-off pulling image "${spec.image}"`);
        host.event('Warning', 'Failed', 'Error: ImagePullBackOff');
        const text = `Back-off pulling image "${spec.image}": ErrImagePull: ${message}`;
        enter({ kind: 'waiting', reason: 'ImagePullBackOff', message: text, retryAt });
      }
    } else if (cause instanceof MissingConfiguration) {
      host.event('Warning', 'Failed', `Error: ${message}`);
      enter({ kind: 'waiting', reason: 'CreateContainerConfigError', message, retryAt });
    } else if (cause instanceof StartError) {
      host.event('Warning', 'Failed', `Error: ${message}`);
      ended({ exitCode: 128, signal: undefined }, clock.now(), 'StartError', message);
    } else {
      host.event('Warning', 'Failed', `Error: ${message}`);
      host.log.error('Container not created', { container: spec.name, pod: host.podTitle, cause });
      enter({ kind: 'waiting', reason: 'CreateContainerError', message, retryAt });
    }
  }

  function crash(cause: unknown): void {
    host.log.error('Container handled wrongly', { container: spec.name, pod: host.podTitle, cause });
  }

  /** Resolves when the run is over and recorded. Of two wishes to end one run the stricter holds. */
  async function terminate(current: Run, { grace, turn, message }: StopOptions): Promise<void> {
    host.event('Normal', 'Killing', message);
    const hook = spec.lifecycle?.preStop;
    const ending = endProcess(
      current.child,
      {
        grace,
        turn,
        preStop: hook && ((timeout) => handle(hook, handlerHost(), timeout)),
        onHookFailed: (why) => host.event('Warning', 'FailedPreStopHook', `PreStopHook failed: ${why}`),
      },
      clock,
    );
    if (stopping) stopping.shorten = ending.shorten;
    await ending.done;
    await current.over;
  }

  const handlerHost = (): HandlerHost => ({
    address: host.address(),
    container: spec,
    userAgent: host.userAgent,
    clock,
    execute: container.execute,
  });

  function state(): ContainerState {
    if (phase.kind === 'running') return { running: { startedAt: timeOf(phase.run.startedAt) } };
    if (phase.kind === 'waiting') {
      const { reason, message } = phase;
      return { waiting: { reason, ...(message === undefined ? {} : { message }) } };
    }
    if (phase.kind === 'ended' && terminated !== undefined) return { terminated };
    return terminated === undefined ? { waiting: { reason: 'ContainerCreating' } } : { terminated };
  }

  const container: PodContainer = {
    spec,
    start() {
      if (phase.kind === 'running' || phase.kind === 'starting' || isStopped) return undefined;
      const now = clock.now();
      if (phase.kind === 'ended') {
        const due = nextStart(backOff, phase.finishedAt);
        if (due > now) {
          const wait = Math.round(backOff.wait / 1000);
          const message = `back-off ${wait}s restarting failed container=${spec.name} pod=${host.podTitle}`;
          host.event('Warning', 'BackOff', `Back-off restarting failed container ${spec.name} in pod ${host.podTitle}`);
          before = terminated;
          enter({ kind: 'waiting', reason: 'CrashLoopBackOff', message, retryAt: due });
          return due;
        }
      }
      if (phase.kind === 'waiting' && phase.retryAt !== undefined && phase.retryAt > now) return phase.retryAt;
      // Another try after a missing Secret is not another restart.
      if (restarts !== endings) {
        before = terminated;
        restarts = endings;
        backOff = restarted(backOff, now, host.firstRestartWait);
      }
      enter({ kind: 'starting' });
      starting = begin().catch(crash);
      return undefined;
    },
    stop(options) {
      if (stopping) {
        stopping.shorten(options.grace);
        return stopping.promise;
      }
      isStopped = true;
      const entry = { promise: Promise.resolve(), shorten: (_grace: Milliseconds): void => undefined };
      stopping = entry;
      entry.promise = starting.then(async () => {
        if (phase.kind === 'running') await terminate(phase.run, options);
      });
      return entry.promise;
    },
    isStarted: () => isStarted,
    exitCode: () => (phase.kind === 'running' || phase.kind === 'starting' ? undefined : terminated?.exitCode),
    isRunning: () => phase.kind === 'running' || phase.kind === 'starting',
    status: () => ({
      name: spec.name,
      image: spec.image ?? '',
      imageID: '',
      ...(phase.kind === 'running' ? { containerID: phase.run.id } : {}),
      ready: isReady,
      started: isStarted,
      restartCount: restarts,
      state: state(),
      lastState: before === undefined ? {} : { terminated: before },
    }),
    log: (previous) => (previous ? (logs.length > 1 ? logs[0] : undefined) : logs.at(-1)),
    async execute(command, timeout) {
      if (phase.kind !== 'running') return { ok: false, message: `container ${spec.name} is not running` };
      return runCommand({ ...phase.run.launch, command }, timeout, host);
    },
  };
  return container;
}

const titles: Record<ProbeKind, string> = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' };
