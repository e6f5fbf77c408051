// A study as people and programs read it. The JSON is the whole of what was measured; the text and the page show it.
import { frontOf, hoursFor, missesAt } from './compare.ts';
import type { Score } from './score.ts';
import type { Moment } from './simulation.ts';
import type { Result, Study } from './study.ts';

export interface ContenderReport {
  readonly name: string;
  /** The value in force: what the policy says, or what tuning chose for a rival. */
  readonly chosen: Score;
  /** GPU-hours over those of the clairvoyant at no more misses; absent where it did not play or has none. */
  readonly costOfClairvoyant?: number;
  /** Largest size over the clairvoyant's largest. */
  readonly overshoot?: number;
  /** Every value that was tried, and those that no other beats in both misses and cost. */
  readonly scores: readonly Score[];
  readonly pareto: readonly Score[];
  /** Each change of size, in milliseconds of simulated time, and why. */
  readonly moments: readonly Moment[];
  /** Minute by minute, with the chosen value. */
  readonly asked: readonly number[];
  readonly ready: readonly number[];
  readonly inFlight: readonly number[];
}

export interface LabReport {
  readonly trace: string;
  readonly requests: number;
  readonly hours: number;
  readonly startUpSeconds: number;
  readonly seed: number;
  readonly contenders: readonly ContenderReport[];
}

export function reportOf(study: Study, seed: number): LabReport {
  const bound = study.results.find(({ name }) => name === 'clairvoyant');
  return {
    trace: study.trace,
    requests: study.requests,
    hours: study.spanMs / 3_600_000,
    startUpSeconds: study.startUpMs / 1_000,
    seed,
    contenders: study.results.map((result) => contenderReport(result, bound)),
  };
}

function contenderReport({ name, scores, chosen, outcome }: Result, bound: Result | undefined): ContenderReport {
  const cost = bound === undefined ? Number.NaN : chosen.gpuHours / hoursFor(frontOf(bound.scores), chosen.misses);
  const { minutes } = outcome;
  return {
    name,
    chosen,
    ...(cost > 0 ? { costOfClairvoyant: cost } : {}),
    ...(bound === undefined ? {} : { overshoot: chosen.maxReplicas / Math.max(1, bound.chosen.maxReplicas) }),
    scores,
    pareto: frontOf(scores),
    moments: outcome.moments,
    asked: minutes.map(({ asked }) => asked),
    ready: minutes.map(({ ready }) => ready),
    inFlight: minutes.map(({ inFlight }) => inFlight),
  };
}

const columns = [
  'knob',
  'within',
  'GPU-h',
  'mean',
  'max',
  'p95 ttft',
  'lost',
  'starts/rh',
  'turns/h',
  'worst',
  '× bound',
];

/** A table, one contender a line, without a newline at the end. */
export function textOf({ trace, requests, hours, startUpSeconds, contenders }: LabReport): string {
  const rows = contenders.map(({ name, chosen, costOfClairvoyant }) => [
    name,
    Number.isNaN(chosen.value) ? '-' : `${chosen.value} ${chosen.knob}`,
    `${(100 * chosen.attainment).toFixed(2)} %`,
    chosen.gpuHours.toFixed(1),
    chosen.meanReplicas.toFixed(2),
    String(chosen.maxReplicas),
    Number.isNaN(chosen.firstTokenP95Ms) ? '-' : `${(chosen.firstTokenP95Ms / 1_000).toFixed(2)} s`,
    String(chosen.lost),
    chosen.startsPerReplicaHour.toFixed(2),
    chosen.reversalsPerHour.toFixed(1),
    `${chosen.longestTroubleSeconds} s`,
    costOfClairvoyant === undefined ? '-' : costOfClairvoyant.toFixed(2),
  ]);
  const all = [['', ...columns], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  '),
  );
  return [
    `${trace}: ${requests} requests in ${hours.toFixed(1)} h, starts take ${startUpSeconds} s`,
    '',
    ...lines,
  ].join('\n');
}

/**
 * Against a rival with its whole curve before it: our misses over what it misses at our cost, our cost over what it costs
 * at our misses. Nought: it has no value so cheap, or none that misses so few. Less than half a miss counts as half one.
 */
export function against(ours: Score, scores: readonly Score[]): { readonly misses: number; readonly hours: number } {
  const front = frontOf(scores);
  const some = (misses: number) => Math.max(0.5, misses);
  return {
    misses: some(ours.misses) / some(missesAt(front, ours.gpuHours)),
    hours: ours.gpuHours / hoursFor(front, ours.misses),
  };
}
