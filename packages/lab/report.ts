// A study as people and programs read it. The JSON is the whole of what was measured; the text and the page show it.
import { frontOf, hoursFor, missesAt } from './compare.ts';
import type { Score } from './score.ts';
import type { Moment } from './simulation.ts';
import type { Result, Standing, Study } from './study.ts';
import { longest } from './workload.ts';

/** A contender beside the others: `chosen` is what the policy says, or what tuning chose for a rival. */
export interface Ranked extends Standing {
  /** GPU-hours over the least that one needs who knows the trace, at no more misses; absent where no clairvoyant played. */
  readonly costOfClairvoyant?: number;
  /** Largest size over the clairvoyant's largest. */
  readonly overshoot?: number;
}

export interface ContenderReport extends Ranked {
  /** The values that no other beats in both misses and cost. */
  readonly pareto: readonly Score[];
  /** Each change of size, in milliseconds of simulated time, and why. */
  readonly moments: readonly Moment[];
  /** Minute by minute, with the chosen value. */
  readonly asked: readonly number[];
  readonly ready: readonly number[];
  readonly inFlight: readonly number[];
  /** What was said last about the size, changed or not. */
  readonly why: readonly string[];
}

/** What was played. */
export interface Played {
  readonly trace: string;
  readonly requests: number;
  /** Requests that were cut to what a server takes; absent when none was. */
  readonly cut?: number;
  readonly hours: number;
  readonly startUpSeconds: number;
}

export interface LabReport extends Played {
  readonly seed: number;
  readonly contenders: readonly ContenderReport[];
}

export const playedOf = ({ trace, requests, cut, spanMs, startUpMs }: Study): Played => ({
  trace,
  requests,
  ...(cut > 0 ? { cut } : {}),
  hours: spanMs / 3_600_000,
  startUpSeconds: startUpMs / 1_000,
});

export function reportOf(study: Study, seed: number): LabReport {
  const { results } = study;
  const ranked = ranking(results);
  return {
    ...playedOf(study),
    seed,
    contenders: results.map((result, index) => contenderReport(result, ranked[index]!)),
  };
}

/** Contenders beside the clairvoyant, where it is among them. */
export function ranking(standings: readonly Standing[]): readonly Ranked[] {
  const bound = standings.find(({ name }) => name === 'clairvoyant');
  // Who knows the trace knows whether a fixed fleet does better than any plan of his.
  const least = frontOf(
    standings.filter(({ name }) => name === 'clairvoyant' || name === 'static').flatMap(({ scores }) => scores),
  );
  return standings.map(({ name, chosen, scores }) => {
    const cost = bound === undefined ? Number.NaN : chosen.gpuHours / hoursFor(least, chosen.misses);
    return {
      name,
      chosen,
      ...(cost > 0 ? { costOfClairvoyant: cost } : {}),
      ...(bound === undefined ? {} : { overshoot: chosen.maxReplicas / Math.max(1, bound.chosen.maxReplicas) }),
      scores,
    };
  });
}

function contenderReport({ course }: Result, ranked: Ranked): ContenderReport {
  const { minutes, moments } = course;
  return {
    ...ranked,
    pareto: frontOf(ranked.scores),
    moments,
    asked: minutes.map(({ asked }) => asked),
    ready: minutes.map(({ ready }) => ready),
    inFlight: minutes.map(({ inFlight }) => inFlight),
    why: minutes.map(({ why }) => why),
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
  'recovery',
  '× bound',
];

/** A table, one contender a line, without a newline at the end. */
export function textOf({ trace, requests, cut, hours, startUpSeconds }: Played, ranked: readonly Ranked[]): string {
  const rows = ranked.map(({ name, chosen, costOfClairvoyant }) => [
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
    `${chosen.recoverySeconds.toFixed(0)} s`,
    costOfClairvoyant === undefined ? '-' : costOfClairvoyant.toFixed(2),
  ]);
  const all = [['', ...columns], ...rows];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const lines = all.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  '),
  );
  return [
    `${playedText(trace, requests, hours)}, starts take ${startUpSeconds} s`,
    ...(cut === undefined ? [] : [cutText(cut)]),
    '',
    ...lines,
  ].join('\n');
}

export const playedText = (trace: string, requests: number, hours: number): string =>
  `${trace}: ${requests} request${requests === 1 ? '' : 's'} in ${hours < 1 ? `${Math.round(60 * hours)} min` : `${hours.toFixed(1)} h`}`;

export const cutText = (cut: number): string =>
  `${cut} of them reach what a server takes and are cut to it: ${longest} tokens in all, at most ${longest / 2} of them written`;

/** The Pareto curve of each contender over its knob, cheapest first, a line each; without a newline at the end. */
export function frontsText(ranked: readonly Ranked[]): string {
  const width = Math.max(...ranked.map(({ name }) => name.length));
  return ranked
    .map(({ name, scores }) => {
      const points = frontOf(scores).map(({ value, attainment, gpuHours }) => {
        const at = Number.isNaN(value) ? '' : `${value}: `;
        return `${at}${(100 * attainment).toFixed(2)} % for ${gpuHours.toFixed(1)} h`;
      });
      return `${name.padEnd(width)}  ${points.join('; ')}`;
    })
    .join('\n');
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
