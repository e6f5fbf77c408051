// For tests that wait for other processes, sockets or timers: nobody knows how long the machine takes.
import { setTimeout as sleep } from 'node:timers/promises';

const patience = 40_000;

/** Looks every 5 ms until there is something to see, which it returns. Rejects with what it waited for after 40 s. */
export async function eventually<Value>(
  look: () => Promise<Value | false | undefined> | Value | false | undefined,
  what = 'the condition to hold',
): Promise<Value> {
  const deadline = Date.now() + patience;
  for (;;) {
    const seen = await look();
    if (seen !== false && seen !== undefined) return seen;
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(5);
  }
}
