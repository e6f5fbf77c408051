// Cuts a byte stream into lines, for both ends of the wire. A line that is too long is dropped as it arrives, so memory
// stays bounded whatever the other side sends; the next line is read again.
import { Buffer } from 'node:buffer';

export interface LineReader {
  /** Takes the next bytes and hands out every line that they complete, without its line end. */
  feed(chunk: Buffer): void;
}

const newline = 0x0a;

/** Reads UTF-8 lines of at most `maxBytes`; `tooLong` is told once for each longer one. Empty lines are skipped. */
export function createLineReader(maxBytes: number, line: (text: string) => void, tooLong: () => void): LineReader {
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let dropping = false;

  const keep = (part: Buffer): void => {
    if (dropping || part.length === 0) return;
    keptBytes += part.length;
    if (keptBytes <= maxBytes) {
      kept.push(part);
      return;
    }
    dropping = true;
    kept = [];
    tooLong();
  };

  const finish = (): void => {
    // Joined as bytes: a chunk may end inside a character.
    const text = (kept.length === 1 ? kept[0]! : Buffer.concat(kept)).toString('utf8');
    const complete = !dropping;
    kept = [];
    keptBytes = 0;
    dropping = false;
    if (complete && text.trim() !== '') line(text);
  };

  return {
    feed(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end));
        finish();
        start = end + 1;
      }
      keep(chunk.subarray(start));
    },
  };
}
