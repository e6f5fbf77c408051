// The concurrency limit's side of one connection: it keeps the bytes of a request back, from the first of its head on,
// until the gate lets it in. Requests of one connection go through one at a time. Only HTTP/1 can be held this way; what
// is not understood passes, because a limit must never break what works.
import type { Gate, Ticket, TurnAway } from './gate.ts';
import { maxHeldBytes } from './limits.ts';
import type { Observer } from './observer.ts';
import type { Exchange } from './traffic.ts';

export interface Turnstile {
  /** Bytes of the client. */
  take(chunk: Buffer, now: number): void;
  /**
   * The client has closed its side. False when its request still waited here: nobody is left to wait for it. Behind a
   * request of its own that is on its way it keeps its turn: whoever sends several and closes wants all their answers.
   */
  end(): boolean;
  /** Some request of the connection is over; the next one may be let in. */
  ended(): void;
  close(): void;
}

export interface TurnstileOptions {
  readonly gate: Gate;
  readonly observer: Observer;
  readonly forward: (chunk: Buffer) => void;
  /** Everything was forwarded, and the client sends no more. */
  readonly forwardEnd: () => void;
  readonly turnAway: (reason: TurnAway) => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly now: () => number;
}

export function createTurnstile(options: TurnstileOptions): Turnstile {
  const { gate, observer, forward } = options;
  // Bytes of a head that is unfinished or waits, and those behind a waiting one.
  let held: Buffer[] = [];
  let unread: Buffer[] = [];
  let heldBytes = 0;
  let waiting: Exchange | undefined;
  let admitted: Exchange | undefined;
  let ticket: Ticket | undefined;
  let asked = false;
  let closed = false;
  let ending = false;

  const hold = (list: Buffer[], bytes: Buffer): void => {
    if (bytes.length === 0) return;
    // A copy: what it was read into is used again.
    list.push(Buffer.from(bytes));
    heldBytes += bytes.length;
    if (heldBytes > maxHeldBytes) options.pause();
  };

  const pass = (bytes: readonly Buffer[]): void => {
    for (const chunk of bytes) forward(chunk);
  };

  const release = (): void => {
    const bytes = held;
    held = [];
    heldBytes = 0;
    pass(bytes);
  };

  /** Asks for a place for the waiting request; it may be let in before this returns. */
  const ask = (): void => {
    asked = true;
    ticket = gate.enter(letIn, (reason) => {
      closed = true;
      waiting = undefined;
      held = [];
      unread = [];
      observer.reject(options.now());
      options.turnAway(reason);
    });
  };

  const letIn = (): void => {
    asked = false;
    admitted = waiting;
    waiting = undefined;
    release();
    options.resume();
    const chunks = unread;
    unread = [];
    for (const chunk of chunks) take(chunk, options.now());
    if (ending) passEnd();
  };

  const passEnd = (): void => {
    if (waiting !== undefined || closed) return;
    release();
    options.forwardEnd();
  };

  const take = (chunk: Buffer, now: number): void => {
    let from = 0;
    while (from < chunk.length) {
      if (closed) return;
      if (waiting !== undefined) {
        hold(unread, chunk.subarray(from));
        return;
      }
      const before = observer.newest();
      const stopped = observer.request(chunk, from, now);
      if (!observer.framed()) {
        release();
        forward(chunk.subarray(from));
        return;
      }
      const head = observer.headStart();
      if (head === -1) forward(chunk.subarray(from, stopped));
      else {
        if (head > from) forward(chunk.subarray(from, head));
        hold(held, chunk.subarray(Math.max(from, head), stopped));
        const newest = observer.newest();
        if (newest !== undefined && newest !== before) consider(newest);
      }
      from = stopped;
    }
  };

  /** A head is complete: load waits for its turn, anything else goes on. */
  const consider = (exchange: Exchange): void => {
    if (!exchange.load) {
      release();
      return;
    }
    waiting = exchange;
    if (admitted === undefined) ask();
  };

  return {
    take,

    end() {
      if (waiting !== undefined && admitted === undefined) return false;
      ending = true;
      passEnd();
      return true;
    },

    ended() {
      if (admitted?.ended) {
        admitted = undefined;
        gate.leave();
      }
      if (waiting === undefined || closed) return;
      if (waiting.ended) {
        // The server's side was not understood: this connection passes from here on.
        ticket?.cancel();
        waiting = undefined;
        release();
        pass(unread);
        unread = [];
        options.resume();
        if (ending) passEnd();
      } else if (admitted === undefined && !asked) ask();
    },

    close() {
      closed = true;
      ticket?.cancel();
      if (admitted === undefined) return;
      admitted = undefined;
      gate.leave();
    },
  };
}
