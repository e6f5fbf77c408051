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
  /** The longest time until misses were back below 5 %: from the step that brought them, or else from the first of them. */
  readonly recoverySeconds: number;
}

/** @param gpusPerReplica cards that one replica takes */
export function scoreOf(workload: Workload, outcome: Outcome, promise: Promise, gpusPerReplica: number): Score {
  const { at, output, spanMs } = workload;
  const { judgedFromMs } = outcome;
  let count = 0;
  const first = createSketch();
  const perToken = createSketch();
  const windows = Math.ceil(spanMs / windowMs) + 1;
  const came = new Int32Array(windows);
  const missed = new Int32Array(windows);
  let kept = 0;
  let unanswered = 0;
  for (let index = 0; index < at.length; index += 1) {
    if (at[index]! < judgedFromMs) continue;
    const firstMs = outcome.firstAt[index]! - at[index]!;
    // What was promised was not due yet when the simulation ended.
    if (Number.isNaN(firstMs) && spanMs - at[index]! < promise.firstTokenMs) continue;
    count += 1;
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
    const window = Math.floor(at[index]! / windowMs);
    came[window]! += 1;
    if (!isKept) missed[window]! += 1;
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
    recoverySeconds: longestRecovery(came, missed, workload.steps),
  };
}

const reversals = (moments: Outcome['moments']): number =>
  moments.filter((moment, index) => {
    const before = moments[index - 1];
    return before !== undefined && Math.sign(moment.to - moment.from) !== Math.sign(before.to - before.from);
  }).length;

/** Windows in which misses are counted; so many good ones in a row end a trouble. */
const windowMs = 10_000;
const goodWindows = 3;
/** A step is to blame for misses that begin within this time of it. */
const blameMs = 300_000;

/** In seconds, by windows of what came and what missed. */
function longestRecovery(came: Int32Array, missed: Int32Array, steps: readonly number[]): number {
  let longest = 0;
  let from = Number.NaN;
  let lastBad = Number.NEGATIVE_INFINITY;
  for (let window = 0; window < came.length; window += 1) {
    if (missed[window]! <= 0.05 * came[window]!) continue;
    if (window - lastBad > goodWindows) {
      const begins = window * windowMs;
      // The window of the step itself began before it.
      from = steps.findLast((step) => step < begins + windowMs && begins - step <= blameMs) ?? begins;
    }
    lastBad = window;
    longest = Math.max(longest, (window + 1) * windowMs - from);
  }
  return longest / 1_000;
}
