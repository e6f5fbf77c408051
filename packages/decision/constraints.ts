// What stands between a wish and a size, one function a stage. Each takes the size so far and returns the next with its
// reason; the order is that of `decide`. Windows and rates are HPA's own functions.
import { boundsAt, type Policy, type ScalingRules } from '@kubeai/policy';
import { elapsed, type Instant } from '@kubeai/units';
import type { Stage, Step } from './decision.ts';
import type { History } from './history.ts';
import { limits } from './limits.ts';
import { limitRate, type RateRules, type SizeChanges } from './rate-limit.ts';
import type { Reason } from './reasons.ts';
import type { Snapshot } from './snapshot.ts';
import { stabilize, type Wish } from './stabilization.ts';

export interface Bounds {
  readonly min: number;
  readonly max: number;
  /** Names of the schedule's entries in force. */
  readonly schedule?: string;
}

/** The bounds in force now. Of many entries that hold at once, the first few are named. */
export function boundsOf(policy: Policy, now: Instant): Bounds {
  const { minReplicas, maxReplicas, entries } = boundsAt(policy, now);
  const bounds = { min: minReplicas, max: maxReplicas };
  return entries.length === 0 ? bounds : { ...bounds, schedule: entries.slice(0, limits.namedEntries).join(', ') };
}

/** A stage's outcome: the next size, and the step to record unless nothing happened. */
export interface Staged {
  readonly replicas: number;
  readonly step?: Step;
}

export const staged = (stage: Stage, before: number, after: number, because: Reason): Staged =>
  before === after ? { replicas: after } : { replicas: after, step: { stage, before, after, because } };

/** A new or resumed history does not shrink before its window is full, and never on the first few reports. */
export function holdYoungHistory(
  policy: Policy,
  history: History,
  current: number,
  wanted: number,
  now: Instant,
): Staged {
  const needed = Math.max(policy.scaleDown.stabilizationWindow, limits.historyGap);
  const young = elapsed(history.coveredFrom, now) < needed;
  return staged('history', wanted, young ? Math.max(wanted, current) : wanted, 'HistoryTooShort');
}

export function stabilizeWish(policy: Policy, history: History, current: number, wanted: number, now: Instant): Staged {
  const wishes: Wish[] = [];
  for (const { at, replicas } of history.highs) wishes.push({ replicas, ageMs: elapsed(at, now) });
  for (const { at, replicas } of history.lows) wishes.push({ replicas, ageMs: elapsed(at, now) });
  const windows = { upMs: policy.scaleUp.stabilizationWindow, downMs: policy.scaleDown.stabilizationWindow };
  return staged('window', wanted, stabilize(current, wanted, wishes, windows), 'HeldByWindow');
}

const rateRules = ({ selectPolicy, policies }: ScalingRules): RateRules => ({
  selectPolicy,
  policies: policies.map(({ type, value, period }) => ({ type, value, periodMs: period })),
});

const changesOf = (history: History, now: Instant): SizeChanges => {
  const of = (sign: number) =>
    history.events
      .filter(({ change }) => Math.sign(change) === sign)
      .map(({ at, change }) => ({ change: Math.abs(change), ageMs: elapsed(at, now) }));
  return { up: of(1), down: of(-1) };
};

/** Held to the policies of its direction; bounds come later, with their own reason. */
export function limitPace(policy: Policy, history: History, current: number, wanted: number, now: Instant): Staged {
  if (wanted === current) return { replicas: wanted };
  const up = rateRules(policy.scaleUp);
  const down = rateRules(policy.scaleDown);
  const rules = wanted > current ? policy.scaleUp : policy.scaleDown;
  if (rules.selectPolicy === 'Disabled') return staged('rate', wanted, current, 'DirectionDisabled');
  // An empty list asks for no limit; HPA would take it for "no change".
  if (rules.policies.length === 0) return { replicas: wanted };
  const open = { min: 0, max: Number.MAX_SAFE_INTEGER };
  const { replicas } = limitRate(current, wanted, open, { up, down }, changesOf(history, now));
  return staged('rate', wanted, Math.max(0, replicas), 'HeldByRate');
}

/** A cooldown holds back shrinking and never growing. */
export function holdCooldown(policy: Policy, history: History, current: number, wanted: number, now: Instant): Staged {
  const { lastScaleAt } = history;
  const cooling = lastScaleAt !== undefined && elapsed(lastScaleAt, now) < policy.cooldown;
  return staged('cooldown', wanted, cooling ? Math.max(wanted, current) : wanted, 'HeldByCooldown');
}

export function bound(bounds: Bounds, wanted: number): Staged {
  const byEntry: Reason | undefined = bounds.schedule === undefined ? undefined : 'Schedule';
  if (wanted > bounds.max) return staged('bounds', wanted, bounds.max, byEntry ?? 'AtMaximum');
  if (wanted < bounds.min) return staged('bounds', wanted, bounds.min, byEntry ?? 'AtMinimum');
  return { replicas: wanted };
}

/** The last replica goes only when every agent says that nothing was asked of it lately. */
export function guardZero(snapshot: Snapshot, current: number, wanted: number): Staged {
  if (wanted > 0 || current === 0) return { replicas: wanted };
  const silent =
    snapshot.traffic.silent > 0 || snapshot.signals.some(({ state }) => state === 'stale' || state === 'missing');
  const waiting = (snapshot.waitingAtDoor ?? 0) > 0;
  const busy = snapshot.traffic.measured > 0 && !snapshot.traffic.idle;
  return staged('zero', wanted, silent || waiting || busy ? 1 : 0, 'NotIdle');
}

/** A budget stops growth; it never takes away what runs. */
export function limitBudget(snapshot: Snapshot, current: number, wanted: number): Staged {
  const { gpuReplicas } = snapshot;
  if (gpuReplicas === undefined || wanted <= current) return { replicas: wanted };
  return staged(
    'gpuBudget',
    wanted,
    Math.min(wanted, Math.max(current, Math.max(0, Math.floor(gpuReplicas)))),
    'GpuBudget',
  );
}

export function holdPaused(policy: Policy, current: number, wanted: number): Staged {
  const { paused } = policy;
  const held = paused === 'both' || (paused === 'up' && wanted > current) || (paused === 'down' && wanted < current);
  return staged('pause', wanted, held ? current : wanted, 'Paused');
}

export const holdInactive = (policy: Policy, current: number, wanted: number): Staged =>
  staged('mode', wanted, policy.mode === 'Active' ? wanted : current, 'NotActive');
