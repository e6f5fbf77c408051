// What need not be read at once is read some milliseconds later: beginnings of requests, whose answers would wait for that, and
// the small pieces of streams, of which dozens in a row cost 6 to 10 % less than each by itself (npm run bench:agent; why was
// not found). Every piece keeps its time, so nothing that is measured changes.
import type { Clock } from '@kubeai/daemon';
import { maxBacklogBytes, maxBacklogPieces, maxPieceBytes, readWithin } from './limits.ts';

/** Must not throw: others' pieces follow. */
export type ReadPiece = (bytes: Buffer, now: number) => void;

export interface Backlog {
  /** Takes a copy of bytes that came at `now`, for `read` to be called with, in order; false when they are too many to copy. */
  keep(bytes: Buffer, now: number, read: ReadPiece): boolean;
  /** Calls back soon. */
  later(action: () => void): void;
  /** Reads the pieces that are kept. */
  read(): void;
  /** Does everything that waits here, so that the books are complete. */
  catchUp(): void;
}

export function createBacklog(clock: Clock): Backlog {
  const bytes = Buffer.allocUnsafeSlow(maxBacklogBytes);
  const ends = new Int32Array(maxBacklogPieces);
  const times = new Float64Array(maxBacklogPieces);
  const readers: ReadPiece[] = [];
  const actions: (() => void)[] = [];
  let end = 0;
  let awaited = false;

  const read = (): void => {
    let start = 0;
    for (const [at, reader] of readers.entries()) {
      reader(bytes.subarray(start, ends[at]), times[at]!);
      start = ends[at]!;
    }
    readers.length = 0;
    end = 0;
  };

  const catchUp = (): void => {
    read();
    for (const action of actions) action();
    actions.length = 0;
  };

  const soon = (): void => {
    if (awaited) return;
    awaited = true;
    clock.after(readWithin, () => {
      awaited = false;
      catchUp();
    });
  };

  return {
    keep(piece, now, reader) {
      if (piece.length > maxPieceBytes) return false;
      if (readers.length === maxBacklogPieces || end + piece.length > maxBacklogBytes) read();
      bytes.set(piece, end);
      end += piece.length;
      ends[readers.length] = end;
      times[readers.length] = now;
      readers.push(reader);
      soon();
      return true;
    },
    later(action) {
      actions.push(action);
      soon();
    },
    read,
    catchUp,
  };
}
