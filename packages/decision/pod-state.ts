// What is kept of one pod: the numbers of its last report, and sums of what came since the last look.
import type { Report } from '@kubeai/protocol';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';
import { never } from './moving-mean.ts';
import { agentMetrics, type Gauge, gaugeAge, gauges, gpuSource, isBlind, isBusy } from './pod-measures.ts';
import { queueSlot, type Slot } from './totals.ts';

/** What is kept of a pod: overwritten by each report, so that a second of a large fleet leaves no garbage. */
export interface PodState {
  /** When the newest window ended, on our clock. */
  measuredAt: Instant;
  busyAt: Instant;
  leaving: boolean;
  /** No request passes its agent, so it has no latencies to tell. */
  unobserved: boolean;
  /** Nor does its engine say how many it has. */
  blind: boolean;
  inFlight: number;
  /** Requests being served. */
  running: number;
  /** Milliseconds in a row in which requests waited and as many as before were served: the pod has no place left. */
  fullFor: number;
  queueSource: string;
  /** The window of the last report, where that told of a jump that no look has taken account of yet; else 0. */
  jumpWindow: number;
  windows: number;
  /** For how long a late report is assumed to tell what the one before did, milliseconds. */
  assumed: number;
  /** Where gauges of a GPU come from. */
  gpuSource: string;
  /** Three of each slot, then two of each gauge of the policy, read by the functions below. One list, since what a pod costs is to fetch
   * what lies in many places: a controller keeps a hundred thousand of them (npm run bench:decide). */
  readonly numbers: number[];
}

// What was reported since the last look is kept times its window: windows are of any length, and several may fall between two looks.
const perSlot = 3;
const [totalAt, sumAt, cameAt] = [0, 1, 2];
const perGauge = 2;
const [valueAt, ageAt] = [0, 1];

/** As of the last look. */
export const totalOf = ({ numbers }: PodState, slot: number): number => numbers[perSlot * slot + totalAt]!;
/** Events that came to be known since the last look, a second times milliseconds. */
export const cameOf = ({ numbers }: PodState, slot: number): number => numbers[perSlot * slot + cameAt]!;
/** NaN where the pod does not tell; `slots`: how many slots there are. */
export const gaugeOf = ({ numbers }: PodState, slots: number, gauge: number): number =>
  numbers[perSlot * slots + perGauge * gauge + valueAt]!;
export const gaugeAgeOf = ({ numbers }: PodState, slots: number, gauge: number): number =>
  numbers[perSlot * slots + perGauge * gauge + ageAt]!;

export function newPodState(slots: readonly Slot[], gaugeNames: readonly Gauge[]): PodState {
  return {
    measuredAt: 0 as Instant,
    busyAt: never,
    leaving: false,
    unobserved: false,
    blind: false,
    inFlight: 0,
    running: 0,
    fullFor: 0,
    queueSource: 'agent',
    jumpWindow: 0,
    windows: 0,
    assumed: 0,
    gpuSource: 'agent',
    // No number is whole by its type: a list that began with whole ones would be made anew.
    numbers: Array.from({ length: perSlot * slots.length + perGauge * gaugeNames.length }, () => Number.NaN).fill(
      0,
      0,
      perSlot * slots.length,
    ),
  };
}

/** Takes in a report that is no older than the last one. `measuredAt`: when its window ended, on our clock. */
export function takeReport(
  state: PodState,
  report: Report,
  measuredAt: Instant,
  slots: readonly Slot[],
  gaugeNames: readonly Gauge[],
): void {
  state.measuredAt = measuredAt;
  if (isBusy(report)) state.busyAt = measuredAt;
  state.leaving = report.leaving === true;
  state.unobserved = report.unobserved === true;
  state.blind = isBlind(report);
  state.inFlight = agentMetrics.inFlight(report);
  followPlaces(state, report, totalOf(state, queueSlot));
  state.queueSource = queueSources[report.queue.source];
  if (report.jumped === true) state.jumpWindow = report.windowMs;
  state.gpuSource = gpuSource(report);
  const { numbers } = state;
  let at = 0;
  for (const { of, kind } of slots) {
    if (kind === 'level') numbers[at + totalAt] = of(report);
    else numbers[at + sumAt]! += of(report) * report.windowMs;
    at += perSlot;
  }
  state.windows += report.windowMs;
  for (const gauge of gaugeNames) {
    const value = gauges[gauge](report);
    const isValue = value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY;
    numbers[at + valueAt] = isValue ? value : Number.NaN;
    numbers[at + ageAt] = gaugeAge(gauge, report);
    at += perGauge;
  }
}

/** What was measured later than now was measured by a clock that has been set back since. */
export function notAfter(state: PodState, now: Instant): void {
  if (state.measuredAt > now) state.measuredAt = now;
  if (state.busyAt > now) state.busyAt = now;
}

/** A step under way makes newcomers wait for a moment; only who waits for long, beside as many as ever, waits for a place. */
function followPlaces(state: PodState, { engine, queue, windowMs }: Report, waitedBefore: number): void {
  const running = engine?.running ?? Math.max(0, state.inFlight - queue.length);
  const sameCrowd = Math.abs(running - state.running) <= Math.max(1, limits.sameCrowd * running);
  const stillWait = Math.min(queue.length, waitedBefore) >= limits.fullQueue;
  state.fullFor = sameCrowd && stillWait ? state.fullFor + windowMs : 0;
  state.running = running;
}

/** Events are counted once, when they are told: a replica that joins takes requests from others, whose last reports still tell of them,
 * and rates added up would see load rise by half. */
export function settleTotals(state: PodState, slots: readonly Slot[], span: number, now: Instant): void {
  const isNew = state.windows > 0;
  const late = isNew ? 0 : Math.min(span, Math.max(0, elapsed(state.measuredAt, now) - limits.reportIsLate));
  // What waited behind a broken connection is no burst.
  const share = Math.min(1, (state.assumed + limits.toldAtOnce) / state.windows);
  const { numbers } = state;
  for (let slot = 0; slot < slots.length; slot += 1) {
    const { kind } = slots[slot]!;
    if (kind === 'level') continue;
    const at = perSlot * slot;
    const before = numbers[at + totalAt]!;
    if (!isNew) {
      numbers[at + cameAt] = before * late;
      continue;
    }
    const sum = numbers[at + sumAt]!;
    numbers[at + cameAt] = share * sum - before * Math.min(state.assumed, state.windows);
    numbers[at + totalAt] = sum / state.windows;
    numbers[at + sumAt] = 0;
  }
  state.assumed = isNew ? 0 : state.assumed + late;
  state.windows = 0;
}

const queueSources = { engine: 'agent/engine', limit: 'agent/limit', firstByte: 'agent/firstByte' } as const;
