// The bound: a contender that knows the trace and how long starts take. It asks, a start ahead of time, for the replicas
// that the coming work needs, at a given filling. No real autoscaler can; the distance to it is what is left to win.
import type { Contender } from './contender.ts';
import type { EngineLimits, StepTimes } from './replica.ts';
import type { Workload } from './workload.ts';

const binMs = 10_000;

/** Replica-seconds a second that arrive, by bin of ten seconds: what each request costs a replica that is well filled. */
export function offeredWork(workload: Workload, times: StepTimes, limits: EngineLimits): Float64Array {
  const work = new Float64Array(Math.ceil(workload.spanMs / binMs) + 1);
  const perDecode = times.decode[limits.maxBatch]! / limits.maxBatch;
  const perPrefill = times.prefill[limits.maxBatchedTokens]! / limits.maxBatchedTokens;
  for (let index = 0; index < workload.at.length; index += 1) {
    const cost = workload.output[index]! * perDecode + workload.prompt[index]! * perPrefill;
    work[Math.floor(workload.at[index]! / binMs)]! += cost / binMs;
  }
  return work;
}

/** The same work when it is done: reading at once, writing token by token. */
function servedWork(workload: Workload, times: StepTimes, limits: EngineLimits): Float64Array {
  const bins = Math.ceil(workload.spanMs / binMs) + 1;
  const work = new Float64Array(bins);
  const stepMs = times.decode[limits.maxBatch]!;
  const perPrefill = times.prefill[limits.maxBatchedTokens]! / limits.maxBatchedTokens;
  // A place of the batch while it writes: added where it begins, taken away where it ends, with what of a bin is left.
  const change = new Float64Array(bins + 1);
  const place = (at: number, places: number): void => {
    const bin = Math.floor(at / binMs);
    if (bin >= bins) return;
    const rest = bin + 1 - at / binMs;
    change[bin]! += places * rest;
    change[bin + 1]! += places * (1 - rest);
  };
  for (let index = 0; index < workload.at.length; index += 1) {
    const at = workload.at[index]!;
    work[Math.floor(at / binMs)]! += (workload.prompt[index]! * perPrefill) / binMs;
    place(at, 1 / limits.maxBatch);
    place(at + workload.output[index]! * stepMs, -1 / limits.maxBatch);
  }
  let places = 0;
  for (let bin = 0; bin < bins; bin += 1) {
    places += change[bin]!;
    work[bin]! += places;
  }
  return work;
}

export function clairvoyant(
  workload: Workload,
  times: StepTimes,
  limits: EngineLimits,
  startUpMs: number,
  filling: number,
): Contender {
  const work = servedWork(workload, times, limits);
  const bins = work.length;
  // A prompt waits a moment for its turn: work of the last half minute and of now count alike.
  const smooth = Float64Array.from({ length: bins }, (_, bin) => {
    let sum = 0;
    for (let back = 0; back < 3; back += 1) sum += work[Math.max(0, bin - back)]!;
    return sum / 3;
  });
  const lead = Math.ceil((1.3 * startUpMs) / binMs);
  // A replica is kept through a lull that is shorter than a start: giving it back would not pay.
  const needed = Int32Array.from({ length: bins }, (_, bin) => {
    let most = 0;
    for (let at = bin; at <= Math.min(bins - 1, bin + lead); at += 1) most = Math.max(most, smooth[at]!);
    return Math.ceil(most / filling);
  });
  return {
    name: 'clairvoyant',
    knob: 'filling',
    value: filling,
    everyMs: 1_000,
    sees: 'time',
    create: ({ min, max }) => ({
      look({ now }) {
        const size = needed[Math.min(bins - 1, Math.floor(now / binMs))]!;
        return { replicas: Math.max(min, Math.min(max, size)), why: 'knows what comes' };
      },
    }),
  };
}
