// Several proposals become one: the largest, a mean, a weighted mean, or what a plugin says. A metric that is missing
// neither grows nor shrinks anything: it counts as "as many as now" where a mean needs a number.
import type { MetricName, Policy } from '@kubeai/policy';
import type { AlgorithmUsed, Proposal } from './decision.ts';
import type { Snapshot } from './snapshot.ts';

export interface Combined {
  /** Replicas that growth may follow, in fractions. */
  readonly needs: number;
  /** Replicas below which nothing shrinks; absent when nothing may shrink. */
  readonly keeps?: number;
  readonly winner?: MetricName;
  readonly algorithm: AlgorithmUsed;
}

export function combine(
  policy: Policy,
  proposals: readonly Proposal[],
  snapshot: Snapshot,
  mayShrink: boolean,
): Combined {
  const { algorithm } = policy;
  const isOurs = algorithm.plugin === undefined;
  if (isOurs && algorithm.name === 'AverageRatio') {
    return weighted(proposals, () => 1, snapshot.replicas, mayShrink, { name: 'AverageRatio', valid: true });
  }
  if (isOurs && algorithm.name === 'WeightedRatio') {
    const weightOf = (name: MetricName) => algorithm.weights[name] ?? 1;
    return weighted(proposals, weightOf, snapshot.replicas, mayShrink, { name: 'WeightedRatio', valid: true });
  }
  const largest = (used: AlgorithmUsed) => maximum(proposals, snapshot.replicas, mayShrink, used);
  if (isOurs && algorithm.name === 'MaxRatio') return largest({ name: 'MaxRatio', valid: true });
  if (isOurs) {
    return largest({ name: 'MaxRatio', valid: false, problem: `no algorithm is called ${algorithm.name}` });
  }
  const answer = pluginReplicas(snapshot);
  if (typeof answer === 'string') return largest({ name: 'MaxRatio', valid: false, problem: answer });
  const used = { name: algorithm.name, valid: true };
  return { needs: answer, ...(mayShrink ? { keeps: answer } : {}), algorithm: used };
}

/** The replicas a plugin answered, or what is wrong with the answer. */
function pluginReplicas({ plugin }: Snapshot): number | string {
  if (plugin === undefined) return 'the plugin has not answered yet';
  if (plugin.kind === 'failed') return plugin.cause;
  const { value } = plugin;
  const replicas = typeof value === 'object' && value !== null ? (value as { replicas?: unknown }).replicas : value;
  if (typeof replicas !== 'number' || !Number.isInteger(replicas) || replicas < 0 || replicas > 1_000_000) {
    return 'the plugin must answer { "replicas": a whole number of at least 0 }';
  }
  return replicas;
}

function maximum(
  proposals: readonly Proposal[],
  current: number,
  mayShrink: boolean,
  algorithm: AlgorithmUsed,
): Combined {
  let needs = 0;
  let keeps = 0;
  let winner: MetricName | undefined;
  let keeper: MetricName | undefined;
  for (const proposal of proposals) {
    if (proposal.needs !== undefined && proposal.needs > needs) {
      needs = proposal.needs;
      winner = proposal.name;
    }
    if (proposal.keeps !== undefined && proposal.keeps > keeps) {
      keeps = proposal.keeps;
      keeper = proposal.name;
    }
  }
  // What decides is the metric that asks for growth, or else the one that holds shrinking back most.
  const decides = needs > current ? winner : (keeper ?? winner);
  const winning = decides === undefined ? { algorithm } : { winner: decides, algorithm };
  return mayShrink ? { needs, keeps, ...winning } : { needs, ...winning };
}

function weighted(
  proposals: readonly Proposal[],
  weightOf: (name: MetricName) => number,
  current: number,
  mayShrink: boolean,
  algorithm: AlgorithmUsed,
): Combined {
  const total = proposals.reduce((sum, { name }) => sum + weightOf(name), 0);
  // Weights that are all zero say nothing: the size stays.
  if (total === 0) return { needs: current, algorithm };
  const mean = (numberOf: (proposal: Proposal) => number) =>
    proposals.reduce((sum, proposal) => sum + weightOf(proposal.name) * numberOf(proposal), 0) / total;
  const heaviest = proposals.reduce((best, each) =>
    weightOf(each.name) * (each.needs ?? 0) > weightOf(best.name) * (best.needs ?? 0) ? each : best,
  );
  return {
    needs: mean(({ needs }) => needs ?? current),
    ...(mayShrink ? { keeps: mean(({ keeps }) => keeps ?? current) } : {}),
    winner: heaviest.name,
    algorithm,
  };
}
