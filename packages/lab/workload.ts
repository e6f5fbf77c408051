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
  /** When the load is known to have jumped up, in milliseconds: recovery is counted from there. */
  readonly steps: readonly number[];
}

/** Tokens of a request that every measured server has memory for; longer ones are cut to it, half of it for the answer. */
export const longest = 16_000;

/** How many requests are as long as a server takes, and most likely were longer. */
export const countOfLongest = ({ prompt, output }: Workload): number =>
  prompt.reduce((sum, tokens, index) => sum + (isLongest(tokens, output[index]!) ? 1 : 0), 0);

const isLongest = (promptTokens: number, outputTokens: number): boolean =>
  promptTokens + outputTokens >= longest || outputTokens >= longest / 2;

interface Row {
  readonly at: number;
  readonly promptTokens: number;
  readonly outputTokens: number;
}

/** Requests as they are drawn, in any order. */
export interface Draft {
  add(at: number, promptTokens: number, outputTokens: number): void;
  /** Sorts and packs them. A request reads and writes at least one token, as servers demand. */
  workload(name: string, spanMs: number): Workload;
}

export function createDraft(): Draft {
  let at = new Float64Array(1_024);
  let prompt = new Int32Array(1_024);
  let output = new Int32Array(1_024);
  let count = 0;
  let isSorted = true;
  return {
    add(when, promptTokens, outputTokens) {
      if (count === at.length) {
        at = grown(at, new Float64Array(2 * count));
        prompt = grown(prompt, new Int32Array(2 * count));
        output = grown(output, new Int32Array(2 * count));
      }
      const tokens = Math.min(Math.max(1, outputTokens), longest / 2);
      at[count] = when;
      output[count] = tokens;
      prompt[count] = Math.min(Math.max(1, promptTokens), longest - tokens);
      if (count > 0 && when < at[count - 1]!) isSorted = false;
      count += 1;
    },
    workload(name, spanMs) {
      const order = Uint32Array.from({ length: count }, (_, index) => index);
      if (!isSorted) order.sort((left, right) => at[left]! - at[right]!);
      return {
        name,
        spanMs,
        steps: [],
        at: Float64Array.from(order, (index) => at[index]!),
        prompt: Int32Array.from(order, (index) => prompt[index]!),
        output: Int32Array.from(order, (index) => output[index]!),
      };
    },
  };
}

function grown<Column extends Float64Array | Int32Array>(from: Column, to: Column): Column {
  to.set(from);
  return to;
}

export function workloadOf(name: string, rows: readonly Row[], spanMs: number): Workload {
  const draft = createDraft();
  for (const { at, promptTokens, outputTokens } of rows) draft.add(at, promptTokens, outputTokens);
  return draft.workload(name, spanMs);
}

/** How long after its last request a stretch is simulated on, so that answers come to their end. */
const tailMs = 60_000;

/** A request trace as it was scheduled; the last answers get a while to finish. */
export const workloadOfSchedule = (name: string, schedule: readonly ScheduledRequest[]): Workload =>
  workloadOf(name, schedule, (schedule.at(-1)?.at ?? 0) + tailMs);

/** The first requests of a workload: at most so many, and none later than that. */
export function limited(
  workload: Workload,
  { limit, duration }: { readonly limit?: number | undefined; readonly duration?: number | undefined },
): Workload {
  const { at, prompt, output } = workload;
  const late = duration === undefined ? -1 : at.findIndex((each) => each > duration);
  const count = Math.min(limit ?? at.length, late === -1 ? at.length : late);
  return {
    ...workload,
    spanMs: Math.min(workload.spanMs, (duration ?? Number.POSITIVE_INFINITY) + tailMs),
    at: at.subarray(0, count),
    prompt: prompt.subarray(0, count),
    output: output.subarray(0, count),
  };
}

/** So many copies of every request, each moved by up to `jitterMs` either way: more load of the same shape. */
export function multiplied(workload: Workload, copies: number, jitterMs: number, seed: number): Workload {
  if (copies === 1) return workload;
  const random = createRandom(seed);
  const draft = createDraft();
  for (let index = 0; index < workload.at.length; index += 1) {
    for (let copy = 0; copy < copies; copy += 1) {
      const at = workload.at[index]! + (copy === 0 ? 0 : jitterMs * (2 * random.uniform() - 1));
      draft.add(Math.max(0, at), workload.prompt[index]!, workload.output[index]!);
    }
  }
  return draft.workload(`${workload.name} × ${copies}`, workload.spanMs);
}
