// What the controller remembers of one policy between two looks. All of it can be had again: the history from status,
// the signals from the next seconds of reports.
import {
  createLoadStep,
  type Decision,
  type History,
  type LoadStep,
  type SignalFold,
  type Snapshot,
} from '@kubeai/decision';
import type { Season } from '@kubeai/forecast';
import type { Policy, PolicyStatus } from '@kubeai/policy';
import { type Instant, instant } from '@kubeai/units';
import type { Foresight } from './foresight.ts';
import type { PolicyEntry } from './policy-book.ts';
import { type DecisionSummary, readStatus } from './status.ts';
import { createTrail, type Trail } from './trail.ts';

export interface Memory {
  readonly uid: string;
  /** Signals, folded for one version of the policy; undefined until it was valid for the first time. */
  folding: { readonly policy: Policy; readonly fold: SignalFold } | undefined;
  /** Where the policy asks for a forecast; `season` is what was learned before a restart. */
  foresight: Foresight | undefined;
  readonly season: Season | undefined;
  /** Undefined until the target was seen for the first time. */
  history: History | undefined;
  /** The last decision with what it was made from. */
  last: { readonly decision: Decision; readonly snapshot: Snapshot; readonly summary: DecisionSummary } | undefined;
  /** The status as it should be, and as it was last written. */
  status: PolicyStatus;
  written: PolicyStatus | undefined;
  writtenAt: Instant | undefined;
  /** Status by condition type, as Events last told it. */
  readonly announced: Map<string, string>;
  /** The explaining part of the status, and since when it has been so. */
  told: string;
  toldSince: Instant;
  readonly trail: Trail | undefined;
  journalledAt: Instant;
  readonly load: LoadStep;
}

export function createMemory(entry: PolicyEntry, withTrail: boolean): Memory {
  const { status, history, season } = readStatus(entry.object.status);
  return {
    uid: entry.object.metadata.uid ?? '',
    folding: undefined,
    foresight: undefined,
    season,
    history,
    last: undefined,
    status,
    written: entry.object.status === undefined ? undefined : status,
    writtenAt: entry.object.status === undefined ? undefined : instant(0),
    announced: new Map((status.conditions ?? []).map(({ type, status: state }) => [type, state])),
    told: '',
    toldSince: instant(0),
    trail: withTrail ? createTrail() : undefined,
    journalledAt: instant(0),
    load: createLoadStep(),
  };
}
