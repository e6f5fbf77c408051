// Tells the process that plays the clients what to do, one work at a time.
import type { ChildProcess } from 'node:child_process';
import type { Outcome, Work } from './load.ts';

export type { Outcome, Work } from './load.ts';

/** Sends one work and waits for its outcome; rejects with what went wrong over there. */
export const loadOn = (load: ChildProcess, work: Work): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    load.once('message', (answer: { outcome?: Outcome; problem?: string }) =>
      answer.outcome === undefined ? reject(new Error(answer.problem)) : resolve(answer.outcome),
    );
    load.send(work);
  });
