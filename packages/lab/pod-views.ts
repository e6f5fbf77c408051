// What a metrics pipeline shows of each pod at a look: the state of now, and means of the last whole second.
import type { PodView } from './contender.ts';
import type { Pod } from './deployment.ts';
import { tickMs } from './world.ts';

export interface PodViews {
  /** To be called where a second begins whose end is a look. */
  begin(pods: readonly Pod[], now: number): void;
  /** A look: what the second was that began last. */
  end(pods: readonly Pod[], now: number): readonly PodView[];
}

export function createPodViews(): PodViews {
  const begun = new Map<Pod, { readonly busyMs: number; readonly inFlightMs: number }>();
  return {
    begin(pods, now) {
      begun.clear();
      for (const pod of pods) {
        pod.engine.settle(now);
        begun.set(pod, { busyMs: pod.engine.busyMs(), inFlightMs: pod.engine.inFlightMs(now) });
      }
    },
    end: (pods, now) =>
      pods.map((pod) => {
        const { engine } = pod;
        engine.settle(now);
        const { busyMs, inFlightMs } = begun.get(pod) ?? { busyMs: 0, inFlightMs: 0 };
        const waiting = engine.waiting();
        return {
          uid: pod.uid,
          ready: pod.isReady,
          deleting: pod.deletedAt !== undefined,
          createdAt: pod.createdAt,
          readyAt: pod.isReady ? pod.readyAt : undefined,
          inFlight: engine.running() + waiting,
          waiting,
          concurrency: (engine.inFlightMs(now) - inFlightMs) / tickMs,
          busy: Math.min(1, (engine.busyMs() - busyMs) / tickMs),
        };
      }),
  };
}
