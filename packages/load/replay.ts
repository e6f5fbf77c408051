// Replays a trace against a URL, open loop: every request is sent when it is due, whether or not earlier ones were
// answered, because that is what users do. (A client that waits for answers slows down with the server and hides it.)
import { setMaxListeners } from 'node:events';
import { type Clock, createClock, type Timer } from '@kubeai/daemon';
import { createSketch } from '@kubeai/sketch';
import { after, elapsed, instant, type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import { defaultTimeout, longestSleep, maxInFlight } from './limits.ts';
import { playRequest, type RequestRecord, type Target } from './play-request.ts';
import { type LoadReport, reportOf } from './report.ts';
import { type ScheduledRequest, type ScheduleOptions, scheduleOf } from './schedule.ts';
import type { Trace } from './trace.ts';

export interface ReplayOptions extends ScheduleOptions {
  /** The server, such as `http://127.0.0.1:8000`; without a path, chat completions are asked for. */
  readonly url: string;
  /** What requests call the model; left out when not given. */
  readonly model?: string | undefined;
  readonly timeout?: Milliseconds | undefined;
  readonly maxInFlight?: number | undefined;
  /** Stops the replay: nothing more is sent, open requests end as `stopped`. */
  readonly signal?: AbortSignal | undefined;
  /** Called once a second. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly clock?: Clock | undefined;
}

export interface Progress {
  readonly elapsedMs: Milliseconds;
  /** Requests that will be due in all. */
  readonly planned: number;
  readonly sent: number;
  readonly inFlight: number;
  readonly succeeded: number;
  readonly failed: number;
}

/** Resolves when the last request has ended, or soon after `signal` aborts. Failures of requests are in the report. */
export async function replay(trace: Trace, options: ReplayOptions): Promise<LoadReport> {
  const { clock = createClock(), onProgress } = options;
  const signal = AbortSignal.any(options.signal === undefined ? [] : [options.signal]);
  setMaxListeners(0, signal); // one for each open request, and those are bounded
  const schedule = scheduleOf(trace, options);
  const target: Target = {
    url: completionsUrl(options.url),
    model: options.model,
    timeout: options.timeout ?? defaultTimeout,
  };
  const mostInFlight = options.maxInFlight ?? maxInFlight;
  const records: RequestRecord[] = [];
  const gaps = createSketch();
  const now = () => instant(clock.monotonic());
  const start = now();
  const open = new Set<Promise<void>>();

  function send(scheduled: ScheduledRequest): void {
    const due = after(start, scheduled.at);
    if (open.size >= mostInFlight) {
      records.push(notSent(scheduled, elapsed(due, now())));
      return;
    }
    const playing = playRequest(scheduled, due, target, clock, signal, (gap) => gaps.record(gap)).then((record) => {
      records.push(record);
      open.delete(playing);
    });
    open.add(playing);
  }

  function progress(): Progress {
    const succeeded = records.filter(({ outcome }) => outcome === 'ok').length;
    return {
      elapsedMs: elapsed(start, now()),
      planned: schedule.length,
      sent: records.length + open.size,
      inFlight: open.size,
      succeeded,
      failed: records.length - succeeded,
    };
  }

  // The clock's timers let a process end, and between two arrivals nothing else might hold it.
  const hold = setInterval(() => undefined, longestSleep);
  const ticking: Timer | undefined = onProgress && clock.every(seconds(1), () => onProgress(progress()));
  try {
    for (const scheduled of schedule) {
      for (let left = elapsed(now(), after(start, scheduled.at)); left > 0 && !signal.aborted; ) {
        await clock.sleep(milliseconds(Math.min(left, longestSleep)), signal);
        left = elapsed(now(), after(start, scheduled.at));
      }
      if (signal.aborted) break;
      send(scheduled);
    }
    await Promise.all(open);
  } finally {
    clearInterval(hold);
    ticking?.stop();
  }
  return reportOf(records, gaps, elapsed(start, now()));
}

/** Where chat completions are asked for: the URL itself when it has a path, else the usual path. Throws when it is none. */
export function completionsUrl(text: string): URL {
  const url = new URL(text);
  if (url.pathname === '/') url.pathname = '/v1/chat/completions';
  return url;
}

const notSent = (scheduled: ScheduledRequest, lateMs: Milliseconds): RequestRecord => ({
  row: scheduled.row,
  dueMs: scheduled.at,
  lateMs,
  outcome: 'tooManyInFlight',
  latencyMs: lateMs,
  promptTokens: scheduled.promptTokens,
  askedTokens: Math.max(1, scheduled.outputTokens),
  generatedTokens: 0,
});
