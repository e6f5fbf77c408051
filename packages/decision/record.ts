// A decision with everything it was made from, so that it can be explained later and made again. The encoding is JSON
// with short keys and without what `decide` never looks at: twenty of these have to fit into the status of a policy.
import type { Policy } from '@kubeai/policy';
import type { Instant } from '@kubeai/units';
import { decide } from './decide.ts';
import type { Decision } from './decision.ts';
import type { History } from './history.ts';
import type { Snapshot } from './snapshot.ts';

export interface DecisionRecord {
  readonly now: Instant;
  readonly policy: Policy;
  readonly snapshot: Snapshot;
  /** As it was before the decision. */
  readonly history: History;
  readonly decision: Decision;
}

/** Makes the decision of a record again. */
export const replay = (record: DecisionRecord): Decision =>
  decide(record.policy, record.snapshot, record.history, record.now).decision;
