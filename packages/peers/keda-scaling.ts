// KEDA's decisions about a ScaledObject, as a rival: made-up values while a source fails, and the steps to and from zero
// that its replica loop (an HPA) cannot do.

export interface KedaFallback {
  readonly failureThreshold: number;
  readonly replicas: number;
  readonly behavior?:
    | 'static'
    | 'currentReplicas'
    | 'currentReplicasIfHigher'
    | 'currentReplicasIfLower'
    | 'scalingModifiers'
    | null;
}

export interface TriggerHealth {
  readonly failures: number;
  readonly status: 'Happy' | 'Failing';
}

export interface TriggerPoll {
  readonly fallback: KedaFallback | null;
  readonly healthBefore: TriggerHealth | undefined;
  readonly failed: boolean;
  readonly value: number | null;
  readonly targetType: 'AverageValue' | 'Value';
  readonly target: number;
  readonly currentReplicas: number | null;
  readonly readyReplicas: number | null;
  /** Target of a formula over all triggers, as text; null without a formula. */
  readonly modifiersTarget: string | null;
}

export interface PolledValue {
  readonly value: number | null;
  /** The error of the poll is handed on. */
  readonly error: boolean;
  readonly usedFallback: boolean;
  readonly health: TriggerHealth | undefined;
}

const isConfigured = (fallback: KedaFallback | null, modifiersTarget: string | null): fallback is KedaFallback =>
  fallback !== null &&
  fallback.failureThreshold >= 0 &&
  fallback.replicas >= 0 &&
  (modifiersTarget === null || (/^\+?\d+$/.test(modifiersTarget) && Number(modifiersTarget) > 0));

/** The value handed on after one poll of one trigger, and the count of failures afterwards. */
export function pollTrigger(poll: TriggerPoll): PolledValue {
  const { fallback, failed, value } = poll;
  if (!isConfigured(fallback, poll.modifiersTarget)) {
    return { value: failed ? null : value, error: failed, usedFallback: false, health: poll.healthBefore };
  }
  if (!failed) return { value, error: false, usedFallback: false, health: { failures: 0, status: 'Happy' } };
  const failures = (poll.healthBefore?.failures ?? 0) + 1;
  const health: TriggerHealth = { failures, status: 'Failing' };
  const madeUp = failures > fallback.failureThreshold ? madeUpValue(poll, fallback) : undefined;
  if (madeUp === undefined) return { value: null, error: true, usedFallback: false, health };
  return { value: madeUp, error: false, usedFallback: true, health };
}

/** A value from which the replica loop will land on the wanted size; undefined when there is none. */
function madeUpValue(poll: TriggerPoll, fallback: KedaFallback): number | undefined {
  // The formula makes the value itself; this only says that there is none of this trigger.
  if (fallback.behavior === 'scalingModifiers') return -1;
  const size = fallbackSize(fallback, poll.currentReplicas ?? 0);
  const target = poll.modifiersTarget === null ? poll.target : Number(poll.modifiersTarget);
  if (poll.targetType !== 'Value' || poll.modifiersTarget !== null) return size * target;
  const ready = poll.readyReplicas ?? 0;
  return ready > 0 ? (size * target) / ready : undefined;
}

function fallbackSize({ behavior, replicas }: KedaFallback, current: number): number {
  switch (behavior) {
    case 'currentReplicas':
      return current;
    case 'currentReplicasIfHigher':
      return Math.max(current, replicas);
    case 'currentReplicasIfLower':
      return Math.min(current, replicas);
    default:
      return replicas;
  }
}

/** Whether any trigger fails for longer than its fallback tolerates. */
export const isInFallback = (triggers: readonly TriggerHealth[], failureThreshold: number): boolean =>
  triggers.some(({ failures, status }) => status === 'Failing' && failures > failureThreshold);

/** The value of one trigger inside a formula; null while it is unavailable. */
export const valueInFormula = (
  value: number | null,
  fallback: KedaFallback | null,
  failures: number | null,
): number | null => (fallback !== null && failures !== null && failures > fallback.failureThreshold ? null : value);

/**
 * The value of a formula over trigger values: `a ?? b`, arithmetic, brackets and comparisons of numbers.
 * @returns undefined when there is neither a value nor a fallback
 */
export function valueOfFormula(
  formula: string | null,
  values: Readonly<Record<string, number | null>>,
  fallback: KedaFallback | null,
  target: number | null,
): number | undefined {
  const value = formula === null ? undefined : evaluate(formula, values);
  if (value !== undefined && value !== null && Number.isFinite(value)) return value;
  return formula !== null && fallback !== null && target !== null ? fallback.replicas * target : undefined;
}

