// Finds where messages begin and end in one direction of a connection. It is fed the very buffers that were forwarded,
// copies nothing of a body, and allocates nothing per chunk: only heads become text. It cannot change what is sent; the
// worst it can do is to stop understanding, which it says once and for all.
import { areExtensions, areTrailers, bodyUntilClose, chunkedBody } from './http1-head.ts';
import { maxChunkLineBytes, maxHeadBytes } from './limits.ts';

/** What `head` may answer instead of a body's length. */
export const stopHere = -3;

export interface MessageHandler {
  /** A head is complete; says how its body ends, or `stopHere` to read no further. */
  head(text: string, now: number): number;
  body(chunk: Buffer, start: number, end: number, now: number): void;
  end(now: number): void;
  /** From here on nothing is understood; `tooLong`: because there is no room to keep what is not whole. */
  lost(tooLong: boolean): void;
}

/** Bytes that all connections together may keep of heads in pieces. */
export interface Budget {
  free: number;
}

export interface Framing {
  /**
   * Reads `chunk` from `at`; returns where it stopped: the end of the chunk, or just behind a head when heads are to be
   * stopped at, or when the handler said `stopHere` or nothing is understood any more.
   */
  feed(chunk: Buffer, at: number, now: number): number;
  /** The sender has closed its side. */
  finish(now: number): void;
  /** Frees what is kept. */
  close(): void;
  /** Where in the last fed chunk the newest head began, 0 when before it; -1 when no part of a head was read. */
  headStart(): number;
  /** A message has begun and not ended. */
  insideMessage(): boolean;
}

const atHead = 0;
const inLength = 1;
const inSize = 2;
const inExtension = 3;
const afterSize = 4;
const inChunk = 5;
const afterChunk = 6;
const afterChunkReturn = 7;
const inTrailers = 8;
const inUntilClose = 9;
const stopped = 10;

const incomplete = -1;
const notHead = -2;
const tooLong = -3;

const carriageReturn = 0x0d;
const lineFeed = 0x0a;
const headEnd = Buffer.from('\r\n\r\n');

