// Keeps the books of everything that passes: one window for the next report, and totals since the start for /metrics.
// Called in the path of every request, so it only adds numbers; what is expensive (encoding, rendering) happens once a
// second or at scrape time.
import type { StatusClass, Traffic } from '@kubeai/protocol';
import { createSketch, type Sketch } from '@kubeai/sketch';
import { isLoad, type Route, routes } from './route.ts';

export const blindReasons = {
  Tls: 'the client speaks TLS to the model server',
  Upgraded: 'the connection became a WebSocket or another protocol',
  Tunnel: 'the client asked for a tunnel',
  NotHttp: 'the bytes are not HTTP, or not written as the standard wants it',
  TooLong: 'a head is longer than is kept, or too many heads are unfinished',
  TooDeep: 'more requests are on their way at once than are followed',
  Unexpected: 'the two sides do not fit together',
  Fault: 'the observer failed; its log line says how',
} as const;
/** Why a connection passes through without being measured. */
export type BlindReason = keyof typeof blindReasons;

/** One request and what has been seen of it. */
export interface Exchange {
  readonly route: Route;
  readonly load: boolean;
  readonly startedAt: number;
  firstByteAt: number;
  lastTokenAt: number;
  tokenEvents: number;
  ended: boolean;
}

export interface RouteTotals {
  readonly statuses: Map<StatusClass, number>;
  failed: number;
  aborted: number;
  rejected: number;
  readonly latencyMs: Sketch;
  readonly timeToFirstByteMs: Sketch;
  readonly timeToFirstTokenMs: Sketch;
  readonly interTokenMs: Sketch;
}

export interface Totals {
  readonly routes: ReadonlyMap<Route, RouteTotals>;
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly unobserved: ReadonlyMap<BlindReason, number>;
  readonly connections: number;
  readonly openConnections: number;
}

export interface TrafficBook {
  connected(): void;
  disconnected(): void;
  begin(route: Route, now: number): Exchange;
  firstByte(exchange: Exchange, now: number): void;
  /** Output arrived: `events` pieces of it in one chunk. */
  tokens(exchange: Exchange, events: number, now: number): void;
  /** What the answer says of itself, where it does. */
  usage(exchange: Exchange, promptTokens: number | undefined, generatedTokens: number | undefined): void;
  finish(exchange: Exchange, status: StatusClass, now: number): void;
  /** The client went away first. */
  abort(exchange: Exchange, now: number): void;
  /** The server broke off or did not accept. */
  fail(exchange: Exchange, now: number): void;
  /** The concurrency limit turned it away. */
  reject(exchange: Exchange, now: number): void;
  /** The connection is no longer understood: how this one ends is not known. */
  lose(exchange: Exchange, now: number): void;
  unobserved(reason: BlindReason): void;
  /** Requests and load in flight now, probes included. */
  readonly open: number;
  readonly inFlight: number;
  readonly waitingFirstByte: number;
  totals(): Totals;
  /** What happened since the last call; begins a new window. */
  closeWindow(now: number): Traffic;
}

/**
 * Empty books, opened at `start` (monotonic milliseconds, as every `now`).
 * @param began hears of each beginning of load: requests in flight now, and begun in this window
 */
