// From each signal to what it needs and what it keeps: the replicas that growth may follow, and those below which the
// signal would not have the target shrink. They differ wherever something is unknown, and unknown counts as idle in the
// one and as busy in the other. Fractions of replicas are kept; rounding is for whoever decides.
import type { MetricName } from '@kubeai/policy';
import { arrivingWork, knownLevels, workByChance, workToReckonWith } from './arriving-work.ts';
import type { Proposal } from './decision.ts';
import { drainPerSecond } from './demand.ts';
import { proposeLatency } from './latency-proposal.ts';
import { limits } from './limits.ts';
import { noUsage, type PodUsage, proposeByRatio, utilizationRatio } from './ratio-proposal.ts';
import { carriedKeeps, type Scene, servingOf } from './scene.ts';
import { isSound, type Signal } from './signal.ts';

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
    const holds = value <= target * Math.max(1, snapshot.traffic.measured);
    return capped(
      { name, needs: Math.min(asked, cap), keeps: Math.max(keeps, carriedKeeps(signal, scene, holds)) },
      asked,
      asked > cap,
    );
  }
  return { name, needs: asked, keeps };
}

const capped = (proposal: Proposal, asked: number, isCapped: boolean): Proposal =>
  isCapped && asked > (proposal.needs ?? 0) ? { ...proposal, because: 'WaitingForStartingReplicas' } : proposal;

/** The ratio rules of HPA; pods without the measure count as full on the way down and as empty on the way up. */
function proposeUtilization(signal: Signal, { snapshot, tolerance }: Scene): Proposal {
  const { name, target } = signal;
  const ready = servingOf(snapshot);
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
  const ready = snapshot.replicas === 0 ? 1 : servingOf(snapshot);
  const needs = ratio > 1 ? Math.max(ratio * ready, snapshot.replicas) : ratio * ready;
  return { name: signal.name, needs, keeps: needs / limits.survivorHeadroom };
}

/** What arriving tokens cost, in replicas, plus what waits; unknown until the engine has shown the cost of a token. */
function proposeWork(signal: Signal, scene: Scene): Proposal {
  const { snapshot, history } = scene;
  const { traffic } = snapshot;
  const levels = knownLevels(history);
  if (levels === undefined || traffic.generatedTokensPerRequest === undefined) {
    return { name: 'work', needs: 0, keeps: keepsWhileLearning(signal, scene), because: 'LearningWork' };
  }
  // By what arrives and not by what is generated: replicas that work off a pile generate more than anybody asks for now.
  const arriving = arrivingWork(history, traffic);
  const waiting = drainPerSecond(snapshot, limits.workedOffIn) * levels.each;
  const promised = snapshot.signals.some(({ shape }) => shape === 'latency');
  const full = signal.target / 100;
  const expected = (arriving + waiting) / full;
  const needs = Math.max(expected, promised ? workToReckonWith(levels, snapshot.ledger) + waiting : 0);
  const load = Math.max(arriving / full, promised ? workByChance(levels) : 0);
  const share = traffic.measured === 0 ? 1 : (traffic.measured + traffic.silent) / traffic.measured;
  return { name: 'work', needs, load: Math.min(load, needs), keeps: needs * share };
}

/** A small step down at a time, or one replica where the fleet is too small for a step. */
function keepsWhileLearning(signal: Signal, scene: Scene): number {
  const step = Math.min(carriedKeeps(signal, scene, true, limits.learningStep), scene.snapshot.replicas - 1);
  return Math.max(carriedKeeps(signal, scene, true), step);
}

/** Metrics that even an idle replica misses. */
export const infeasibleOf = (proposals: readonly Proposal[]): readonly MetricName[] =>
  proposals.filter(({ because }) => because === 'SLOInfeasible').map(({ name }) => name);