/** A small expression: numbers, names, + - * / %, ??, brackets, min(…) and max(…). Undefined when it does not parse. */
function evaluate(text: string, values: Readonly<Record<string, number | null>>): number | null | undefined {
  const tokens = text.match(/\?\?|\d+(?:\.\d+)?|[A-Za-z_][A-Za-z0-9_]*|[-+*/%(),]/g) ?? [];
  if (tokens.join('') !== text.replace(/\s+/g, '')) return undefined;
  let at = 0;
  let broken = false;
  const take = (token: string): boolean => {
    if (tokens[at] !== token) return false;
    at += 1;
    return true;
  };
  const both = (
    left: number | null,
    right: number | null,
    of: (left: number, right: number) => number,
  ): number | null => (left === null || right === null ? null : of(left, right));
  const listed = (): (number | null)[] => {
    const found = [coalesced()];
    while (take(',')) found.push(coalesced());
    broken ||= !take(')');
    return found;
  };
  const atom = (): number | null => {
    const token = tokens[at];
    at += 1;
    if (token === undefined) {
      broken = true;
      return null;
    }
    if (token === '(') return listed()[0] ?? null;
    if (token === '-') return both(0, atom(), (left, right) => left - right);
    if (/^\d/.test(token)) return Number(token);
    if ((token === 'min' || token === 'max') && take('(')) {
      const among = listed();
      return among.includes(null) ? null : Math[token](...(among as number[]));
    }
    if (!/^[A-Za-z_]/.test(token) || !Object.hasOwn(values, token)) broken = true;
    return values[token] ?? null;
  };
  const product = (): number | null => {
    let left = atom();
    for (;;) {
      if (take('*')) left = both(left, atom(), (one, other) => one * other);
      else if (take('/')) left = both(left, atom(), (one, other) => one / other);
      else if (take('%')) left = both(left, atom(), (one, other) => one % other);
      else return left;
    }
  };
  const sum = (): number | null => {
    let left = product();
    for (;;) {
      if (take('+')) left = both(left, product(), (one, other) => one + other);
      else if (take('-')) left = both(left, product(), (one, other) => one - other);
      else return left;
    }
  };
  function coalesced(): number | null {
    let left = sum();
    while (take('??')) {
      const right = sum();
      left ??= right;
    }
    return left;
  }
  const value = coalesced();
  return broken || at !== tokens.length ? undefined : value;
}

const isResource = (type: string): boolean => type === 'cpu' || type === 'memory';

/** Whether a fallback can work with these triggers: it cannot make up the use of a resource. */
export const isFallbackValid = (
  fallback: KedaFallback | null,
  triggers: readonly { readonly type: string }[],
  usesModifiers: boolean,
): boolean =>
  fallback === null ||
  (fallback.failureThreshold >= 0 &&
    fallback.replicas >= 0 &&
    (usesModifiers || !triggers.every(({ type }) => isResource(type))));

export interface TriggerState {
  readonly type: string;
  readonly active: boolean;
  readonly error: boolean;
  readonly inFallback: boolean;
}

/** Activity and health of the object over all its triggers. */
export function objectState(
  triggers: readonly TriggerState[],
  modifiers: { readonly value: number; readonly activationTarget: number } | null,
): { readonly active: boolean; readonly error: boolean } {
  const error = triggers.some((trigger) => trigger.error && !trigger.inFallback);
  if (modifiers !== null) return { active: !error && modifiers.value > modifiers.activationTarget, error };
  const onlyResources = triggers.length > 0 && triggers.every(({ type }) => isResource(type));
  const active = triggers.some((trigger) => (trigger.active && !trigger.error) || trigger.inFallback);
  return { active: active || (onlyResources && !error), error };
}

export interface Activation {
  readonly currentReplicas: number;
  readonly minReplicas: number | null;
  readonly idleReplicas: number | null;
  readonly isActive: boolean;
  readonly isError: boolean;
  readonly fallback: KedaFallback | null;
  readonly forceActivation: boolean;
  readonly pauseScaleIn: boolean;
  readonly pauseScaleOut: boolean;
  readonly paused: boolean;
  readonly pausedReplicas: number | null;
  readonly lastActiveSecondsAgo: number | null;
  readonly cooldownSeconds: number | null;
  readonly initialCooldownSeconds: number | null;
  readonly createdSecondsAgo: number;
}

export interface Activated {
  readonly replicas: number;
  readonly active: boolean | null;
  readonly paused: boolean;
  readonly ready?: 'True' | 'False' | 'Unknown';
  readonly readyReason?: 'TriggerError' | 'PartialTriggerError';
  readonly activeReason?: 'ScalerActive' | 'ScalerCooldown' | 'ScalerNotActive';
  /** The moment of the last activity moves to now. */
  readonly touchesLastActive: boolean;
}

const defaultCooldownSeconds = 300;

const isCooledDown = (scene: Activation): boolean =>
  scene.lastActiveSecondsAgo === null
    ? scene.createdSecondsAgo > (scene.initialCooldownSeconds ?? 0)
    : scene.lastActiveSecondsAgo > (scene.cooldownSeconds ?? defaultCooldownSeconds);

/** The size to fall to while nothing is active. */
export const idleOrMinimum = (idleReplicas: number | null, minReplicas: number | null) =>
  idleReplicas === null ? { isIdle: false, replicas: minReplicas ?? 0 } : { isIdle: true, replicas: idleReplicas };

