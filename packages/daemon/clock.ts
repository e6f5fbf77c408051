// The only place in the house that reads the clock. Everybody else is told `now` or is given a Clock, so an hour of
// scaling is tested in a millisecond with createManualClock.
import { performance } from 'node:perf_hooks';
import { after, type Instant, instant, type Milliseconds, milliseconds } from '@kubeai/units';

/** A timer that has been started. Stopping it twice is harmless. */
export interface Timer {
  stop(): void;
}

export interface Clock {
  /** The time of day on this machine; it may jump when an administrator sets the clock. */
  now(): Instant;
  /** Time since some fixed moment, with fractions; it never jumps. Spans are measured with this. */
  monotonic(): Milliseconds;
  /** Calls `action` once, `span` from now. */
  after(span: Milliseconds, action: () => void): Timer;
  /** Calls `action` every `span`, first one `span` from now. */
  every(span: Milliseconds, action: () => void): Timer;
  /** Resolves after `span`, or at once when `signal` aborts. */
  sleep(span: Milliseconds, signal?: AbortSignal): Promise<void>;
}

export interface ManualClock extends Clock {
  /** Moves time on, calling what falls due in order and letting promises settle in between. */
  advance(span: Milliseconds): Promise<void>;
}

/** The machine's clock. Its timers do not keep the process alive by themselves. */
export function createClock(): Clock {
  const clock: Clock = {
    now: () => instant(Date.now()),
    monotonic: () => milliseconds(performance.now()),
    after(span, action) {
      const handle = setTimeout(action, span).unref();
      return { stop: () => clearTimeout(handle) };
    },
    every(span, action) {
      const handle = setInterval(action, span).unref();
      return { stop: () => clearInterval(handle) };
    },
    sleep: (span, signal) => sleepOn(clock, span, signal),
  };
  return clock;
}

/** A clock that stands still until a test moves it. */
export function createManualClock(start: Instant = instant(0)): ManualClock {
  interface Due {
    at: number;
    readonly action: () => void;
    readonly period: number | undefined;
  }
  let now: number = start;
  const pending = new Set<Due>();
  const add = (span: number, action: () => void, period?: number): Timer => {
    const due = { at: now + span, action, period };
    pending.add(due);
    return { stop: () => void pending.delete(due) };
  };
  const settle = async () => {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
  };
  const clock: ManualClock = {
    now: () => instant(now),
    monotonic: () => milliseconds(now - start),
    after: (span, action) => add(span, action),
    every: (span, action) => add(span, action, Math.max(1, span)),
    sleep: (span, signal) => sleepOn(clock, span, signal),
    async advance(span) {
      const end = after(instant(now), span);
      await settle();
      for (;;) {
        let next: Due | undefined;
        for (const due of pending) if (due.at <= end && (next === undefined || due.at < next.at)) next = due;
        if (next === undefined) break;
        now = Math.max(now, next.at);
        if (next.period === undefined) pending.delete(next);
        else next.at += next.period;
        next.action();
        await settle();
      }
      now = end;
    },
  };
  return clock;
}

function sleepOn(clock: Clock, span: Milliseconds, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const wake = () => {
      timer.stop();
      signal?.removeEventListener('abort', wake);
      resolve();
    };
    const timer = clock.after(span, wake);
    signal?.addEventListener('abort', wake, { once: true });
  });
}
