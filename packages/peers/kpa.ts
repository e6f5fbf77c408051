// Knative's pod autoscaler, as a rival: a stable and a panic window, bounds, and the road to zero.
import { createTimedMaximum, type SlidingMaximum } from './kpa-windows.ts';

export interface KpaSpec {
  readonly target: number;
  /** Capacity of a pod before the utilisation fraction; for the burst capacity. */
  readonly total: number;
  readonly targetBurstCapacity: number;
  readonly panicThreshold: number;
  readonly maxScaleUpRate: number;
  readonly maxScaleDownRate: number;
  readonly stableWindowSeconds: number;
  readonly scaleDownDelaySeconds: number;
  readonly activationScale: number;
  readonly reachable: boolean;
}

export interface KpaObservation {
  /** Seconds on the caller's clock. */
  readonly at: number;
  /** Null when the pods cannot be counted. */
  readonly readyPods: number | null;
  /** Averages over the windows, totalled over pods; absent without data. */
  readonly stable?: number;
  readonly panic?: number;
}

export type KpaDecision =
  | { readonly valid: false }
  | {
      readonly valid: true;
      readonly desired: number;
      readonly excessBurstCapacity: number;
      readonly panicking: boolean;
      readonly panicSince: number | null;
    };

export interface KpaAutoscaler {
  decide(observation: KpaObservation): KpaDecision;
  update(spec: KpaSpec): void;
  state(): { readonly panicking: boolean; readonly maxPanicPods: number };
}

const tickSeconds = 2;

/** With more than one pod ready there is a past that is not known: start in panic, which never shrinks. */
export function createKpa(
  firstSpec: KpaSpec,
  readyAtStart: number | null,
  at: number,
  before?: { readonly panickingForSeconds?: number; readonly maxPanicPods?: number },
): KpaAutoscaler {
  let spec = firstSpec;
  const ready = readyAtStart ?? 0;
  let maxPanicPods = before?.maxPanicPods ?? ready;
  let panicSince: number | null =
    before?.panickingForSeconds !== undefined ? at - before.panickingForSeconds : ready > 1 ? at : null;
  const delay: SlidingMaximum | undefined =
    spec.scaleDownDelaySeconds > 0 ? createTimedMaximum(spec.scaleDownDelaySeconds, tickSeconds) : undefined;

  return {
    update: (next) => {
      spec = next;
    },
    state: () => ({ panicking: panicSince !== null, maxPanicPods }),
    decide({ at: now, readyPods, stable, panic }) {
      if (readyPods === null || stable === undefined || panic === undefined) return { valid: false };
      const pods = Math.max(1, readyPods);
      const upCap = Math.ceil(spec.maxScaleUpRate * pods);
      const downCap = spec.reachable ? Math.floor(pods / spec.maxScaleDownRate) : 0;
      const capped = (size: number) => Math.min(Math.max(size, downCap), upCap);
      const activated = (raw: number, size: number) =>
        spec.activationScale > 1 && raw > 0 ? Math.max(size, spec.activationScale) : size;
      const rawStable = Math.ceil(stable / spec.target);
      const rawPanic = Math.ceil(panic / spec.target);
      const stableSize = activated(rawStable, capped(rawStable));
      const panicSize = activated(rawPanic, capped(rawPanic));

      if (rawPanic / pods >= spec.panicThreshold) panicSince = now;
      else if (panicSince !== null && panicSince + spec.stableWindowSeconds < now) {
        panicSince = null;
        maxPanicPods = 0;
      }
      let desired = stableSize;
      if (panicSince !== null) {
        maxPanicPods = Math.max(maxPanicPods, stableSize, panicSize);
        desired = maxPanicPods;
      }
      if (spec.reachable && delay !== undefined) desired = delay.record(now, desired);
      const excessBurstCapacity =
        spec.targetBurstCapacity === 0
          ? 0
          : spec.targetBurstCapacity < 0
            ? -1
            : Math.floor(readyPods * spec.total - spec.targetBurstCapacity - panic);
      return { valid: true, desired, excessBurstCapacity, panicking: panicSince !== null, panicSince };
    },
  };
}

export interface KpaTargetConfig {
  readonly concurrencyTargetFraction: number;
  readonly concurrencyTargetDefault: number;
  readonly rpsTargetDefault: number;
  readonly otherMetricsTargetFraction: number;
}

/** What a pod should carry, and what it can. */
export function kpaTarget(
  metric: string,
  containerConcurrency: number,
  targetOverride: number | null,
  utilizationOverride: number | null,
  config: KpaTargetConfig,
): { readonly target: number; readonly total: number } {
  const isConcurrency = metric === 'concurrency';
  const limit = containerConcurrency > 0 ? containerConcurrency : undefined;
  let total = isConcurrency
    ? (limit ?? config.concurrencyTargetDefault)
    : metric === 'rps'
      ? config.rpsTargetDefault
      : 0;
  if (targetOverride !== null) {
    total = isConcurrency && limit !== undefined ? Math.min(targetOverride, limit) : targetOverride;
  }
  const fraction = isConcurrency ? config.concurrencyTargetFraction : config.otherMetricsTargetFraction;
  return { target: Math.max(0.01, total * (utilizationOverride ?? fraction)), total };
}

export type Reachability = 'reachable' | 'unreachable' | 'unknown';

