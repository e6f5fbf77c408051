// Sends one request on a connection of its own and watches the answer come. A new connection each time lets a balancer
// that works by connections spread the load.
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import type { Clock } from '@kubeai/daemon';
import { elapsed, type Instant, instant, type Milliseconds } from '@kubeai/units';
import { completionBody } from './completion-body.ts';
import { createEventStream } from './event-stream.ts';
import type { ScheduledRequest } from './schedule.ts';

/** How a request can fail. */
export const failures = {
  connect: 'no connection came about',
  reset: 'the connection broke before the answer was complete',
  timeout: 'the answer took longer than the timeout',
  status: 'the answer had a status other than 200',
  truncated: 'the stream ended without [DONE] or with fewer tokens than asked for',
  tooManyInFlight: 'it was not sent, because too many requests were open already',
} as const;

export type Failure = keyof typeof failures;

/** `stopped`: the replay was stopped while it was open; nobody's failure. */
export type Outcome = 'ok' | 'stopped' | Failure;

/** One request, as it went. Times run from when it was due, so a late client cannot make a server look fast. */
export interface RequestRecord {
  readonly row: number;
  /** When it was due, since the start of the replay. */
  readonly dueMs: Milliseconds;
  /** How much later it was sent: what the client itself added to the times below. */
  readonly lateMs: Milliseconds;
  readonly outcome: Outcome;
  readonly status?: number | undefined;
  readonly timeToFirstTokenMs?: Milliseconds | undefined;
  /** To the end, good or bad. */
  readonly latencyMs: Milliseconds;
  /** The longest gap between two tokens; absent with fewer than two. */
  readonly longestGapMs?: Milliseconds | undefined;
  readonly promptTokens: number;
  readonly askedTokens: number;
  readonly generatedTokens: number;
}

export interface Target {
  readonly url: URL;
  readonly model: string | undefined;
  readonly timeout: Milliseconds;
}

/** Never rejects: whatever happens is an outcome. `due` is on the clock's monotonic time; `onGap` hears each gap. */
export function playRequest(
  scheduled: ScheduledRequest,
  due: Instant,
  target: Target,
  clock: Clock,
  signal: AbortSignal,
  onGap: (gap: Milliseconds) => void,
): Promise<RequestRecord> {
  const now = () => instant(clock.monotonic());
  const sentAt = now();
  const asked = Math.max(1, scheduled.outputTokens);
  const stream = createEventStream();
  let connected = false;
  let status: number | undefined;
  let firstTokenAt: Instant | undefined;
  let lastTokenAt: Instant | undefined;
  let longestGap: Milliseconds | undefined;

  return new Promise((resolve) => {
    let settled = false;
    const settle = (outcome: Outcome) => {
      if (settled) return;
      settled = true;
      timer.stop();
      signal.removeEventListener('abort', stop);
      if (outcome !== 'ok') request.destroy();
      resolve({
        row: scheduled.row,
        dueMs: scheduled.at,
        lateMs: elapsed(due, sentAt),
        outcome,
        status,
        timeToFirstTokenMs: firstTokenAt === undefined ? undefined : elapsed(due, firstTokenAt),
        latencyMs: elapsed(due, now()),
        longestGapMs: longestGap,
        promptTokens: scheduled.promptTokens,
        askedTokens: asked,
        generatedTokens: stream.usage ?? stream.tokens,
      });
    };
    const stop = () => settle('stopped');

    const takeIn = (piece: string) => {
      const tokens = stream.feed(piece);
      if (tokens === 0) return;
      const at = now();
      if (lastTokenAt !== undefined) {
        // Tokens that arrive together: the first of them waited, the others did not.
        const gap = elapsed(lastTokenAt, at);
        onGap(gap);
        longestGap = Math.max(longestGap ?? 0, gap) as Milliseconds;
      }
      for (let more = 1; more < tokens; more += 1) onGap(0 as Milliseconds);
      firstTokenAt ??= at;
      lastTokenAt = at;
    };

    const answer = (response: IncomingMessage) => {
      status = response.statusCode;
      response.on('error', () => settle('reset'));
      response.on('close', () => settle('reset')); // after the end it says nothing new
      if (status !== 200) return settle('status');
      response.setEncoding('utf8').on('data', takeIn);
      response.on('end', () => {
        const complete = stream.done && (stream.usage ?? stream.tokens) >= asked;
        settle(complete ? 'ok' : 'truncated');
      });
      return undefined;
    };

    const body = completionBody(scheduled, target.model);
    const request: ClientRequest = httpRequest(target.url, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': body.length, accept: 'text/event-stream' },
    });
    request.once('socket', (socket) => socket.once('connect', () => (connected = true)));
    request.on('response', answer);
    request.on('error', () => settle(connected ? 'reset' : 'connect'));
    const timer = clock.after(target.timeout, () => settle('timeout'));
    if (signal.aborted) return stop();
    signal.addEventListener('abort', stop, { once: true });
    request.end(body);
    return undefined;
  });
}
