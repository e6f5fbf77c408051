// A target as seen now: everything `decide` looks at beside the policy and the past. Plain data, so that a recorded
// decision can carry it.
import type { Ledger } from './ledger.ts';
import type { Signal, Traffic } from './signal.ts';

/** What a plugin answered, as it came; `decide` judges it. */
export type PluginAnswer =
  | { readonly kind: 'answer'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly cause: string };

export interface Forecast {
  /** Replicas that the load at the horizon will need. */
  readonly replicas: number;
  /** Error relative to "as now"; below 1 the forecast is worth following. */
  readonly score: number;
  /** What foresaw it. */
  readonly model?: string;
}

export interface Snapshot {
  /** What the target asks for (`spec.replicas`). */
  readonly replicas: number;
  readonly ledger: Ledger;
  readonly signals: readonly Signal[];
  readonly traffic: Traffic;
  readonly forecast?: Forecast;
  readonly plugin?: PluginAnswer;
  /** The most replicas the GPU budget allows this target; absent without a budget. */
  readonly gpuReplicas?: number;
  /** Requests that an activator holds for a target at zero. */
  readonly waitingAtDoor?: number;
}
