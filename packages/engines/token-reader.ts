// Reads along with a response body and finds the tokens in it: server-sent events and JSON in the forms of
// `answer-paths.ts`. It is fed while the bytes are forwarded, in chunks cut anywhere, keeps no body, allocates nothing
// per event, and never throws.
//
// An event is not a token: one may carry many. Events that bear output are counted, because their times are what a
// user sees; the number of tokens is taken from `usage` wherever the server gives it.
import type { Buffer } from 'node:buffer';
import {
  deltaType,
  errorCode,
  errorMessage,
  failureNumber,
  finishReason,
  objectName,
  pathsOfAnswers,
  promptTokens,
  rootMessage,
  statusCode,
  statusWord,
  text,
  timedPrompt,
} from './answer-paths.ts';
import { ended, errorWord, noReason, otherOutput, repeats, thoughtWord, wellDone } from './answer-words.ts';
import { createEventFraming, createJsonFraming } from './body-framing.ts';
import { type BodyKind, bodyKindOf, kindOfBytes } from './body-kind.ts';
import { createSkim, type SkimSink } from './json-skim.ts';
import { type CompiledPaths, compilePaths } from './key-paths.ts';

export interface TokenReading {
  readonly kind: BodyKind;
  /** Events that brought text, reasoning or a piece of a tool call. */
  readonly tokenEvents: number;
  /** Those with text of the answer itself. */
  readonly eventsWithText: number;
  /** From `usage` or its like; undefined when the server does not say. */
  readonly promptTokens: number | undefined;
  /** From `usage`, else the counted events of a stream; an unstreamed answer without `usage` gives none. */
  readonly completionTokens: number | undefined;
  readonly completionTokensFrom: 'usage' | 'events' | undefined;
  readonly finishReason: string | undefined;
  /** The message of an error that came in the body, whatever the status was. */
  readonly error: string | undefined;
  /** The server said that it is finished: `[DONE]`, `"done":true`, `message_stop`, a finish reason and no more. */
  readonly done: boolean;
  readonly doneMarker: boolean;
  /** `data:` lines of a server-sent stream, `[DONE]` included; 0 for other bodies. */
  readonly dataLines: number;
  /** Events of a stream, or JSON values of a body. */
  readonly events: number;
  readonly jsonEvents: number;
  /** Events that are neither JSON nor `[DONE]`. */
  readonly eventsNotJson: number;
  readonly eventsWithUsage: number;
}

export interface TokenReader {
  /** Reads on; returns how many events began to bear output in these bytes (0 for most bytes of most answers). */
  readonly feed: (bytes: Buffer, start?: number, end?: number) => number;
  /** The body has ended, or broke off. A last event without its blank line counts. */
  readonly end: () => TokenReading;
  readonly reading: () => TokenReading;
  /** Ready for another body, as a new reader would be: making one costs more than reading a short answer. */
  readonly reset: (contentType: string | undefined) => void;
}

// Compiled for the first body: hashing every key at start would wake the optimising compiler, for 3 MB that an idle agent
// does not need.
let compiled: CompiledPaths | undefined;

/** A code that is a name; one that is a number is read as such. */
const failureName = /^[a-z][\w.-]{0,80}$/i;
const unnamedError = 'the server sent an error without a message';

/**
 * A reader for one response body. Bodies of other types (`opaque`) are not read: every `feed` returns 0 at once.
 * A compressed body must not be fed; it would be read as broken.
 */
