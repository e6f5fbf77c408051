// From each signal to what it needs and what it keeps: the replicas that growth may follow, and those below which the
// signal would not have the target shrink. They differ wherever something is unknown, and unknown counts as idle in the
// one and as busy in the other. Fractions of replicas are kept; rounding is for whoever decides.
import type { MetricName } from '@kubeai/policy';
import { elapsed, type Instant } from '@kubeai/units';
import type { Proposal } from './decision.ts';
import type { Demand } from './demand.ts';
import type { History } from './history.ts';
import { floorOf, isSound, tokensOf } from './learn.ts';
import { limits } from './limits.ts';
import { carriedWithin, isLearned } from './load-curve.ts';
import { noUsage, type PodUsage, proposeByRatio, utilizationRatio } from './ratio-proposal.ts';
import type { Signal } from './signal.ts';
import type { Snapshot } from './snapshot.ts';
import { decodeMs } from './work-model.ts';

export interface Scene {
  readonly snapshot: Snapshot;
  readonly history: History;
  readonly demand: Demand;
  readonly tolerance: { readonly up: number; readonly down: number };
  readonly now: Instant;
}

/** Replicas that serve and are the target's own: a rollout's surge is not capacity to multiply. */
const base = ({ ledger, replicas, traffic }: Snapshot): number =>
  Math.min(replicas, Math.max(ledger.counts.serving, traffic.measured + traffic.silent));

/** The proposal of one signal. Neither number is present for a signal that is stale, missing or no measurement. */
export function propose(signal: Signal, scene: Scene): Proposal {
  const { name } = signal;
  if (!isSound(signal)) return { name };
  if (signal.state === 'idle') return { name, needs: 0, keeps: 0 };
  if (name === 'work') return proposeWork(signal, scene);
  if (signal.shape === 'latency') return proposeLatency(signal, scene);
  if (signal.shape === 'utilization') return proposeUtilization(signal, scene);
  if (signal.shape === 'value') return proposeValue(signal, scene);
  return proposeTotal(signal, scene);
}

/** A total that replicas share: demand over capacity, so that an error of one round does not enter the next. */
function proposeTotal(signal: Signal, scene: Scene): Proposal {
  const { name, target } = signal;
  const { demand, snapshot } = scene;
  const value = signal.value!;
  const keeps = (value + signal.assumed) / (target * limits.survivorHeadroom);
  const asked = value / target;
  if (name === 'concurrency') {
    const share = snapshot.traffic.inFlight > 0 ? Math.min(1, demand.inFlight / snapshot.traffic.inFlight) : 1;
    return capped({ name, needs: asked * share, keeps }, asked, share < 1);
  }
  if (name === 'requestQueueDepth') {
    const cap = demand.replicas;
    return capped(
      { name, needs: Math.min(asked, cap), keeps: Math.max(keeps, carriedKeeps(signal, scene)) },
      asked,
      asked > cap,
    );
  }
  return { name, needs: asked, keeps };
}

const capped = (proposal: Proposal, asked: number, isCapped: boolean): Proposal =>
  isCapped && asked > (proposal.needs ?? 0) ? { ...proposal, because: 'WaitingForStartingReplicas' } : proposal;

/** What survivors would have to carry must be near to what was seen to work; one request at a time always does. */
function carriedKeeps(signal: Signal, scene: Scene): number {
  const { snapshot, history } = scene;
  const { traffic } = snapshot;
  const load = traffic.inFlight / Math.max(1, traffic.measured);
  const holds =
    signal.shape === 'latency'
      ? signal.value! <= signal.target
      : signal.value! <= signal.target * Math.max(1, traffic.measured);
  const carries = Math.max(1, history.loads[signal.name]?.good ?? 0, holds ? stepOf(scene) * load : load);
  return (traffic.inFlight + traffic.inFlightAssumed) / carries;
}

const stepOf = ({ history, now }: Scene): number => {
  const since = Math.max(history.replicasSince, history.coveredFrom) as Instant;
  return elapsed(since, now) >= limits.boldAfter ? limits.boldStep : limits.safeStep;
};

/** The ratio rules of HPA; pods without the measure count as full on the way down and as empty on the way up. */
function proposeUtilization(signal: Signal, { snapshot, tolerance }: Scene): Proposal {
  const { name, target } = signal;
  const ready = Math.max(1, base(snapshot));
  const current = snapshot.replicas;
  const measured = Math.max(1, Math.min(signal.measured, ready));
  const whole = 100_000n;
  const usage = (pods: number, percent: number): PodUsage => ({
    usage: BigInt(Math.round(percent * 1_000)) * BigInt(pods),
    request: whole * BigInt(pods),
    count: pods,
    entries: pods,
  });
  const silent = Math.min(signal.silent, Math.max(0, ready - measured));
  const pods = {
    measured: usage(measured, signal.value!),
    missing: silent === 0 ? noUsage : usage(silent, Math.max(100, target)),
    unready: noUsage,
    readyCount: ready,
  };
  const ratioOf = utilizationRatio(BigInt(Math.max(1, Math.round(target))));
  const size = proposeByRatio(current, pods, ratioOf, tolerance);
  const ratio = ratioOf(pods.measured);
  // A high ratio over few ready replicas may come to less than what is there: it still does not ask to shrink.
  if (ratio >= 1) return { name, needs: Math.max(size, current), keeps: Math.max(size, current) };
  if (size >= current) return { name, needs: Math.min(size, current), keeps: current };
  return { name, needs: size, keeps: Math.min(current, Math.max(size, (ratio * ready) / limits.survivorHeadroom)) };
}