/** Reads requests or responses; with `stopAtHeads`, `feed` returns behind every head. */
export function createFraming(handler: MessageHandler, budget: Budget, stopAtHeads: boolean): Framing {
  let state = atHead;
  let remaining = 0;
  let lineBytes = 0;
  let digits = 0;
  let line = '';
  let headStart = -1;
  let headText = '';
  let gathered: Buffer | undefined;
  let gatheredBytes = 0;

  const release = (): void => {
    if (gathered === undefined) return;
    budget.free += gathered.length;
    gathered = undefined;
    gatheredBytes = 0;
  };

  const lose = (chunk: Buffer, why = notHead): number => {
    state = stopped;
    headStart = -1;
    release();
    handler.lost(why === tooLong);
    return chunk.length;
  };

  const endMessage = (now: number): void => {
    state = atHead;
    handler.end(now);
  };

  /** Adds bytes to an unfinished head; false when there is no room for them. */
  const gather = (chunk: Buffer, at: number): boolean => {
    const size = gatheredBytes + chunk.length - at;
    if (size > maxHeadBytes) return false;
    if (gathered === undefined || gathered.length < size) {
      const room = Math.max(512, 2 * size);
      if (budget.free < room) return false;
      budget.free -= room;
      const larger = Buffer.allocUnsafeSlow(room);
      if (gathered !== undefined) {
        gathered.copy(larger, 0, 0, gatheredBytes);
        budget.free += gathered.length;
      }
      gathered = larger;
    }
    chunk.copy(gathered, gatheredBytes, at);
    gatheredBytes = size;
    return true;
  };

  /**
   * Whether a line of the gathered head, from `from` on, ends without a carriage return. Servers may take that for an end
   * (RFC 9112, 2.2): the empty line that is waited for here would never come.
   */
  const hasBareLineFeed = (from: number): boolean => {
    const bytes = gathered!.subarray(0, gatheredBytes);
    for (let end = bytes.indexOf(lineFeed, from); end !== -1; end = bytes.indexOf(lineFeed, end + 1)) {
      if (bytes[end - 1] !== carriageReturn) return true;
    }
    return false;
  };

  /** Reads on in a head: returns where it ends in `chunk` and leaves its text in `headText`, or says why it has none. */
  const readHead = (chunk: Buffer, at: number): number => {
    if (gathered === undefined) {
      const end = chunk.indexOf(headEnd, at);
      if (end !== -1) {
        if (end - at > maxHeadBytes) return tooLong;
        headText = chunk.toString('latin1', at, end);
        return end + 4;
      }
      if (!startsLikeText(chunk, at)) return notHead;
      if (!gather(chunk, at)) return tooLong;
      return hasBareLineFeed(0) ? notHead : incomplete;
    }
    // The end may lie across the seam, so the last bytes are looked at again, joined.
    const before = gatheredBytes;
    if (!gather(chunk, at)) return tooLong;
    const end = gathered.subarray(0, gatheredBytes).indexOf(headEnd, Math.max(0, before - 3));
    if (end === -1) return hasBareLineFeed(before) ? notHead : incomplete;
    headText = gathered.toString('latin1', 0, end);
    release();
    return at + end + 4 - before;
  };

  /** Begins the body that a head announced; true when reading goes on. */
  const beginBody = (length: number, now: number): boolean => {
    if (length === stopHere) {
      state = stopped;
      return false;
    }
    if (length === chunkedBody) {
      state = inSize;
      remaining = 0;
      digits = 0;
    } else if (length === bodyUntilClose) state = inUntilClose;
    else if (length > 0) {
      state = inLength;
      remaining = length;
    } else endMessage(now);
    return !stopAtHeads;
  };

  return {
    feed(chunk, from, now) {
      let at = from;
      headStart = -1;
      while (at < chunk.length) {
        switch (state) {
          case atHead: {
            headStart = gathered === undefined ? at : 0;
            const end = readHead(chunk, at);
            if (end === notHead || end === tooLong) return lose(chunk, end);
            if (end === incomplete) return chunk.length;
            at = end;
            if (!beginBody(handler.head(headText, now), now)) return at;
            break;
          }
          case inLength:
          case inChunk: {
            const end = Math.min(chunk.length, at + remaining);
            handler.body(chunk, at, end, now);
            remaining -= end - at;
            at = end;
            if (remaining > 0) break;
            if (state === inChunk) state = afterChunk;
            else endMessage(now);
            break;
          }
          case inSize: {
            const byte = chunk[at]!;
            const digit = hexDigit(byte);
            at += 1;
            if (digit !== -1) {
              digits += 1;
              // Thirteen digits stay below 2^53.
              if (digits > 13) return lose(chunk);
              remaining = remaining * 16 + digit;
            } else if (digits === 0) return lose(chunk);
            else if (byte === carriageReturn) state = afterSize;
            else if (byte === 0x3b) {
              state = inExtension;
              line = ';';
              lineBytes = 0;
            } else return lose(chunk);
            break;
          }
          case inExtension: {
            const byte = chunk[at]!;
            at += 1;
            lineBytes += 1;
            if (lineBytes > maxChunkLineBytes) return lose(chunk, tooLong);
            if (byte !== carriageReturn) line += String.fromCharCode(byte);
            else if (areExtensions(line)) state = afterSize;
            else return lose(chunk);
            break;
          }
          case afterSize:
            if (chunk[at] !== lineFeed) return lose(chunk);
            at += 1;
            if (remaining > 0) state = inChunk;
            else {
              state = inTrailers;
              // The size line's own end counts: without trailers an empty line follows at once.
              line = '\r\n';
              lineBytes = 0;
            }
            break;
          case afterChunk:
            if (chunk[at] !== carriageReturn) return lose(chunk);
            at += 1;
            state = afterChunkReturn;
            break;
          case afterChunkReturn:
            if (chunk[at] !== lineFeed) return lose(chunk);
            at += 1;
            state = inSize;
            remaining = 0;
            digits = 0;
            break;
          case inTrailers: {
            const byte = chunk[at]!;
            at += 1;
            lineBytes += 1;
            if (lineBytes > maxChunkLineBytes) return lose(chunk, tooLong);
            if (byte === lineFeed && line.endsWith('\r\n\r')) {
              // The size line's end, the trailers, and the end of the last one.
              if (!areTrailers(line.slice(0, -3))) return lose(chunk);
              endMessage(now);
            } else line += String.fromCharCode(byte);
            break;
          }
          case inUntilClose:
            handler.body(chunk, at, chunk.length, now);
            return chunk.length;
          default:
            return at;
        }
      }
      return at;
    },

    finish(now) {
      if (state === inUntilClose) endMessage(now);
      release();
    },

    close: release,
    headStart: () => headStart,
    insideMessage: () => state !== atHead || gathered !== undefined,
  };
}

/** HTTP/1 begins with a letter, or with the empty line that some clients send after a body. */
function startsLikeText(chunk: Buffer, at: number): boolean {
  const byte = chunk[at]!;
  return (byte >= 0x41 && byte <= 0x7a) || (byte === carriageReturn && (chunk[at + 1] ?? lineFeed) === lineFeed);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
