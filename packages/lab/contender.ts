// What an autoscaler sees of a simulated target, and what it answers. Each contender looks at its own pace and through
// its own pipeline; none is told more than the real one could know (but the clairvoyant, who says so in its name).
import type { PodFacts, ReceivedReport } from '@kubeai/decision';

/** One pod as seen at a look. Means are over the last whole second. */
export interface PodView {
  readonly uid: string;
  readonly ready: boolean;
  readonly deleting: boolean;
  readonly createdAt: number;
  readonly readyAt: number | undefined;
  readonly inFlight: number;
  readonly waiting: number;
  readonly concurrency: number;
  /** Share of the second that was spent in steps: what nvidia-smi calls utilisation, and a polling engine CPU. */
  readonly busy: number;
}

export interface View {
  /** Milliseconds since the simulation began. */
  readonly now: number;
  /** What the target asks for. */
  readonly replicas: number;
  readonly pods: readonly PodView[];
  /** No metric arrives: the pipeline is down. */
  readonly blind: boolean;
  /** For contenders that ask for them: the agents' reports that came since the last look, and pods as Kubernetes tells them. */
  readonly reports: readonly ReceivedReport[];
  readonly facts: () => readonly PodFacts[];
}

export interface Answer {
  readonly replicas: number;
  readonly why: string;
}

export interface Autoscaler {
  /** Looks once; undefined leaves the size. */
  look(view: View): Answer | undefined;
}

export interface Contender {
  /** Such as `hpa-concurrency`. */
  readonly name: string;
  /** What is tuned, and the value it has here. */
  readonly knob: string;
  readonly value: number;
  /** Milliseconds between looks. */
  readonly everyMs: number;
  /** What a look takes in: agents' reports, pods as a metrics pipeline shows them, or nothing but what time it is. */
  readonly sees: 'reports' | 'pods' | 'time';
  create(bounds: { readonly min: number; readonly max: number; readonly initial: number }): Autoscaler;
}
