// Follows HTTP/2 (and so gRPC) by frames, one direction each: nine bytes of header, the payload passed over. Streams
// begin and end by flags, so latency needs no decompressed header. Of headers only the first byte is looked at, where
// `:status` stands: the common ones are one static index that needs no table.
import type { StatusClass } from '@kubeai/protocol';

export interface FrameHandler {
  headers(stream: number, endStream: boolean, firstByte: number, now: number): void;
  data(stream: number, endStream: boolean, now: number): void;
  reset(stream: number, now: number): void;
  /** The sender will not look at streams above `lastStream`. */
  goAway(lastStream: number, now: number): void;
  lost(): void;
}

const data = 0x0;
const headers = 0x1;
const resetStream = 0x3;
const goAway = 0x7;
const endStreamFlag = 0x1;
const paddedFlag = 0x8;
const priorityFlag = 0x20;
/** Unknown types are legal and passed over; the highest ever registered is 0x10, so beyond this it is no HTTP/2. */
const highestType = 0x20;
const headerBytes = 9;
/** How much of a payload is looked at: padding length, priority and the first byte of a header block; or GOAWAY's stream. */
const peekBytes = 8;

/** Reads frames; `preface` bytes are expected and skipped first. Returns the function to feed. */
export function createFrameReader(handler: FrameHandler, preface: string) {
  const head = new Uint8Array(headerBytes);
  const peek = new Uint8Array(peekBytes);
  let skipped = 0;
  let headLength = 0;
  let remaining = 0;
  let peeked = 0;
  let dead = false;

  const streamOf = (bytes: Uint8Array, at: number): number =>
    ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

  const finishFrame = (now: number): void => {
    const flags = head[4]!;
    const stream = streamOf(head, 5);
    switch (head[3]) {
      case data:
        handler.data(stream, (flags & endStreamFlag) !== 0, now);
        break;
      case headers: {
        const at = ((flags & paddedFlag) !== 0 ? 1 : 0) + ((flags & priorityFlag) !== 0 ? 5 : 0);
        handler.headers(stream, (flags & endStreamFlag) !== 0, at < peeked ? peek[at]! : 0, now);
        break;
      }
      case resetStream:
        handler.reset(stream, now);
        break;
      case goAway:
        if (peeked >= 4) handler.goAway(streamOf(peek, 0), now);
        break;
    }
    headLength = 0;
    peeked = 0;
  };

  return (chunk: Uint8Array, from: number, now: number): void => {
    let at = from;
    while (at < chunk.length && !dead) {
      if (skipped < preface.length) {
        if (chunk[at] !== preface.charCodeAt(skipped)) {
          dead = true;
          handler.lost();
          return;
        }
        skipped += 1;
        at += 1;
        continue;
      }
      if (headLength < headerBytes) {
        head[headLength++] = chunk[at++]!;
        if (headLength < headerBytes) continue;
        remaining = (head[0]! << 16) | (head[1]! << 8) | head[2]!;
        if (head[3]! > highestType) {
          dead = true;
          handler.lost();
          return;
        }
        if (remaining === 0) finishFrame(now);
        continue;
      }
      const end = Math.min(chunk.length, at + remaining);
      for (let look = at; look < end && peeked < peekBytes; look += 1) peek[peeked++] = chunk[look]!;
      remaining -= end - at;
      at = end;
      if (remaining === 0) finishFrame(now);
    }
  };
}

/** The class of the `:status` that a header block begins with; `unknown` when it is not one static index. */
export function statusOfHeaderBlock(firstByte: number): StatusClass {
  switch (firstByte) {
    case 0x88:
    case 0x89:
    case 0x8a:
      return '2xx';
    case 0x8b:
      return '3xx';
    case 0x8c:
    case 0x8d:
      return '4xx';
    case 0x8e:
      return '5xx';
    default:
      return 'unknown';
  }
}
