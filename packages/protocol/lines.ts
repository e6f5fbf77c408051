// Cuts a byte stream into lines, for both ends of the wire. A line that is too long is dropped as it arrives, so memory
// stays bounded whatever the other side sends; the next line is read again.
import { Buffer } from 'node:buffer';

export interface LineReader {
  /** Takes the next bytes and hands out every line that they complete, without its line end. */
  feed(chunk: Buffer): void;
}

const newline = 0x0a;
/** Pieces of a line before they are joined: each keeps the buffer that it came in. */
const maxParts = 64;

/** Reads UTF-8 lines of at most `maxBytes`; `tooLong` is told once for each longer one. Empty lines are skipped. */
export function createLineReader(maxBytes: number, line: (text: string) => void, tooLong: () => void): LineReader {
  // What came of a line that is not whole yet; nothing most of the time. An array kept from line to line would outlive the
  // young generation, and hold every line put into it until the next full collection.
  let kept: Buffer[] | undefined;
  let keptBytes = 0;
  let dropping = false;

  const keep = (part: Buffer): void => {
    if (dropping || part.length === 0) return;
    keptBytes += part.length;
    if (keptBytes > maxBytes) {
      dropping = true;
      kept = undefined;
      tooLong();
    } else if (kept === undefined) kept = [part];
    else if (kept.length < maxParts) kept.push(part);
    else kept = [Buffer.concat([...kept, part])];
  };

  const finish = (part: Buffer): void => {
    keep(part);
    // Joined as bytes: a chunk may end inside a character.
    const whole = kept === undefined ? '' : (kept.length === 1 ? kept[0]! : Buffer.concat(kept)).toString('utf8');
    kept = undefined;
    keptBytes = 0;
    dropping = false;
    if (whole.trim() !== '') line(whole);
  };

  return {
    feed(chunk) {
      let start = 0;
      for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
        finish(chunk.subarray(start, end));
        start = end + 1;
      }
      keep(chunk.subarray(start));
    },
  };
}