const wholeNumber = (text: string | null): number | undefined =>
  text !== null && /^[+-]?\d+$/.test(text) ? Number(text) : undefined;

/** Bounds by annotation or default; 0 stands for none. An unreachable revision need not keep anything. */
export function kpaBounds(
  minOverride: string | null,
  maxOverride: string | null,
  config: { readonly minScale: number; readonly maxScale: number },
  reachability: Reachability,
): { readonly min: number; readonly max: number } {
  const min = wholeNumber(minOverride) ?? config.minScale;
  return { min: reachability === 'unreachable' ? 0 : min, max: wholeNumber(maxOverride) ?? config.maxScale };
}

/** Lengths of the stable and the panic window, the latter in whole buckets. */
export function kpaWindows(stableSeconds: number, panicPercent: number, bucketSeconds: number) {
  const panic = Math.round((stableSeconds * panicPercent) / 100);
  return {
    stableWindowSeconds: stableSeconds,
    panicWindowSeconds: Math.max(bucketSeconds, panic),
  };
}

export const kpaInitialScale = (
  override: number | null,
  config: { readonly initialScale: number; readonly allowZeroInitialScale: boolean },
): number => (override === null || (override === 0 && !config.allowZeroInitialScale) ? config.initialScale : override);

export interface KpaScene {
  readonly currentReplicas: number;
  /** -1: unknown. */
  readonly desired: number;
  readonly minScale: number;
  readonly maxScale: number;
  readonly initialScale: number;
  readonly initialScaleReached: boolean;
  readonly reachability: Reachability;
  readonly activity: { readonly state: 'active' | 'inactive' | 'activating'; readonly forSeconds: number };
  readonly stableWindowSeconds: number;
  readonly podRetentionSeconds: number;
  readonly progressDeadlineSeconds: number;
  readonly gracePeriodSeconds: number;
  readonly scaleToZeroEnabled: boolean;
  readonly targetBurstCapacity: number;
  /** Whether traffic goes through the proxy already, for how long, and whether it answers when asked. */
  readonly proxyMode: boolean;
  readonly proxyForSeconds: number;
  readonly proxyAnswers: boolean;
}

export interface KpaApplied {
  /** Size reported; -1 when there is none. */
  readonly desired: number;
  readonly applied: boolean;
  /** A later look was booked so often. */
  readonly requeues: number;
  /** Background probes started. */
  readonly probes: number;
}

const activationGraceSeconds = 30;

/** From the wanted size to what is written, with bounds, the initial scale and the road to zero. */
export function applyKpaScale(scene: KpaScene): KpaApplied {
  const { activity, currentReplicas } = scene;
  const report = (desired: number, rest: Partial<KpaApplied> = {}): KpaApplied => ({
    desired,
    applied: false,
    requeues: 0,
    probes: 0,
    ...rest,
  });
  const bounded = boundKpa(scene);
  if (scene.desired < 0 && activity.state !== 'activating') return report(scene.desired);
  const toZero = bounded === 0 ? roadToZero(scene) : { size: bounded, write: true, requeues: 0, probes: 0 };
  if (toZero.size < 0 || !toZero.write) return report(toZero.size, toZero);
  return report(toZero.size, {
    applied: toZero.size !== currentReplicas,
    requeues: toZero.requeues,
    probes: toZero.probes,
  });
}

function boundKpa({ desired, minScale, maxScale, initialScale, initialScaleReached, reachability }: KpaScene): number {
  const reachable = reachability !== 'unreachable';
  const initial = reachable && !initialScaleReached && initialScale > 1 ? initialScale : 0;
  const min = Math.max(reachable ? minScale : 0, initial);
  const atLeast = Math.max(desired, min);
  return maxScale > 0 ? Math.min(atLeast, maxScale) : atLeast;
}

interface ZeroStep {
  readonly size: number;
  readonly write: boolean;
  readonly requeues: number;
  readonly probes: number;
}

function roadToZero(scene: KpaScene): ZeroStep {
  const step = (size: number, write: boolean, requeues = 0, probes = 0): ZeroStep => ({
    size,
    write,
    requeues,
    probes,
  });
  const { activity, stableWindowSeconds, gracePeriodSeconds } = scene;
  if (!scene.scaleToZeroEnabled) return step(1, true);
  if (activity.state === 'activating') {
    const deadline = scene.progressDeadlineSeconds + activationGraceSeconds;
    return activity.forSeconds > deadline ? step(0, true) : step(-1, false, 1);
  }
  if (activity.state === 'active') {
    if (activity.forSeconds < stableWindowSeconds) return step(1, true, 1);
    // Reported, so that the caller marks it inactive; a proxy that is in place already is worth a second look.
    return step(0, false, scene.proxyMode ? 1 : 0);
  }
  const alwaysProxied = scene.targetBurstCapacity === -1;
  if (!alwaysProxied && !scene.proxyAnswers) return step(0, false, 0, 1);
  const retention = scene.reachability === 'unreachable' ? 0 : scene.podRetentionSeconds;
  if (activity.forSeconds >= Math.max(gracePeriodSeconds, retention)) return step(0, true);
  if (retention > 0 && activity.forSeconds < retention) return step(0, false, 1);
  // How long traffic has gone through the proxy counts as well as how long there was none.
  return scene.proxyForSeconds >= gracePeriodSeconds ? step(0, true) : step(0, false, 1);
}
