// What passed is read some milliseconds later, many pieces at a time: nobody's bytes wait for that but those which come just then,
// and reading dozens in a row costs less than each by itself between reads and writes (npm run bench:agent). Every piece keeps
// its time, and all are read in the order in which they came, so nothing that is measured changes.
import type { Clock } from '@kubeai/daemon';
import { maxBacklogBytes, maxBacklogPieces, maxPieceBytes, readWithin } from './limits.ts';

/** Must not throw: others' pieces follow. */
export type ReadPiece = (bytes: Buffer, now: number) => void;

export interface Backlog {
  /** Calls `read` with bytes that came at `now`: with a copy, later and in order; or at once, after all that is kept, when they are
   * too many to copy. */
  readLater(bytes: Buffer, now: number, read: ReadPiece): void;
  /** Reads all that is kept, so that the books are complete. */
  read(): void;
}

export function createBacklog(clock: Clock): Backlog {
  const bytes = Buffer.allocUnsafeSlow(maxBacklogBytes);
  const ends = new Int32Array(maxBacklogPieces);
  const times = new Float64Array(maxBacklogPieces);
  const readers: (ReadPiece | undefined)[] = new Array(maxBacklogPieces).fill(undefined);
  let count = 0;
  let end = 0;
  let awaited = false;

  const read = (): void => {
    let start = 0;
    for (let at = 0; at < count; at += 1) {
      const reader = readers[at]!;
      // It would keep its connection from being collected.
      readers[at] = undefined;
      reader(bytes.subarray(start, ends[at]), times[at]!);
      start = ends[at]!;
    }
    count = 0;
    end = 0;
  };

  return {
    readLater(piece, now, reader) {
      if (piece.length > maxPieceBytes) {
        read();
        return reader(piece, now);
      }
      if (count === maxBacklogPieces || end + piece.length > maxBacklogBytes) read();
      bytes.set(piece, end);
      end += piece.length;
      ends[count] = end;
      times[count] = now;
      readers[count] = reader;
      count += 1;
      if (!awaited) {
        awaited = true;
        clock.after(readWithin, () => {
          awaited = false;
          read();
        });
      }
    },
    read,
  };
}