/** From and to zero or the idle size, outside the replica loop. */
export function activate(scene: Activation): Activated {
  const { currentReplicas: current } = scene;
  if (scene.paused || scene.pausedReplicas !== null) {
    return { replicas: current, active: null, paused: true, touchesLastActive: false };
  }
  return scene.isActive || scene.forceActivation ? whileActive(scene) : whileInactive(scene);
}

function whileActive(scene: Activation): Activated {
  const { currentReplicas: current } = scene;
  const min = scene.minReplicas ?? 0;
  const active = { active: true, paused: false, activeReason: 'ScalerActive' as const };
  const isIdling = scene.idleReplicas !== null && current < min;
  if (current === 0 || isIdling) {
    if (scene.pauseScaleOut) return { ...active, replicas: current, ready: 'True', touchesLastActive: false };
    return { ...active, replicas: Math.max(min, 1), ready: 'True', touchesLastActive: true };
  }
  if (scene.isError) {
    return {
      ...active,
      replicas: current,
      ready: 'Unknown',
      readyReason: 'PartialTriggerError',
      touchesLastActive: false,
    };
  }
  return { ...active, replicas: current, ready: 'True', touchesLastActive: true };
}

function whileInactive(scene: Activation): Activated {
  const { currentReplicas: current, fallback } = scene;
  const min = scene.minReplicas ?? 0;
  const inactive = { active: false, paused: false, touchesLastActive: false, activeReason: 'ScalerNotActive' as const };
  if (scene.isError && fallback === null) {
    return { ...inactive, replicas: current, ready: 'False', readyReason: 'TriggerError' };
  }
  // The replica loop must stay able to fall back, which it is not at zero.
  if (scene.isError && fallback !== null && fallback.replicas !== 0)
    return { ...inactive, replicas: current, ready: 'True' };
  const { isIdle, replicas: floor } = idleOrMinimum(scene.idleReplicas, scene.minReplicas);
  if (isIdle ? current > floor : current > 0 && min === 0) {
    if (!isCooledDown(scene)) return { ...inactive, replicas: current, ready: 'True', activeReason: 'ScalerCooldown' };
    return { ...inactive, replicas: scene.pauseScaleIn ? current : floor, ready: 'True' };
  }
  if (!isIdle && current < min) return { ...inactive, replicas: min, ready: 'True' };
  return { ...inactive, replicas: current, ready: 'True' };
}

/** Bounds given to the replica loop, which knows no zero. */
export const replicaLoopBounds = (minReplicas: number | null, maxReplicas: number | null) => ({
  min: minReplicas === null || minReplicas === 0 ? 1 : minReplicas,
  max: maxReplicas ?? 100,
});

export function areBoundsValid(
  minReplicas: number | null,
  maxReplicas: number | null,
  idleReplicas: number | null,
): boolean {
  const { max } = replicaLoopBounds(minReplicas, maxReplicas);
  // Unset, the minimum is 0 here; a zero that was written reads as 1.
  const min = minReplicas === null ? 0 : replicaLoopBounds(minReplicas, maxReplicas).min;
  return min <= max && (idleReplicas === null || idleReplicas < min);
}

const trueTexts = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const falseTexts = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Whether annotations pause the object. A flag that is neither true nor false pauses, to be safe. */
export function isPaused(paused: string | null, pausedReplicas: string | null): boolean {
  if (pausedReplicas !== null) return true;
  return paused !== null && (trueTexts.includes(paused) || !falseTexts.includes(paused));
}

/** The paused size; null when not asked for, undefined when it is no number. */
export function pausedSize(text: string | null): number | null | undefined {
  if (text === null) return null;
  return /^[+-]?\d+$/.test(text) ? Number(text) : undefined;
}

/** Activity by trigger: a poll tells about all in force, a push about its own. */
export function triggersActivity(
  triggers: readonly string[],
  activeNow: readonly string[],
  pushTrigger: string | null,
  before: Readonly<Record<string, boolean>>,
): Readonly<Record<string, boolean>> {
  if (pushTrigger !== null) return { ...before, [pushTrigger]: activeNow.includes(pushTrigger) };
  return Object.fromEntries(triggers.map((name) => [name, activeNow.includes(name)]));
}

export interface LoopHealth {
  /** Whether anything can be said at all; if not, the last verdict stays. */
  readonly observed: boolean;
  readonly healthy?: boolean;
  readonly reason?: string;
}

/** Health of the replica loop, by its ScalingActive condition. At zero it is disabled, which is healthy. */
export function replicaLoopHealth(
  name: string,
  readError: boolean,
  conditions: readonly { readonly type: string; readonly status: string; readonly reason: string }[],
): LoopHealth {
  const scaling = conditions.find(({ type }) => type === 'ScalingActive');
  if (name === '' || readError || scaling === undefined) return { observed: false };
  if (scaling.status === 'True') return { observed: true, healthy: true, reason: 'active' };
  if (scaling.reason === 'ScalingDisabled') return { observed: true, healthy: true, reason: 'scaling-disabled' };
  return { observed: true, healthy: false, reason: scaling.reason === '' ? 'metrics-unavailable' : scaling.reason };
}