export function createTrafficBook(
  start: number,
  began: (inFlight: number, started: number) => void = () => undefined,
): TrafficBook {
  const byRoute = new Map<Route, RouteTotals>();
  const unobserved = new Map<BlindReason, number>();
  const window = {
    latencyMs: createSketch(),
    timeToFirstByteMs: createSketch(),
    timeToFirstTokenMs: createSketch(),
    interTokenMs: createSketch(),
  };
  let finished: Partial<Record<StatusClass, number>> = {};
  let started = 0;
  let failed = 0;
  let aborted = 0;
  let rejected = 0;
  let promptTokens: number | undefined;
  let generatedTokens = 0;
  let unobservedConnections = 0;

  let connections = 0;
  let openConnections = 0;
  let totalPromptTokens = 0;
  let totalGeneratedTokens = 0;

  let open = 0;
  let inFlight = 0;
  let waiting = 0;
  // Requests × milliseconds since the window began: divided by its length, the mean concurrency.
  let area = 0;
  let areaAt = start;
  let windowStart = start;

  const totalsOf = (route: Route): RouteTotals => {
    let totals = byRoute.get(route);
    if (totals === undefined) {
      totals = {
        statuses: new Map(),
        failed: 0,
        aborted: 0,
        rejected: 0,
        latencyMs: createSketch(),
        timeToFirstByteMs: createSketch(),
        timeToFirstTokenMs: createSketch(),
        interTokenMs: createSketch(),
      };
      byRoute.set(route, totals);
    }
    return totals;
  };

  const count = (change: 1 | -1, now: number): void => {
    area += inFlight * (now - areaAt);
    areaAt = now;
    inFlight += change;
  };

  const record = (exchange: Exchange, what: keyof typeof window, value: number, times = 1): void => {
    totalsOf(exchange.route)[what].record(value, times);
    if (exchange.load) window[what].record(value, times);
  };

  /** Takes the request out of the books; false when it has left them already. */
  const close = (exchange: Exchange, now: number): boolean => {
    if (exchange.ended) return false;
    exchange.ended = true;
    open -= 1;
    if (exchange.load) {
      count(-1, now);
      if (exchange.firstByteAt < 0) waiting -= 1;
    }
    return true;
  };

  return {
    connected() {
      connections += 1;
      openConnections += 1;
    },
    disconnected() {
      openConnections -= 1;
    },

    begin(route, now) {
      const load = isLoad(route);
      open += 1;
      if (load) {
        count(1, now);
        started += 1;
        waiting += 1;
        began(inFlight, started);
      }
      return { route, load, startedAt: now, firstByteAt: -1, lastTokenAt: -1, tokenEvents: 0, ended: false };
    },

    firstByte(exchange, now) {
      if (exchange.ended || exchange.firstByteAt >= 0) return;
      exchange.firstByteAt = now;
      if (exchange.load) waiting -= 1;
      record(exchange, 'timeToFirstByteMs', now - exchange.startedAt);
    },

    tokens(exchange, events, now) {
      if (exchange.lastTokenAt < 0) record(exchange, 'timeToFirstTokenMs', now - exchange.startedAt);
      // Several events in one chunk left the server one after another: the time since the last is shared among them.
      else record(exchange, 'interTokenMs', (now - exchange.lastTokenAt) / events, events);
      exchange.lastTokenAt = now;
      exchange.tokenEvents += events;
      if (!exchange.load) return;
      generatedTokens += events;
      totalGeneratedTokens += events;
    },

    usage(exchange, prompt, generated) {
      if (!exchange.load) return;
      if (prompt !== undefined && prompt >= 0) {
        promptTokens = (promptTokens ?? 0) + Math.round(prompt);
        totalPromptTokens += Math.round(prompt);
      }
      // Events were counted as they passed; the answer's own number adds what they carried beyond one token each.
      const more = Math.round(generated ?? 0) - exchange.tokenEvents;
      if (!(more > 0)) return;
      generatedTokens += more;
      totalGeneratedTokens += more;
    },

    finish(exchange, status, now) {
      if (!close(exchange, now)) return;
      const { statuses } = totalsOf(exchange.route);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (exchange.load) finished[status] = (finished[status] ?? 0) + 1;
      // An error is quick: it would make a server that fails look fast.
      if (status !== '4xx' && status !== '5xx') record(exchange, 'latencyMs', now - exchange.startedAt);
    },

    abort(exchange, now) {
      if (!close(exchange, now)) return;
      totalsOf(exchange.route).aborted += 1;
      if (exchange.load) aborted += 1;
      // Who gave up before the first byte has waited at least so long; leaving it out would flatter an overloaded server.
      if (exchange.firstByteAt >= 0) return;
      record(exchange, 'latencyMs', now - exchange.startedAt);
      record(exchange, 'timeToFirstByteMs', now - exchange.startedAt);
    },

    fail(exchange, now) {
      if (!close(exchange, now)) return;
      totalsOf(exchange.route).failed += 1;
      if (exchange.load) failed += 1;
    },

    reject(exchange, now) {
      if (!close(exchange, now)) return;
      totalsOf(exchange.route).rejected += 1;
      if (exchange.load) rejected += 1;
    },

    lose(exchange, now) {
      close(exchange, now);
    },

    unobserved(reason) {
      unobserved.set(reason, (unobserved.get(reason) ?? 0) + 1);
      unobservedConnections += 1;
    },

    get open() {
      return open;
    },
    get inFlight() {
      return inFlight;
    },
    get waitingFirstByte() {
      return waiting;
    },

    totals: () => ({
      routes: new Map(routes.flatMap((route) => (byRoute.has(route) ? [[route, byRoute.get(route)!]] : []))),
      promptTokens: totalPromptTokens,
      generatedTokens: totalGeneratedTokens,
      unobserved,
      connections,
      openConnections,
    }),

    closeWindow(now) {
      area += inFlight * (now - areaAt);
      areaAt = now;
      const span = now - windowStart;
      const traffic: Traffic = {
        inFlight,
        waitingFirstByte: waiting,
        concurrency: span > 0 ? area / span : inFlight,
        started,
        finished,
        failed,
        aborted,
        rejected,
        ...(promptTokens === undefined ? {} : { promptTokens }),
        generatedTokens,
        latencyMs: window.latencyMs.encode(),
        timeToFirstByteMs: window.timeToFirstByteMs.encode(),
        timeToFirstTokenMs: window.timeToFirstTokenMs.encode(),
        interTokenMs: window.interTokenMs.encode(),
        unobservedConnections,
      };
      for (const sketch of Object.values(window)) sketch.clear();
      finished = {};
      started = 0;
      failed = 0;
      aborted = 0;
      rejected = 0;
      promptTokens = undefined;
      generatedTokens = 0;
      unobservedConnections = 0;
      area = 0;
      windowStart = now;
      return traffic;
    },
  };
}
