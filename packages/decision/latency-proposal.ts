// Latency through the load that causes it. A learned curve tells what one replica carries within the target; until it is
// learned, latency is taken to grow with load, which is too careful on the way down and bounded on the way up. And some
// slowness no replica cures: then the target is infeasible, or something other than load has changed, and buying stops.
import type { Proposal } from './decision.ts';
import type { Demand } from './demand.ts';
import type { LearnedLoad } from './history.ts';
import { floorOf, tokensOf } from './learn.ts';
import { limits } from './limits.ts';
import { carriedWithin, isLearned } from './load-curve.ts';
import { carriedKeeps, type Scene, servingOf } from './scene.ts';
import { replicaLoad, type Signal } from './signal.ts';

export function proposeLatency(signal: Signal, scene: Scene): Proposal {
  const { name, target } = signal;
  const { snapshot, history } = scene;
  const learned = history.loads[name];
  const allowed = allowedSlowdown(signal, scene, learned);
  if (learned !== undefined && allowed !== undefined && isHopeless(learned, allowed)) {
    return proposeNearFloor(signal, scene, learned);
  }
  const isSlow = signal.value! > target;
  if (isSlow && nobodyWaits(scene)) {
    return { name, needs: snapshot.replicas, keeps: snapshot.replicas, because: 'SLOInfeasible' };
  }
  return learned !== undefined && allowed !== undefined && isLearned(learned.curve)
    ? proposeByCurve(signal, scene, learned, allowed)
    : proposeByRatio(signal, scene);
}

/** How much slower than idle an answer may be; undefined until an idle replica's time is known. */
function allowedSlowdown(signal: Signal, { snapshot }: Scene, learned: LearnedLoad | undefined): number | undefined {
  const floor = learned === undefined ? undefined : floorOf(learned, tokensOf(signal, snapshot.traffic));
  return floor === undefined ? undefined : signal.target / floor;
}

/** Answers take longer than the target even where a replica has nothing else to do. */
function isHopeless({ curve }: LearnedLoad, allowed: number): boolean {
  const lightest = curve[0];
  const seen = curve.reduce((sum, { weight }) => sum + weight, 0);
  if (lightest === undefined || seen < limits.curveSamples) return false;
  return (
    allowed < 1 ||
    (lightest.concurrency <= 1.5 && lightest.weight >= limits.curveSamples && lightest.slowdown > allowed)
  );
}

/** Each replica has one request at most and none queues: there is nothing that another replica could take over. */
const nobodyWaits = ({ snapshot: { traffic } }: Scene): boolean =>
  traffic.queue < 0.1 && traffic.inFlight <= 1.1 * traffic.measured;

const inFlightOf = ({ snapshot: { traffic } }: Scene): number => traffic.inFlight + traffic.inFlightAssumed;

/** The promise cannot be kept: hold what keeps answers near to what an idle replica gives, and buy nothing. */
function proposeNearFloor({ name }: Signal, scene: Scene, { curve }: LearnedLoad): Proposal {
  const { load, beyond } = carriedWithin(curve, Math.max(limits.infeasibleSlowdown, curve[0]!.slowdown));
  const carries = Math.max(1, load, beyond ? replicaLoad(scene.snapshot.traffic) : 0);
  const keeps = inFlightOf(scene) / carries;
  return {
    name,
    needs: Math.min(scene.demand.inFlight / carries, scene.snapshot.replicas),
    keeps,
    because: 'SLOInfeasible',
  };
}

function proposeByCurve(signal: Signal, scene: Scene, learned: LearnedLoad, allowed: number): Proposal {
  const { name, target } = signal;
  const { snapshot, demand } = scene;
  const serving = servingOf(snapshot);
  const { load, beyond } = carriedWithin(learned.curve, allowed);
  const carries = beyond ? Math.max(load, replicaLoad(scene.snapshot.traffic)) : load;
  const needs = demand.inFlight / carries;
  const fits = inFlightOf(scene) / (carries * limits.survivorHeadroom);
  if (signal.value! > target) {
    return whileSlow(signal, scene, Math.max(needs, boundedGrowth(signal, serving, demand)), fits);
  }
  // Past what was ever seen, latency is taken to grow with load, and no more than a safe step is dared.
  const proportional = ((signal.value! / target) * serving) / limits.survivorHeadroom;
  const keeps = beyond ? Math.max(carriedKeeps(signal, scene, true), proportional) : fits;
  return { name, needs: Math.min(needs, snapshot.replicas, keeps), keeps };
}

function proposeByRatio(signal: Signal, scene: Scene): Proposal {
  const { name, target } = signal;
  const { snapshot, demand } = scene;
  const serving = servingOf(snapshot);
  const proportional = (signal.value! / target) * serving;
  if (signal.value! > target) {
    return whileSlow(signal, scene, boundedGrowth(signal, serving, demand), Math.max(proportional, snapshot.replicas));
  }
  const keeps = Math.max(proportional / limits.survivorHeadroom, carriedKeeps(signal, scene, true));
  return { name, needs: Math.min(proportional, snapshot.replicas), keeps };
}

const boundedGrowth = ({ value, target }: Signal, serving: number, demand: Demand): number =>
  Math.min(Math.min(value! / target, limits.unlearnedGrowth) * serving, demand.replicas);

/** Slow at a load that used to be fine: one replica more may be tried, then somebody has to look. */
function whileSlow({ name }: Signal, scene: Scene, needs: number, keeps: number): Proposal {
  const { snapshot, history, demand } = scene;
  const learned = history.loads[name];
  if (learned !== undefined && learned.good > 0 && replicaLoad(scene.snapshot.traffic) <= 1.15 * learned.good) {
    const cap = (learned.missedAt ?? snapshot.replicas) + 1;
    if (needs > cap)
      return { name, needs: cap, keeps: Math.min(Math.max(keeps, needs), cap), because: 'NotCausedByLoad' };
  }
  const proposal = { name, needs, keeps: Math.max(keeps, needs) };
  return needs >= demand.replicas ? { ...proposal, because: 'WaitingForStartingReplicas' } : proposal;
}
