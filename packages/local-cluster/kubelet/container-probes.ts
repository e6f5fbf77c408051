// The three probes of one running container: a startup probe holds back the other two, readiness goes both ways, and a
// liveness or startup probe that fails asks for the container to be killed.
import { seconds } from '@kubeai/units';
import type { Container, Probe } from '../workloads/objects.ts';
import { type HandlerHost, handle } from './handler.ts';
import { freshProbe, observe, type ProbeKind } from './probe-state.ts';

export interface ProbeListener {
  onStarted(): void;
  onReady(ready: boolean): void;
  /** One failed attempt, for an event. */
  onUnhealthy(kind: ProbeKind, message: string): void;
  /** The container must be killed; probing has stopped. */
  onDead(kind: ProbeKind, probe: Probe): void;
}

export interface ContainerProbes {
  stop(): void;
}

export function startProbes(container: Container, host: HandlerHost, listener: ProbeListener): ContainerProbes {
  const { startupProbe, livenessProbe, readinessProbe } = container;
  const leave = new AbortController();
  const { clock } = host;

  async function run(kind: ProbeKind, probe: Probe, begun: number): Promise<void> {
    let state = freshProbe(kind);
    await clock.sleep(
      seconds(Math.max(0, (probe.initialDelaySeconds ?? 0) - (clock.now() - begun) / 1000)),
      leave.signal,
    );
    while (!leave.signal.aborted) {
      const { ok, message } = await handle(probe, host, seconds(probe.timeoutSeconds ?? 1));
      if (leave.signal.aborted) return;
      const before = state.result;
      state = observe(state, probe, ok ? 'success' : 'failure');
      if (!ok) listener.onUnhealthy(kind, message);
      if (kind === 'readiness' && state.result !== before) listener.onReady(state.result === 'success');
      if (kind === 'startup' && state.result === 'success') return;
      if (kind !== 'readiness' && state.result === 'failure') {
        leave.abort();
        listener.onDead(kind, probe);
        return;
      }
      await clock.sleep(seconds(probe.periodSeconds ?? 10), leave.signal);
    }
  }

  async function runAll(): Promise<void> {
    const begun = clock.now();
    if (startupProbe) await run('startup', startupProbe, begun);
    if (leave.signal.aborted) return;
    listener.onStarted();
    if (!readinessProbe) listener.onReady(true);
    await Promise.all([
      readinessProbe ? run('readiness', readinessProbe, begun) : undefined,
      livenessProbe ? run('liveness', livenessProbe, begun) : undefined,
    ]);
  }

  runAll().catch((cause: unknown) => {
    // Handlers answer instead of throwing; what arrives here is a mistake of ours and must be seen.
    queueMicrotask(() => {
      throw cause;
    });
  });
  return { stop: () => leave.abort() };
}
