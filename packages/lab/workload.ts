// The requests of a simulation as columns: a day of a million of them is three arrays and not a million objects.
import type { ScheduledRequest } from '@kubeai/load';
import { createRandom } from './random.ts';

export interface Workload {
  readonly name: string;
  /** Milliseconds since the start, sorted. */
  readonly at: Float64Array;
  readonly prompt: Int32Array;
  readonly output: Int32Array;
  /** How long is simulated, in milliseconds. */
  readonly spanMs: number;
}

/** Longer requests than a server accepts are cut to what it does. */
const longest = 16_000;

interface Row {
  readonly at: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Sorts and packs requests. A request reads and writes at least one token, as servers demand. */
export function workloadOf(name: string, rows: readonly Row[], spanMs: number): Workload {
  const sorted = rows.every((row, index) => index === 0 || row.at >= rows[index - 1]!.at)
    ? rows
    : [...rows].sort((left, right) => left.at - right.at);
  const output = Int32Array.from(sorted, ({ outputTokens }) => Math.min(Math.max(1, outputTokens), longest / 2));
  return {
    name,
    spanMs,
    at: Float64Array.from(sorted, ({ at }) => at),
    prompt: Int32Array.from(sorted, ({ promptTokens }, index) =>
      Math.min(Math.max(1, promptTokens), longest - output[index]!),
    ),
    output,
  };
}

/** A request trace as it was scheduled; the last answers get a while to finish. */
export const workloadOfSchedule = (name: string, schedule: readonly ScheduledRequest[]): Workload =>
  workloadOf(name, schedule, (schedule.at(-1)?.at ?? 0) + 60_000);

/** So many copies of every request, each moved by up to `jitterMs` either way: more load of the same shape. */
export function multiplied(workload: Workload, copies: number, jitterMs: number, seed: number): Workload {
  if (copies === 1) return workload;
  const random = createRandom(seed);
  const rows: Row[] = [];
  for (let index = 0; index < workload.at.length; index += 1) {
    for (let copy = 0; copy < copies; copy += 1) {
      const at = workload.at[index]! + (copy === 0 ? 0 : jitterMs * (2 * random.uniform() - 1));
      rows.push({ at: Math.max(0, at), promptTokens: workload.prompt[index]!, outputTokens: workload.output[index]! });
    }
  }
  return workloadOf(`${workload.name} × ${copies}`, rows, workload.spanMs);
}