export function createTokenReader(contentType: string | undefined): TokenReader {
  let kind = bodyKindOf(contentType);
  let prompt: number | undefined;
  let completion: number | undefined;
  /** Of the prompt what was read and what was in the cache, and what was generated; -1 where nothing was said. */
  const timed = [-1, -1, -1];
  let finish: string | undefined;
  let error: string | undefined;
  let done = false;
  let doneMarker = false;
  let tokenEvents = 0;
  let eventsWithText = 0;
  let dataLines = 0;
  let events = 0;
  let jsonEvents = 0;
  let eventsNotJson = 0;
  let eventsWithUsage = 0;

  // Of the event that is being read.
  let hasText = false;
  let hasOutput = false;
  let hasUsage = false;
  let isErrorObject = false;
  /** It repeats the status of a failure, or names one. */
  let hasFailed = false;
  let isRepeat = false;
  let isOtherOutput = false;
  let message: string | undefined;
  /** It says what it is, that all is well, or where its message belongs. */
  let saysMore = false;
  /** What the first value says where it says nothing else that is read: Mistral and gateways tell of failures so. */
  let onlyMessage: string | undefined;

  /** What kind of event it is; false when that changes nothing. */
  const noteName = (hash: number): boolean => {
    const says = repeats.has(hash) || otherOutput.has(hash);
    isRepeat ||= repeats.has(hash);
    isOtherOutput ||= otherOutput.has(hash);
    return says;
  };

  const sink: SkimSink = {
    text(code) {
      if (isRepeat) return;
      if (code === text && !isOtherOutput && !hasText) {
        hasText = true;
        eventsWithText += 1;
      }
      if (hasOutput) return;
      hasOutput = true;
      tokenEvents += 1;
    },
    number(code, value) {
      if (code === statusCode) {
        hasFailed ||= value >= 400 && value <= 599;
        saysMore ||= value < 400;
        return;
      }
      if (code === failureNumber) {
        hasFailed ||= value !== 0;
        return;
      }
      if (code >= timedPrompt) {
        timed[code - timedPrompt] = value;
        return;
      }
      hasUsage = true;
      // Some say 0 in every event but one.
      if (code === promptTokens) prompt = value === 0 ? (prompt ?? 0) : value;
      else completion = value === 0 ? (completion ?? 0) : value;
    },
    string(code, value) {
      if (code === finishReason) finish = noReason.has(value.toLowerCase()) ? finish : value;
      else if (code === errorMessage) error = value === '' ? error : value;
      else if (code === errorCode || code === statusWord) {
        const isWell = wellDone.has(value.toLowerCase());
        saysMore ||= isWell;
        hasFailed ||= code === errorCode && !isWell && failureName.test(value);
      } else {
        message = value;
        saysMore ||= code !== rootMessage;
      }
    },
    word(code, hash) {
      saysMore = true;
      if (code === deltaType) {
        isOtherOutput ||= hash === thoughtWord;
        return hash === thoughtWord;
      }
      if (hash === errorWord) {
        isErrorObject = true;
        return true;
      }
      if (code === objectName) return false;
      const isLast = ended.has(hash);
      done ||= isLast;
      return noteName(hash) || isLast;
    },
    yes() {
      done = true;
    },
    open() {
      error ??= unnamedError;
    },
  };
  compiled ??= compilePaths(pathsOfAnswers);
  const skim = createSkim(compiled, sink);

  const beginEvent = () => {
    hasText = false;
    hasOutput = false;
    hasUsage = false;
    isErrorObject = false;
    hasFailed = false;
    isRepeat = false;
    isOtherOutput = false;
    message = undefined;
    saysMore = false;
    skim.reset();
  };

  /** The event or JSON value has ended. */
  const finishEvent = (isDoneMarker: boolean) => {
    events += 1;
    if (isDoneMarker) {
      doneMarker = true;
      done = true;
    } else if (skim.isComplete()) jsonEvents += 1;
    else eventsNotJson += 1;
    if (hasUsage) eventsWithUsage += 1;
    if (isErrorObject) error = message ?? error ?? unnamedError;
    else if (hasFailed && message !== '') error ??= message;
    if (events === 1 && !saysMore && !hasOutput && !hasUsage) onlyMessage = message;
    beginEvent();
  };

  const json = createJsonFraming(skim, finishEvent);
  const sse = createEventFraming(skim, {
    finishEvent,
    dataLine: () => {
      dataLines += 1;
    },
    errorWithoutData: (comment) => {
      error ??= comment ?? unnamedError;
    },
    named: (hash) => {
      isErrorObject = hash === errorWord;
      isRepeat = false;
      isOtherOutput = false;
      if (ended.has(hash)) done = true;
      noteName(hash);
    },
  });

  const reading = (): TokenReading => {
    // A body that is one JSON value is not a stream, and its one "event" says nothing about the number of tokens.
    const streamed = dataLines > 0 || events > 1;
    const counted = streamed && tokenEvents > 0 ? tokenEvents : undefined;
    const [timedPromptTokens, timedCacheTokens, timedTokens] = timed as [number, number, number];
    // A server that does not count says 0, also of an answer that had output.
    const counts = completion !== 0 || tokenEvents === 0;
    const told = counts ? (completion ?? (timedTokens >= 0 ? timedTokens : undefined)) : undefined;
    return {
      kind: kind ?? 'opaque',
      tokenEvents,
      eventsWithText,
      promptTokens: prompt ?? (timedPromptTokens >= 0 ? timedPromptTokens + Math.max(0, timedCacheTokens) : undefined),
      completionTokens: told ?? counted,
      completionTokensFrom: told !== undefined ? 'usage' : counted !== undefined ? 'events' : undefined,
      finishReason: finish,
      error: error ?? (streamed || done || finish !== undefined || onlyMessage === '' ? undefined : onlyMessage),
      done: done || finish !== undefined,
      doneMarker,
      dataLines,
      events,
      jsonEvents,
      eventsNotJson,
      eventsWithUsage,
    };
  };

  return {
    feed(bytes, start = 0, end = bytes.length) {
      if (kind === 'opaque') return 0;
      const before = tokenEvents;
      kind ??= kindOfBytes(bytes, start, end);
      if (kind === 'sse') sse.feed(bytes, start, end);
      else if (kind === 'json') json.feed(bytes, start, end);
      return tokenEvents - before;
    },
    end() {
      if (kind === 'sse') sse.end();
      else if (kind === 'json') json.end();
      return reading();
    },
    reading,
    reset(nextType) {
      kind = bodyKindOf(nextType);
      prompt = undefined;
      completion = undefined;
      timed.fill(-1);
      finish = undefined;
      error = undefined;
      done = false;
      doneMarker = false;
      tokenEvents = 0;
      eventsWithText = 0;
      dataLines = 0;
      events = 0;
      jsonEvents = 0;
      eventsNotJson = 0;
      eventsWithUsage = 0;
      onlyMessage = undefined;
      beginEvent();
      skim.forget();
      json.reset();
      sse.reset();
    },
  };
}
