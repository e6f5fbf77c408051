// Work by key, one piece at a time and never inside the call that asked for it. A key that is added while it waits is
// done once; one that is added while it is worked on is done again. Bounded by the number of keys, that is, of objects.
export interface KeyedQueue {
  add(key: string): void;
  stop(): void;
}

export function createKeyedQueue(
  work: (key: string) => Promise<void>,
  onError: (key: string, cause: unknown) => void,
): KeyedQueue {
  const waiting = new Set<string>();
  let running = false;
  let stopped = false;

  const run = async (): Promise<void> => {
    for (const key of waiting) {
      if (stopped) break;
      waiting.delete(key);
      try {
        await work(key);
      } catch (cause) {
        onError(key, cause);
      }
    }
    running = false;
  };

  return {
    add(key) {
      if (stopped) return;
      waiting.add(key);
      if (running) return;
      running = true;
      setImmediate(() => void run());
    },
    stop() {
      stopped = true;
      waiting.clear();
    },
  };
}
