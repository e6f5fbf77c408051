// Finds where events and values begin and end in a response body, and hands their JSON to the skim: server-sent events on
// one side, JSON values one after another on the other. Bytes come in any chunks; nothing of them is kept.
import { Buffer } from 'node:buffer';
import type { Skim } from './json-skim.ts';
import { wordHash } from './key-paths.ts';
import { limits } from './limits.ts';

const doneWord = [...'[DONE]'].map((letter) => letter.charCodeAt(0));
const dataField = wordHash('data');
const eventField = wordHash('event');
const errorWord = wordHash('error');

/** Blanks, NULs and the bytes of a byte order mark. */
export const isBetweenValues = (byte: number): boolean =>
  byte <= 0x20 || byte === 0xef || byte === 0xbb || byte === 0xbf;

export interface Framing {
  readonly feed: (bytes: Buffer, start: number, end: number) => void;
  readonly end: () => void;
  /** Ready for another body. */
  readonly reset: () => void;
}

/** JSON values one after another, with blanks, line ends or NULs between them or not; also the one value of a body. */
export function createJsonFraming(skim: Skim, finishEvent: (isDoneMarker: boolean) => void): Framing {
  let begun = false;
  return {
    feed(bytes, start, end) {
      let at = start;
      while (at < end) {
        if (!begun) {
          if (isBetweenValues(bytes[at]!)) {
            at += 1;
            continue;
          }
          begun = true;
        }
        // What is broken ends with its line, so that one bad line costs no other.
        const skipLine = skim.isBroken();
        at = skim.feed(bytes, at, end, skipLine);
        if (at < end && (skipLine || skim.isComplete())) {
          finishEvent(false);
          begun = false;
        }
      }
    },
    end() {
      if (begun) finishEvent(false);
      begun = false;
    },
    reset() {
      begun = false;
    },
  };
}

export interface EventFramingSink {
  readonly finishEvent: (isDoneMarker: boolean) => void;
  readonly dataLine: () => void;
  /** An error that is told without data: by a field `error`, or by the comment of an event of that name. */
  readonly errorWithoutData: (comment?: string) => void;
  /** The event that comes has this name; 0 takes it back, for an event without data is none. */
  readonly named: (hash: number) => void;
}

const inField = 0;
const beforeValue = 1;
const inData = 2;
const inEventName = 3;
const inOther = 4;
const inComment = 5;
const inBareJson = 6;

/**
 * Server-sent events: LF, CR or CRLF; comments; no blank after the colon; several data lines; a byte order mark. Also what
 * stands where a stream should: the JSON of an error behind its events or instead of them, below the head of an answer,
 * and lines that somebody indented.
 */
