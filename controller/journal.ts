// Every decision that mattered, as JSON lines in a file that cannot grow without end: when it is full it is kept once
// under another name and a new one begins. Writing never holds a decision up; what the disk cannot take is counted.
import { appendFile, rename, stat } from 'node:fs/promises';
import type { Log } from '@kubeai/daemon';
import { limits } from './limits.ts';

export interface Journal {
  write(record: unknown): void;
  /** Resolves when everything written so far is on its way to the disk, or given up. */
  flush(): Promise<void>;
  dropped(): number;
}

export function createJournal(path: string | undefined, log: Log, maxBytes: number = limits.journalBytes): Journal {
  if (path === undefined) return { write: () => undefined, flush: () => Promise.resolve(), dropped: () => 0 };
  let pending: string[] = [];
  let writing: Promise<void> | undefined;
  let size: number | undefined;
  let dropped = 0;

  async function writeOut(): Promise<void> {
    while (pending.length > 0) {
      const lines = pending;
      pending = [];
      const text = lines.join('');
      try {
        size ??= await stat(path!).then(
          (found) => found.size,
          () => 0,
        );
        if (size > 0 && size + text.length > maxBytes) {
          await rename(path!, `${path}.1`);
          size = 0;
        }
        await appendFile(path!, text);
        size += Buffer.byteLength(text);
      } catch (cause) {
        dropped += lines.length;
        size = undefined;
        log.warn('Journal could not be written', { path, cause });
      }
    }
    writing = undefined;
  }

  return {
    write(record) {
      if (pending.length >= limits.journalPending) {
        dropped += 1;
        return;
      }
      pending.push(`${JSON.stringify(record)}\n`);
      writing ??= writeOut();
    },
    flush: () => writing ?? Promise.resolve(),
    dropped: () => dropped,
  };
}