/** A value that more replicas bring down: ratio times ready replicas, and from zero the bare ratio. */
function proposeValue(signal: Signal, { snapshot }: Scene): Proposal {
  const ratio = signal.value! / signal.target;
  const ready = snapshot.replicas === 0 ? 1 : Math.max(1, base(snapshot));
  const needs = ratio > 1 ? Math.max(ratio * ready, snapshot.replicas) : ratio * ready;
  return { name: signal.name, needs, keeps: needs / limits.survivorHeadroom };
}

/** What arriving tokens cost, in replicas, plus what waits; unknown until the engine has shown the cost of a token. */
function proposeWork(signal: Signal, { snapshot, history, demand }: Scene): Proposal {
  const { traffic } = snapshot;
  const decode = decodeMs(history.work);
  if (decode === undefined) return { name: 'work', needs: 0, keeps: snapshot.replicas };
  const prefill = history.work?.prefillMs ?? 0;
  const busy = (traffic.generatedTokensPerSecond * decode + traffic.promptTokensPerSecond * prefill) / 1_000;
  // Tokens leave no faster than replicas can make them: under a queue, arrivals tell what completions cannot.
  const behind =
    traffic.completionsPerSecond > 0 && traffic.queue > 1
      ? Math.min(limits.unlearnedGrowth, Math.max(1, traffic.arrivalsPerSecond / traffic.completionsPerSecond))
      : 1;
  const perRequest = traffic.completionsPerSecond > 0 ? busy / traffic.completionsPerSecond : 0;
  const backlog = demand.backlog ? 0 : (traffic.queue * perRequest * 1_000) / limits.drainAtMost;
  const needs = (busy * behind + backlog) / (signal.target / 100);
  const share = traffic.measured === 0 ? 1 : (traffic.measured + traffic.silent) / traffic.measured;
  return { name: 'work', needs, keeps: (needs * share) / limits.survivorHeadroom };
}

/**
 * Latency through the load that causes it: the learned curve tells what one replica carries within the target. Until it
 * is learned, latency is taken to grow with load, which is too careful on the way down and bounded on the way up.
 */
function proposeLatency(signal: Signal, scene: Scene): Proposal {
  const { snapshot, history, demand } = scene;
  const { name, target } = signal;
  const { traffic, replicas } = snapshot;
  const value = signal.value!;
  const serving = Math.max(1, base(snapshot));
  const load = traffic.inFlight / Math.max(1, traffic.measured);
  const learned = history.loads[name];
  const allInFlight = traffic.inFlight + traffic.inFlightAssumed;
  const floor = learned === undefined ? undefined : floorOf(learned, tokensOf(signal, traffic));
  const misses = value > target;

  if (learned !== undefined && floor !== undefined && isLearned(learned.curve)) {
    const allowed = target / floor;
    const lightest = learned.curve[0]!;
    const hopeless = allowed < 1 || (lightest.concurrency <= 1.5 && lightest.slowdown > allowed);
    const { load: carries, beyond } = carriedWithin(
      learned.curve,
      hopeless ? Math.max(limits.infeasibleSlowdown, lightest.slowdown) : allowed,
    );
    const capacity = beyond && !hopeless ? Math.max(carries, load) : carries;
    const careful = beyond && !hopeless && !misses;
    const keeps = careful
      ? Math.max(carriedKeeps(signal, scene), ((value / target) * serving) / limits.survivorHeadroom)
      : allInFlight / (capacity * limits.survivorHeadroom);
    if (hopeless)
      return { name, needs: Math.min(demand.inFlight / capacity, replicas), keeps, because: 'SLOInfeasible' };
    const curveNeeds = demand.inFlight / capacity;
    if (misses)
      return slowedDown(
        signal,
        scene,
        load,
        Math.max(curveNeeds, boundedGrowth(value, target, serving, demand)),
        keeps,
      );
    return { name, needs: Math.min(curveNeeds, replicas, keeps), keeps };
  }
  const keeps = (value / target) * serving;
  if (!misses) {
    const careful = Math.max(keeps / limits.survivorHeadroom, carriedKeeps(signal, scene));
    return { name, needs: Math.min(keeps, replicas), keeps: careful };
  }
  return slowedDown(signal, scene, load, boundedGrowth(value, target, serving, demand), Math.max(keeps, replicas));
}

const boundedGrowth = (value: number, target: number, serving: number, demand: Demand): number =>
  Math.min(Math.min(value / target, limits.unlearnedGrowth) * serving, demand.replicas);

/** Slow at a load that used to be fine: one replica more may be tried, then somebody else has to look. */
function slowedDown(
  signal: Signal,
  { snapshot, history, demand }: Scene,
  load: number,
  needs: number,
  keeps: number,
): Proposal {
  const { name } = signal;
  const learned = history.loads[name];
  const wanted = Math.max(needs, 0);
  if (learned !== undefined && learned.good > 0 && load <= 1.15 * learned.good) {
    const cap = (learned.missedAt ?? snapshot.replicas) + 1;
    if (wanted > cap)
      return { name, needs: cap, keeps: Math.min(Math.max(keeps, needs), cap), because: 'NotCausedByLoad' };
  }
  const waiting = needs >= demand.replicas;
  return {
    name,
    needs: wanted,
    keeps: Math.max(keeps, wanted),
    ...(waiting ? { because: 'WaitingForStartingReplicas' as const } : {}),
  };
}

/** Metrics that even an idle replica misses. */
export const infeasibleOf = (proposals: readonly Proposal[]): readonly MetricName[] =>
  proposals.filter(({ because }) => because === 'SLOInfeasible').map(({ name }) => name);
