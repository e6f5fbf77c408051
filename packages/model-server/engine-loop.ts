// Runs an engine in real time with one timer for the whole of it, set to the end of the step under way: its cost grows
// with steps, not with requests. Everything that one wake-up brings a listener is told in one call.

import type { Clock, Timer } from '@kubeai/daemon';
import { type Instant, instant, milliseconds, type Result } from '@kubeai/units';
import type { Engine, EngineState, Sequence, SequenceRequest, Step } from './engine.ts';

/** Called with how many tokens have come since the last call (at least 1), and whether these were the last. */
export type TokenListener = (tokens: number, finished: boolean) => void;

export type Refusal = 'queueFull' | 'tooLong';

export interface EngineLoop {
  submit(request: SequenceRequest, listener: TokenListener): Result<Sequence, Refusal>;
  cancel(sequence: Sequence): void;
  slowDown(factor: number): void;
  hang(hung: boolean): void;
  state(): EngineState;
}

/** `onStep` hears of every completed step, before the listeners do. */
export function runEngine(engine: Engine, clock: Clock, onStep: (step: Step) => void): EngineLoop {
  const listeners = new Map<Sequence, TokenListener>();
  let timer: Timer | undefined;
  let armedFor: Instant | undefined;

  // The monotonic clock, because a step must not end early when somebody sets the time of day.
  const now = () => instant(clock.monotonic());

  function rearm(): void {
    const end = engine.nextStepEnd();
    if (end === armedFor) return;
    timer?.stop();
    armedFor = end;
    if (end === undefined) return;
    timer = clock.after(milliseconds(Math.max(0, Math.ceil(end - now()))), wake);
  }

  function wake(): void {
    armedFor = undefined;
    const news = new Map<Sequence, { tokens: number; finished: boolean }>();
    for (const step of engine.advance(now())) {
      onStep(step);
      for (const { sequence, finished } of step.emissions) {
        const told = news.get(sequence);
        news.set(sequence, { tokens: (told?.tokens ?? 0) + 1, finished });
      }
    }
    // Armed before anybody is told: a listener may submit or cancel.
    rearm();
    for (const [sequence, { tokens, finished }] of news) {
      const listener = listeners.get(sequence);
      if (finished) listeners.delete(sequence);
      listener?.(tokens, finished);
    }
  }

  return {
    submit(request, listener) {
      const outcome = engine.submit(request, now());
      if (typeof outcome === 'string') return { ok: false, problems: [outcome] };
      listeners.set(outcome, listener);
      rearm();
      return { ok: true, value: outcome };
    },
    cancel(sequence) {
      if (!listeners.delete(sequence)) return;
      engine.cancel(sequence, now());
      rearm();
    },
    slowDown: (factor) => engine.slowDown(factor),
    hang(hung) {
      engine.hang(hung, now());
      rearm();
    },
    state: () => engine.state(),
  };
}
