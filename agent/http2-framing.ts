// Follows HTTP/2 (and so gRPC) by frames, one direction each: nine bytes of header, the payload passed over. Streams
// begin and end by flags, so latency needs no decompressed header; header blocks are put together, decompressed, and told
// as far as somebody asked for their fields.
import { createHeaderDecoder } from './hpack.ts';
import type { Budget } from './http1-framing.ts';
import { maxHeaderBlockBytes } from './limits.ts';

/** Fields by name; undefined when they could not be read. */
export type Headers = ReadonlyMap<string, string> | undefined;

export interface FrameHandler {
  headers(stream: number, endStream: boolean, fields: Headers, now: number): void;
  data(stream: number, endStream: boolean, now: number): void;
  reset(stream: number, now: number): void;
  /** The sender will not look at streams above `lastStream`. */
  goAway(lastStream: number, now: number): void;
  lost(): void;
}

export interface FrameReader {
  feed(chunk: Buffer, from: number, now: number): void;
  /** Frees what is kept. */
  close(): void;
}

const data = 0x0;
const headers = 0x1;
const resetStream = 0x3;
const pushPromise = 0x5;
const goAway = 0x7;
const continuation = 0x9;
const endStreamFlag = 0x1;
const endHeadersFlag = 0x4;
const paddedFlag = 0x8;
const priorityFlag = 0x20;
/** Unknown types are legal and passed over; the highest ever registered is 0x10, so beyond this it is no HTTP/2. */
const highestType = 0x20;
const headerBytes = 9;
/** How much of a payload is looked at that is no header block: the stream of a GOAWAY. */
const peekBytes = 4;
const nothing = Buffer.alloc(0);

/** Reads frames; `preface` bytes are expected and skipped first. Of header fields those that are `wanted` are told. */
export function createFrameReader(
  handler: FrameHandler,
  preface: string,
  wanted: ReadonlySet<string>,
  budget: Budget,
): FrameReader {
  const decoder = createHeaderDecoder(wanted);
  const head = new Uint8Array(headerBytes);
  const peek = new Uint8Array(peekBytes);
  let skipped = 0;
  let headLength = 0;
  let remaining = 0;
  let peeked = 0;
  let dead = false;
  // A header block that is arriving: the payload of its frame in pieces, and what came in frames before.
  let frame: Buffer | undefined;
  let frameBytes = 0;
  let block: Buffer = nothing;
  let opened: { readonly type: number; readonly endStream: boolean } | undefined;
  let taken = 0;
  let unread = false;

  const streamOf = (bytes: Uint8Array, at: number): number =>
    ((bytes[at]! & 0x7f) << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;

  const release = (): void => {
    budget.free += taken;
    taken = 0;
    frame = undefined;
    frameBytes = 0;
    block = nothing;
  };

  /** Room to keep bytes of a block; without it no header of this direction is read any more. */
  const take = (bytes: number): boolean => {
    if (unread || taken + bytes > maxHeaderBlockBytes || budget.free < bytes) {
      unread = true;
      release();
      return false;
    }
    taken += bytes;
    budget.free -= bytes;
    return true;
  };

  /** Keeps a piece of a frame's payload; the payload so far, undefined without room for it. */
  const gather = (chunk: Buffer, at: number, end: number): Buffer | undefined => {
    if (frame === undefined) {
      if (!take(remaining)) return undefined;
      frame = Buffer.allocUnsafeSlow(remaining);
    }
    chunk.copy(frame, frameBytes, at, end);
    frameBytes += end - at;
    return frame;
  };

  const lose = (): void => {
    dead = true;
    release();
    handler.lost();
  };

  const finishBlock = (payload: Buffer | undefined, now: number): void => {
    const flags = head[4]!;
    let part = payload ?? nothing;
    if (head[3] === continuation) {
      if (opened === undefined) {
        lose();
        return;
      }
    } else {
      opened = { type: head[3]!, endStream: (flags & endStreamFlag) !== 0 };
      const padded = (flags & paddedFlag) !== 0 ? 1 : 0;
      const ahead = opened.type === pushPromise ? 4 : (flags & priorityFlag) !== 0 ? 5 : 0;
      part = part.subarray(padded + ahead, part.length - (padded === 1 ? (part[0] ?? 0) : 0));
    }
    const isWhole = (flags & endHeadersFlag) !== 0;
    // A block in one frame, the rule, is read where it lies.
    if (!isWhole || block.length > 0) {
      if (take(part.length)) block = Buffer.concat([block, part]);
      part = block;
    }
    frame = undefined;
    frameBytes = 0;
    if (!isWhole) return;
    const { type, endStream } = opened;
    opened = undefined;
    const fields = unread ? undefined : decoder.decode(part);
    release();
    if (type === headers) handler.headers(streamOf(head, 5), endStream, fields, now);
  };

  const finishFrame = (payload: Buffer | undefined, now: number): void => {
    const flags = head[4]!;
    const stream = streamOf(head, 5);
    switch (head[3]) {
      case data:
        handler.data(stream, (flags & endStreamFlag) !== 0, now);
        break;
      case headers:
      case pushPromise:
      case continuation:
        finishBlock(payload, now);
        break;
      case resetStream:
        handler.reset(stream, now);
        break;
      case goAway:
        if (peeked >= peekBytes) handler.goAway(streamOf(peek, 0), now);
        break;
    }
    headLength = 0;
    peeked = 0;
  };

  const hasFields = (type: number): boolean => type === headers || type === pushPromise || type === continuation;

  return {
    feed(chunk, from, now) {
      let at = from;
      while (at < chunk.length && !dead) {
        if (skipped < preface.length) {
          if (chunk[at] !== preface.charCodeAt(skipped)) {
            lose();
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
            lose();
            return;
          }
          if (remaining === 0) finishFrame(undefined, now);
          continue;
        }
        const end = Math.min(chunk.length, at + remaining);
        let payload: Buffer | undefined;
        if (hasFields(head[3]!)) {
          const whole = frame === undefined && end - at === remaining;
          payload = whole ? chunk.subarray(at, end) : gather(chunk, at, end);
        } else for (let look = at; look < end && peeked < peekBytes; look += 1) peek[peeked++] = chunk[look]!;
        remaining -= end - at;
        at = end;
        if (remaining === 0) finishFrame(payload, now);
      }
    },
    close: release,
  };
}
