// What is kept of one pod: the numbers of its last report, and sums of what came since the last look.
import type { Report } from '@kubeai/protocol';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';
import { never } from './moving-mean.ts';
import { agentMetrics, type Gauge, gaugeAge, gaugeSource, gauges, isBlind, isBusy } from './pod-measures.ts';
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
  /** By slot, as of the last look. */
  readonly totals: number[];
  /** What was reported since, each times its window: windows are of any length, and several may fall between two looks. */
  readonly sums: number[];
  windows: number;
  /** Events that came to be known since the last look, a second times milliseconds, and for how long a late report is assumed to tell what
   * the one before did. */
  readonly came: number[];
  assumed: number;
  /** By gauge of the policy; NaN where the pod does not tell. */
  readonly gauges: number[];
  readonly gaugeAges: number[];
  readonly gaugeSources: string[];
}

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
    totals: slots.map(() => 0),
    sums: slots.map(() => 0),
    windows: 0,
    came: slots.map(() => 0),
    assumed: 0,
    gauges: gaugeNames.map(() => Number.NaN),
    gaugeAges: gaugeNames.map(() => 0),
    gaugeSources: gaugeNames.map(() => 'agent'),
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
  followPlaces(state, report, state.totals[queueSlot]!);
  state.queueSource = queueSources[report.queue.source];
  if (report.jumped === true) state.jumpWindow = report.windowMs;
  for (let slot = 0; slot < slots.length; slot += 1) {
    const { of, kind } = slots[slot]!;
    if (kind === 'level') state.totals[slot] = of(report);
    else state.sums[slot]! += of(report) * report.windowMs;
  }
  state.windows += report.windowMs;
  for (let at = 0; at < gaugeNames.length; at += 1) {
    const value = gauges[gaugeNames[at]!](report);
    state.gauges[at] = value !== undefined && value >= 0 && value < Number.POSITIVE_INFINITY ? value : Number.NaN;
    state.gaugeAges[at] = gaugeAge(gaugeNames[at]!, report);
    state.gaugeSources[at] = gaugeSource(gaugeNames[at]!, report);
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
  for (let slot = 0; slot < slots.length; slot += 1) {
    const { kind } = slots[slot]!;
    if (kind === 'level') continue;
    const before = state.totals[slot]!;
    if (!isNew) {
      state.came[slot] = before * late;
      continue;
    }
    const sum = state.sums[slot]!;
    state.came[slot] = share * sum - before * Math.min(state.assumed, state.windows);
    state.totals[slot] = sum / state.windows;
    state.sums[slot] = 0;
  }
  state.assumed = isNew ? 0 : state.assumed + late;
  state.windows = 0;
}

const queueSources = { engine: 'agent/engine', limit: 'agent/limit', firstByte: 'agent/firstByte' } as const;
