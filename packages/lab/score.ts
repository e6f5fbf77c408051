// What users and the bill would say of a simulated day.
import { createSketch, type Sketch } from '@kubeai/sketch';
import type { Outcome } from './simulation.ts';
import type { Workload } from './workload.ts';

/** What was promised. */
export interface Promise {
  readonly firstTokenMs: number;
  readonly perTokenMs: number;
}

export interface Score {
  readonly contender: string;
  readonly knob: string;
  readonly value: number;
  readonly requests: number;
  /** Requests within the promise, of all that came. Who got no answer did not. */
  readonly attainment: number;
  readonly misses: number;
  /** Quantiles are within 1 %; NaN without a single answer. */
  readonly firstTokenP50Ms: number;
  readonly firstTokenP95Ms: number;
  readonly firstTokenP99Ms: number;
  readonly perTokenP95Ms: number;
  readonly lost: number;
  readonly replicaSeconds: number;
  readonly gpuHours: number;
  readonly meanReplicas: number;
  readonly maxReplicas: number;
  readonly starts: number;
  readonly startsPerReplicaHour: number;
  readonly changes: number;
  /** Changes of direction an hour. */
  readonly reversalsPerHour: number;
  /** Seconds from a minute with misses above 5 % to the next minute without; the longest such span. */
  readonly longestTroubleSeconds: number;
}

/** @param gpusPerReplica cards that one replica takes */
export function scoreOf(workload: Workload, outcome: Outcome, promise: Promise, gpusPerReplica: number): Score {
  const { at, output, spanMs } = workload;
  const { judgedFromMs } = outcome;
  let count = 0;
  const first = createSketch();
  const perToken = createSketch();
  const minutes = Math.ceil(spanMs / 60_000) + 1;
  const came = new Int32Array(minutes);
  const missed = new Int32Array(minutes);
  let kept = 0;
  let unanswered = 0;
  for (let index = 0; index < at.length; index += 1) {
    if (at[index]! < judgedFromMs) continue;
    count += 1;
    const firstMs = outcome.firstAt[index]! - at[index]!;
    // Answers that the end of the simulation cut off are judged by their first token.
    const rest = outcome.doneAt[index]! - outcome.firstAt[index]!;
    const tokenMs = output[index]! > 1 && !Number.isNaN(rest) ? rest / (output[index]! - 1) : 0;
    if (Number.isNaN(firstMs)) unanswered += 1;
    else {
      first.record(firstMs);
      perToken.record(tokenMs);
    }
    const isKept = firstMs <= promise.firstTokenMs && tokenMs <= promise.perTokenMs;
    if (isKept) kept += 1;
    const minute = Math.floor(at[index]! / 60_000);
    came[minute]! += 1;
    if (!isKept) missed[minute]! += 1;
  }
  const judgedMs = spanMs - judgedFromMs;
  const hours = judgedMs / 3_600_000;
  const quantile = (sketch: Sketch, q: number) => sketch.quantile(q) ?? Number.NaN;
  const { replicaSeconds, contender } = outcome;
  const moments = outcome.moments.filter((moment) => moment.at >= judgedFromMs);
  const judgedMinutes = outcome.minutes.slice(Math.floor(judgedFromMs / 60_000));
  return {
    contender: contender.name,
    knob: contender.knob,
    value: contender.value,
    requests: count,
    attainment: count === 0 ? 1 : kept / count,
    misses: count - kept,
    firstTokenP50Ms: quantile(first, 0.5),
    firstTokenP95Ms: quantile(first, 0.95),
    firstTokenP99Ms: quantile(first, 0.99),
    perTokenP95Ms: quantile(perToken, 0.95),
    lost: unanswered,
    replicaSeconds,
    gpuHours: (replicaSeconds * gpusPerReplica) / 3_600,
    meanReplicas: replicaSeconds / (judgedMs / 1_000),
    maxReplicas: judgedMinutes.reduce((most, { asked }) => Math.max(most, asked), 0),
    starts: outcome.starts,
    startsPerReplicaHour: replicaSeconds === 0 ? 0 : outcome.starts / (replicaSeconds / 3_600),
    changes: moments.length,
    reversalsPerHour: reversals(moments) / hours,
    longestTroubleSeconds: 60 * longestRun(came, missed),
  };
}

const reversals = (moments: Outcome['moments']): number =>
  moments.filter((moment, index) => {
    const before = moments[index - 1];
    return before !== undefined && Math.sign(moment.to - moment.from) !== Math.sign(before.to - before.from);
  }).length;

function longestRun(came: Int32Array, missed: Int32Array): number {
  let longest = 0;
  let run = 0;
  for (let minute = 0; minute < came.length; minute += 1) {
    run = missed[minute]! > 0.05 * came[minute]! ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  return longest;
}
