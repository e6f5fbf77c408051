// client-go's work queue: a key that is waiting is not queued twice, a key that is being worked on is never handed out a
// second time, and one added meanwhile is handed out again when the work is done. No npm queue has these semantics.
import type { Clock, Timer } from '@kubeai/daemon';
import { after, type Instant, type Milliseconds, milliseconds, seconds } from '@kubeai/units';

export interface WorkQueue<Key> {
  add(key: Key): void;
  /** Adds the key after a while; an earlier time for the same key wins. */
  addAfter(key: Key, span: Milliseconds): void;
  /** Adds the key after a wait that doubles with every call until `forget`. */
  addRateLimited(key: Key): void;
  /** The key's work went well: its next failure waits the shortest time again. */
  forget(key: Key): void;
  failures(key: Key): number;
  /** The next key, when there is one; undefined once the queue is shut down and empty. Every key got must be `done`. */
  get(): Promise<Key | undefined>;
  done(key: Key): void;
  /** Keys waiting, without those being worked on. */
  length(): number;
  /** Takes no more keys; what waits is still handed out. */
  shutDown(): void;
}

/** What a queue tells its metrics. */
export interface WorkQueueObserver {
  added(): void;
  retried(): void;
  /** Handed out, after having waited. */
  got(waited: Milliseconds): void;
  finished(took: Milliseconds): void;
}

export interface WorkQueueOptions {
  readonly clock: Clock;
  /** First wait of addRateLimited. Default 0.25 s. */
  readonly leastWait?: Milliseconds;
  /** Its longest. Default 60 s. */
  readonly mostWait?: Milliseconds;
  readonly observer?: WorkQueueObserver;
}

export function createWorkQueue<Key>(options: WorkQueueOptions): WorkQueue<Key> {
  const { clock, observer } = options;
  const leastWait = options.leastWait ?? seconds(0.25);
  const mostWait = options.mostWait ?? seconds(60);
  // client-go's three sets: what needs work (dirty), what is being worked on (processing), and the order of waiting.
  const dirty = new Map<Key, Instant>();
  const processing = new Map<Key, Instant>();
  const order: Key[] = [];
  const takers: ((key: Key | undefined) => void)[] = [];
  const later = new Map<Key, { readonly at: Instant; readonly timer: Timer }>();
  const failed = new Map<Key, number>();
  let closed = false;

  const take = (key: Key): Key => {
    const now = clock.now();
    observer?.got(milliseconds(now - (dirty.get(key) ?? now)));
    dirty.delete(key);
    processing.set(key, now);
    return key;
  };
  const offer = (key: Key) => {
    const taker = takers.shift();
    if (taker === undefined) order.push(key);
    else taker(take(key));
  };

  const queue: WorkQueue<Key> = {
    add(key) {
      if (closed || dirty.has(key)) return;
      observer?.added();
      dirty.set(key, clock.now());
      if (!processing.has(key)) offer(key);
    },
    addAfter(key, span) {
      if (closed) return;
      if (span <= 0) return queue.add(key);
      const at = after(clock.now(), span);
      const planned = later.get(key);
      if (planned !== undefined && planned.at <= at) return;
      planned?.timer.stop();
      const timer = clock.after(span, () => {
        later.delete(key);
        queue.add(key);
      });
      later.set(key, { at, timer });
    },
    addRateLimited(key) {
      const failures = failed.get(key) ?? 0;
      failed.set(key, failures + 1);
      observer?.retried();
      queue.addAfter(key, milliseconds(Math.min(mostWait, leastWait * 2 ** Math.min(failures, 30))));
    },
    forget: (key) => void failed.delete(key),
    failures: (key) => failed.get(key) ?? 0,
    get() {
      const key = order.shift();
      if (key !== undefined) return Promise.resolve(take(key));
      if (closed) return Promise.resolve(undefined);
      return new Promise((resolve) => takers.push(resolve));
    },
    done(key) {
      const began = processing.get(key);
      if (began === undefined) return;
      processing.delete(key);
      observer?.finished(milliseconds(clock.now() - began));
      if (dirty.has(key)) offer(key);
    },
    length: () => order.length,
    shutDown() {
      closed = true;
      for (const { timer } of later.values()) timer.stop();
      later.clear();
      for (const taker of takers.splice(0)) taker(undefined);
    },
  };
  return queue;
}

/**
 * Works a queue off with `workers` at a time until it is shut down and empty. Work that throws is repeated with growing
 * waits, after `onFailure` has been told.
 */
export async function workOff<Key>(
  queue: WorkQueue<Key>,
  workers: number,
  work: (key: Key) => Promise<void>,
  onFailure: (key: Key, cause: unknown) => void,
): Promise<void> {
  const worker = async () => {
    for (let key = await queue.get(); key !== undefined; key = await queue.get()) {
      try {
        await work(key);
        queue.forget(key);
      } catch (cause) {
        onFailure(key, cause);
        queue.addRateLimited(key);
      } finally {
        queue.done(key);
      }
    }
  };
  await Promise.all(Array.from({ length: workers }, worker));
}
