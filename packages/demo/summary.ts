// Turns what was seen (requests and replicas over time) into the report of a demonstration and its verdict. Pure, so
// that the numbers people quote from it can be checked by a table.
import { elapsed, type Instant, inSeconds } from '@kubeai/units';

/** One replayed request. Times are milliseconds from the moment the request was sent. */
export interface RequestOutcome {
  readonly failed: boolean;
  readonly timeToFirstTokenMs: number | undefined;
  readonly latencyMs: number | undefined;
}

/** The size of the Deployment from `at` on, and why it became that, where an autoscaler said why. */
export interface SizeChange {
  readonly at: Instant;
  readonly replicas: number;
  readonly reason: string;
}

/** How many replicas served from `at` on. */
export interface ReadyChange {
  readonly at: Instant;
  readonly ready: number;
}

/** What a request must meet to count as served within target; absent fields are not asked for. */
export interface Target {
  readonly timeToFirstTokenMs?: number;
  readonly latencyMs?: number;
}

export interface Quantiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface ScaleEvent {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
  readonly reason: string;
}

export interface ReadyEvent {
  readonly atMs: number;
  readonly ready: number;
}

/** The report as `--json` writes it. Quantiles are null and `withinTarget` is 0 when nothing was served. */
export interface DemoReport {
  readonly requests: number;
  readonly failed: number;
  readonly withinTarget: number;
  readonly target: Target;
  readonly ttftMs: Quantiles;
  readonly latencyMs: Quantiles;
  readonly replicaSeconds: number;
  readonly maxReplicas: number;
  readonly finalReplicas: number;
  readonly scaleEvents: readonly ScaleEvent[];
  /** When replicas came to serve, or left: what a start took is between the two lists. */
  readonly readyEvents: readonly ReadyEvent[];
}

/**
 * @param sizes  in order of time; the first one is the size at `start`
 * @param readiness  in order of time
 * @param start  when the load began, @param end when watching stopped
 */
export function summarize(
  outcomes: readonly RequestOutcome[],
  sizes: readonly SizeChange[],
  readiness: readonly ReadyChange[],
  target: Target,
  start: Instant,
  end: Instant,
): DemoReport {
  const served = outcomes.filter((outcome) => !outcome.failed);
  const within = served.filter((outcome) => isWithin(outcome, target)).length;
  return {
    requests: outcomes.length,
    failed: outcomes.length - served.length,
    withinTarget: outcomes.length === 0 ? 0 : rounded(within / outcomes.length, 4),
    target,
    ttftMs: quantiles(served.map((outcome) => outcome.timeToFirstTokenMs)),
    latencyMs: quantiles(served.map((outcome) => outcome.latencyMs)),
    replicaSeconds: rounded(replicaSeconds(sizes, start, end), 1),
    maxReplicas: Math.max(0, ...sizes.map((size) => size.replicas)),
    finalReplicas: sizes.at(-1)?.replicas ?? 0,
    scaleEvents: scaleEvents(sizes, start),
    readyEvents: readiness
      .filter(({ at }) => at >= start)
      .map(({ at, ready }) => ({ atMs: Math.round(elapsed(start, at)), ready })),
  };
}

/** What a demonstration owes its reader, each missing thing as a sentence; empty when it held. */
export function shortcomings(report: DemoReport): string[] {
  const first = report.scaleEvents[0]?.from ?? report.finalReplicas;
  const missing: string[] = [];
  if (report.requests === 0) missing.push('no request was sent');
  if (report.failed > 0) missing.push(`${report.failed} of ${report.requests} requests failed`);
  if (report.maxReplicas <= first) missing.push(`it never grew beyond ${first} replicas`);
  else if (report.finalReplicas > first) {
    missing.push(`it did not come back down to ${first} replicas (still ${report.finalReplicas})`);
  }
  return missing;
}

function isWithin(outcome: RequestOutcome, target: Target): boolean {
  const meets = (measured: number | undefined, limit: number | undefined) =>
    limit === undefined || (measured !== undefined && measured <= limit);
  return meets(outcome.timeToFirstTokenMs, target.timeToFirstTokenMs) && meets(outcome.latencyMs, target.latencyMs);
}

function quantiles(values: readonly (number | undefined)[]): Quantiles {
  const sorted = values.filter((value) => value !== undefined).sort((left, right) => left - right);
  const at = (share: number): number | null => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return value === undefined ? null : rounded(value, 1);
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}

function replicaSeconds(sizes: readonly SizeChange[], start: Instant, end: Instant): number {
  return sizes.reduce((sum, size, index) => {
    const from = size.at < start ? start : size.at;
    const until = sizes[index + 1]?.at ?? end;
    return until > from ? sum + size.replicas * inSeconds(elapsed(from, until)) : sum;
  }, 0);
}

function scaleEvents(sizes: readonly SizeChange[], start: Instant): ScaleEvent[] {
  return sizes.flatMap((size, index) => {
    const before = sizes[index - 1];
    if (before === undefined || before.replicas === size.replicas) return [];
    const atMs = Math.round(elapsed(start, size.at));
    return [{ atMs, from: before.replicas, to: size.replicas, reason: size.reason }];
  });
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