export function createEventFraming(skim: Skim, sink: EventFramingSink): Framing {
  let state = inField;
  let field = 0;
  let fieldLength = 0;
  let name = 0;
  /** A name behind complete data: of this event when a blank line follows, of the next one when more data does. */
  let nameBehind = 0;
  let afterCarriageReturn = false;
  let hasData = false;
  /** A line of data begins that is not the first of its event. */
  let isNextLine = false;
  /** The first bytes of data that is no JSON object, to know `[DONE]`; -1 when it is one. */
  let headLength = 0;
  const head = new Uint8Array(8);
  /** The comment of an event that is an error: Dynamo says there, and nowhere else, what went wrong. */
  let comment: Buffer | undefined;
  let commentLength = 0;

  const isDoneMarker = () => headLength === 6 && doneWord.every((byte, at) => byte === head[at]);

  const dispatch = () => {
    if (nameBehind !== 0) sink.named(nameBehind);
    if (hasData) sink.finishEvent(isDoneMarker());
    else if (commentLength > 0) sink.errorWithoutData(comment!.toString('utf8', 0, commentLength));
    if (!hasData && name !== 0) sink.named(0);
    commentLength = 0;
    hasData = false;
    name = 0;
    nameBehind = 0;
    headLength = 0;
  };

  const lineEnds = () => {
    if (state === inField && fieldLength === 0) dispatch();
    else if (field === dataField && (state === inField || state === inData || state === beforeValue)) {
      hasData = true;
      sink.dataLine();
    } else if (state === inEventName && hasData && skim.isComplete()) nameBehind = name;
    else if (state === inEventName) sink.named(name);
    // llama.cpp of 2024 ends a stream with a field of this name instead of an event.
    else if (field === errorWord && state === inOther) sink.errorWithoutData();
    state = inField;
    field = 0;
    fieldLength = 0;
  };

  const readData = (bytes: Buffer, start: number, end: number): number => {
    if (isNextLine) {
      isNextLine = false;
      // A value that is complete cannot go on: a server that forgets the blank line begins its next event here. Nor can
      // one that broke, where a gateway writes its error behind what it was told half.
      if (skim.isComplete() || (bytes[start] === 0x7b && skim.isBroken())) {
        const next = nameBehind;
        nameBehind = 0;
        dispatch();
        if (next !== 0) sink.named(next);
      }
    }
    const at = skim.feed(bytes, start, end, true);
    if (headLength === 0 && bytes[start] === 0x7b) headLength = -1;
    if (headLength >= 0)
      for (let from = start; from < at && headLength < head.length; from += 1)
        if (bytes[from]! > 0x20) head[headLength++] = bytes[from]!;
    return at;
  };

  /** A value that is broken ends with its line, like one among JSON lines; behind a whole one the line is skipped. */
  const readBareJson = (bytes: Buffer, start: number, end: number): number => {
    const skipLine = skim.isBroken();
    const at = skim.feed(bytes, start, end, skipLine);
    if (at < end && (skipLine || skim.isComplete())) {
      sink.finishEvent(false);
      state = inOther;
    }
    return at;
  };

  return {
    feed(bytes, start, end) {
      let at = start;
      while (at < end) {
        if (state === inData) {
          at = readData(bytes, at, end);
          if (at === end) return;
        } else if (state === inBareJson) {
          at = readBareJson(bytes, at, end);
          continue;
        }
        const byte = bytes[at]!;
        at += 1;
        if (byte === 0x0a && afterCarriageReturn) {
          afterCarriageReturn = false;
          continue;
        }
        afterCarriageReturn = byte === 0x0d;
        if (byte === 0x0a || byte === 0x0d) lineEnds();
        else if (state === inField) {
          if (byte === 0x3a) state = beforeValue;
          else if (fieldLength === 0 && (byte === 0x20 || byte === 0x09)) continue;
          else if (fieldLength === 0 && byte === 0x7b) {
            if (hasData) dispatch();
            state = inBareJson;
            at -= 1;
          } else if (fieldLength > 0 || (byte !== 0xef && byte !== 0xbb && byte !== 0xbf)) {
            field = (Math.imul(field, 31) + byte) | 0;
            fieldLength += 1;
          }
        } else if (state === beforeValue) {
          state = field === dataField ? inData : field === eventField ? inEventName : inOther;
          if (state === inEventName) name = 0;
          if (state === inOther && fieldLength === 0 && name === errorWord) state = inComment;
          if (byte !== 0x20) at -= 1;
          if (state === inData && hasData) isNextLine = true;
        } else if (state === inEventName) name = (Math.imul(name, 31) + byte) | 0;
        else if (state === inComment && commentLength < limits.capturedBytes) {
          comment ??= Buffer.allocUnsafe(limits.capturedBytes);
          comment[commentLength++] = byte;
        }
      }
    },
    end() {
      if (state === inBareJson) sink.finishEvent(false);
      if (state !== inField || fieldLength > 0) lineEnds();
      dispatch();
    },
    reset() {
      state = inField;
      field = 0;
      fieldLength = 0;
      name = 0;
      nameBehind = 0;
      afterCarriageReturn = false;
      hasData = false;
      isNextLine = false;
      headLength = 0;
      commentLength = 0;
    },
  };
}
