// How many replicas, and why. The body of `decide` is the table of contents of the algorithm: each stage takes the size
// of the stage before and says why it changed it. Nothing here reads a clock or remembers anything; the past comes in and
// goes out as a history.
import type { Policy } from '@kubeai/policy';
import type { Instant } from '@kubeai/units';
import { combine } from './combination.ts';
import {
  type Bounds,
  bound,
  boundsOf,
  guardZero,
  holdCooldown,
  holdInactive,
  holdPaused,
  holdYoungHistory,
  limitBudget,
  limitPace,
  type Staged,
  stabilizeWish,
} from './constraints.ts';
import type { Decision, Proposal, Step } from './decision.ts';
import { demandOf, growthAfter, isSettled } from './demand.ts';
import { continueHistory, type History, type HistoryDraft, withHigh, withLow } from './history.ts';
import { learn } from './learn.ts';
import { infeasibleOf, propose } from './proposal.ts';
import type { Reason } from './reasons.ts';
import { isSound } from './signal.ts';
import { significant } from './significant.ts';
import type { Snapshot } from './snapshot.ts';
import {
  fallBack,
  followForecast,
  hasQuorum,
  keepSurvivors,
  replaceDead,
  tolerate,
  type Wish,
  wishOf,
} from './wish.ts';

export interface Decided {
  readonly decision: Decision;
  readonly history: History;
}

/**
 * Decides the size of one target.
 * @param past of this target's earlier decisions; `emptyHistory` for a new one, `restoreHistory` after a restart
 * @returns the decision, and the history to pass in next time
 */
export function decide(policy: Policy, snapshot: Snapshot, past: History, now: Instant): Decided {
  const current = snapshot.replicas;
  const history = learn(policy, snapshot, continueHistory(past, current, now), now);
  const bounds = boundsOf(policy, now);
  const demand = demandOf(snapshot, history, now);
  const tolerance = { up: policy.scaleUp.tolerance, down: policy.scaleDown.tolerance };
  const scene = { snapshot, history, demand, tolerance, now };
  const proposals = snapshot.signals.map((signal) => propose(signal, scene));
  const mayShrink = snapshot.signals.every(isSound) && hasQuorum(snapshot);
  const combined = combine(policy, proposals, snapshot, mayShrink);
  const wish = wishOf(snapshot, combined, proposals, history);
  const isLearning = proposals.some(({ because }) => because === 'LearningWork');

  const steps: Step[] = [];
  let size = wish.replicas;
  size = enter(steps, tolerate(snapshot, combined, isLearning, tolerance, history, size));
  size = enter(steps, keepSurvivors(snapshot, history, size));
  size = enter(steps, followForecast(policy, snapshot, size));
  size = enter(steps, fallBack(policy, snapshot, history, size));
  size = enter(steps, replaceDead(scene, combined, bounds.min, size));
  const proposal = size;
  size = enter(steps, holdYoungHistory(policy, history, current, size, now));
  size = enter(steps, stabilizeWish(policy, history, current, size, now));
  size = enter(steps, limitPace(policy, history, current, size, now));
  size = enter(steps, holdCooldown(policy, history, current, size, now));
  size = enter(steps, bound(bounds, size));
  size = enter(steps, guardZero(snapshot, current, size));
  size = enter(steps, limitBudget(snapshot, current, size));
  const recommended = size;
  if (wish.reason === 'StoppedByHand') size = 0;
  size = enter(steps, holdPaused(policy, current, size));
  size = enter(steps, holdInactive(policy, current, size));

  const decision: Decision = {
    current,
    replicas: size,
    recommended,
    reason: primaryReason(current, size, wish, steps, bounds),
    proposal,
    ...(combined.winner === undefined ? {} : { winner: combined.winner }),
    proposals: proposals.map(shortened),
    steps,
    algorithm: combined.algorithm,
    bounds,
    infeasible: infeasibleOf(proposals),
    mayShrink,
  };
  return { decision, history: remember(history, snapshot, decision, now) };
}

/** The size after a stage, whose step is kept. */
function enter(steps: Step[], { replicas, step }: Staged): number {
  if (step !== undefined) steps.push(step);
  return replicas;
}

/** A change is told by what wanted it; no change by what held it back last. */
function primaryReason(current: number, final: number, wish: Wish, steps: readonly Step[], bounds: Bounds): Reason {
  if (wish.reason === 'StoppedByHand') return wish.reason;
  // Whatever else held it: a size at its bound could not have gone further that way.
  if (final === current && current === bounds.min && wish.replicas < current) return 'AtMinimum';
  if (final === current) return steps.at(-1)?.because ?? wish.reason;
  const grew = final > current;
  if (wish.replicas !== current && wish.replicas > current === grew) return wish.reason;
  const mover = steps.find(({ before, after }) =>
    grew ? after > before && after > current : after < before && after < current,
  );
  return mover?.because ?? wish.reason;
}

/** The history to pass in next time. What is remembered is the raw wish; a stabilised one would never come down. */
function remember(draft: HistoryDraft, snapshot: Snapshot, decision: Decision, now: Instant): History {
  const { replicas, proposal } = decision;
  draft.at = now;
  draft.replicas = snapshot.replicas;
  const wished = { at: now, replicas: proposal };
  draft.highs = withHigh(draft.highs, wished);
  const lows = withLow(draft.lows, wished);
  // What lasts until the next round is what a round costs: of a wish that stays, one list.
  draft.lows = lows.length === 1 && draft.highs.length === 1 ? draft.highs : lows;
  draft.wentToZero = replicas === 0 && (snapshot.replicas > 0 || draft.wentToZero);
  const { growth } = draft;
  const asked = beforeBudget(decision);
  if (replicas > decision.current) draft.growth = growthAfter(growth, snapshot, asked, now);
  else if (growth !== undefined && isSettled(growth, snapshot, now)) delete draft.growth;
  else if (growth !== undefined && asked > growth.replicas) draft.growth = growthAfter(growth, snapshot, asked, now);
  return draft;
}

/** What would have been asked for without a budget. */
const beforeBudget = ({ steps, recommended }: Decision): number =>
  steps.find(({ stage }) => stage === 'gpuBudget')?.before ?? recommended;

function shortened(proposal: Proposal): Proposal {
  const { name, needs, load, keeps, because } = proposal;
  // A signal asks for both, or it says nothing.
  if (needs === undefined || keeps === undefined) return proposal;
  const short = { name, needs: significant(needs), keeps: significant(keeps) };
  if (load !== undefined) return { ...short, load: significant(load) };
  return because === undefined ? short : { ...short, because };
}
