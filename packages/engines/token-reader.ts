// Reads along with a response body and finds the tokens in it: server-sent events in the OpenAI, TGI, llama.cpp,
// SGLang, Triton, Anthropic, Cohere and Gemini forms, NDJSON of Ollama, and plain JSON with a `usage`. It is fed while the bytes are
// forwarded, in chunks cut anywhere, keeps no body, allocates nothing per event, and never throws.
//
// An event is not a token: one may carry many. Events that bear output are counted, because their times are what a
// user sees; the number of tokens is taken from `usage` wherever the server gives it.
import type { Buffer } from 'node:buffer';
import { createEventFraming, createJsonFraming, isBetweenValues } from './body-framing.ts';
import { type CompiledPaths, compilePaths, createSkim, type SkimSink, wordHash } from './json-skim.ts';

export type BodyKind = 'sse' | 'json' | 'opaque';

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

const text = 1;
const reasoning = 2;
const tool = 3;
const audio = 4;
const promptTokens = 1;
const completionTokens = 2;
const finishReason = 1;
const errorMessage = 2;
const rootMessage = 3;
const typeName = 1;
const objectName = 2;

const choice = (path: string, code: number) => ({
  [`choices.delta.${path}`]: code,
  [`choices.message.${path}`]: code,
});
const usage = (owner: string) => ({
  [`${owner}usage.prompt_tokens`]: promptTokens,
  [`${owner}usage.input_tokens`]: promptTokens,
  [`${owner}usage.completion_tokens`]: completionTokens,
  [`${owner}usage.output_tokens`]: completionTokens,
});

const pathsOfAnswers = {
  text: {
    ...choice('content', text),
    ...choice('content.text', text),
    ...choice('content.thinking.text', reasoning),
    ...choice('refusal', text),
    ...choice('reasoning_content', reasoning),
    ...choice('reasoning', reasoning),
    ...choice('tool_calls.function.name', tool),
    ...choice('tool_calls.function.arguments', tool),
    ...choice('function_call.name', tool),
    ...choice('function_call.arguments', tool),
    ...choice('audio.transcript', text),
    ...choice('audio.data', audio),
    'choices.text': text,
    // OpenAI responses; Anthropic messages
    delta: text,
    'delta.text': text,
    'delta.thinking': reasoning,
    'delta.partial_json': tool,
    'output.content.text': text,
    // Ollama
    response: text,
    thinking: reasoning,
    'message.content': text,
    'message.thinking': reasoning,
    'message.tool_calls.function.name': tool,
    // TGI, llama.cpp, SGLang, Triton
    'token.text': text,
    generated_text: text,
    content: text,
    'content.text': text,
    text: text,
    text_output: text,
    // Cohere
    'delta.message.content.text': text,
    'delta.message.content.thinking': reasoning,
    'delta.message.tool_plan': reasoning,
    'delta.message.tool_calls.function.name': tool,
    'delta.message.tool_calls.function.arguments': tool,
    // Gemini
    'candidates.content.parts.text': text,
    'candidates.content.parts.functionCall.name': tool,
  },
  number: {
    ...usage(''),
    ...usage('response.'),
    ...usage('message.'),
    ...usage('x_groq.'),
    prompt_eval_count: promptTokens,
    eval_count: completionTokens,
    tokens_evaluated: promptTokens,
    tokens_predicted: completionTokens,
    'details.generated_tokens': completionTokens,
    'meta_info.prompt_tokens': promptTokens,
    'meta_info.completion_tokens': completionTokens,
    'delta.usage.tokens.input_tokens': promptTokens,
    'delta.usage.tokens.output_tokens': completionTokens,
    'usageMetadata.promptTokenCount': promptTokens,
    'usageMetadata.candidatesTokenCount': completionTokens,
  },
  string: {
    'choices.finish_reason': finishReason,
    'details.finish_reason': finishReason,
    'meta_info.finish_reason.type': finishReason,
    'delta.stop_reason': finishReason,
    stop_reason: finishReason,
    done_reason: finishReason,
    stop_type: finishReason,
    'delta.finish_reason': finishReason,
    'candidates.finishReason': finishReason,
    'response.incomplete_details.reason': finishReason,
    error: errorMessage,
    'error.message': errorMessage,
    'choices.error.message': errorMessage,
    'response.error.message': errorMessage,
    detail: errorMessage,
    'detail.msg': errorMessage,
    message: rootMessage,
  },
  word: { type: typeName, object: objectName },
  yes: { done: 1, stop: 1 },
  open: { error: 1 },
};

// Compiled for the first body: hashing every key at start would wake the optimising compiler, for 3 MB that an idle agent
// does not need.
let compiled: CompiledPaths | undefined;

const ended = new Set(['message_stop', 'response.completed', 'response.incomplete', 'response.failed'].map(wordHash));
const errorWord = wordHash('error');
/** Events of OpenAI's responses whose text is told for the second time, and those whose `delta` is not of the answer. */
const repeats = new Set(['output_text.done', 'reasoning_text.done', 'reasoning_summary_text.done'].map(responseWord));
const otherOutput = new Set(
  [
    'reasoning_text.delta',
    'reasoning_summary_text.delta',
    'function_call_arguments.delta',
    'mcp_call_arguments.delta',
    'custom_tool_call_input.delta',
    'code_interpreter_call_code.delta',
    'apply_patch_call_operation_diff.delta',
    'audio.delta',
  ].map(responseWord),
);
const unnamedError = 'the server sent an error without a message';

function responseWord(name: string): number {
  return wordHash(`response.${name}`);
}

/** How a body is read, by its Content-Type. `undefined` is told by the first bytes. */
export function bodyKindOf(contentType: string | undefined): BodyKind | undefined {
  if (contentType === undefined || contentType.trim() === '') return undefined;
  // A server says the same few types again and again, and this is asked once an answer.
  if (contentType !== lastType) {
    lastKind = kindOfType(contentType);
    lastType = contentType;
  }
  return lastKind;
}

let lastType = 'application/json';
let lastKind: BodyKind = 'json';

function kindOfType(contentType: string): BodyKind {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'text/event-stream') return 'sse';
  return /^application\/(?:[\w.-]+\+)?(?:json|ndjson|x-ndjson|jsonl|x-jsonlines|json-seq|stream\+json)$/.test(type)
    ? 'json'
    : 'opaque';
}

/**
 * A reader for one response body. Bodies of other types (`opaque`) are not read: every `feed` returns 0 at once.
 * A compressed body must not be fed; it would be read as broken.
 */
export function createTokenReader(contentType: string | undefined): TokenReader {
  let kind = bodyKindOf(contentType);
  let prompt: number | undefined;
  let completion: number | undefined;
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
  let isRepeat = false;
  let isOtherOutput = false;
  let message: string | undefined;

  /** What kind of event it is; false when that changes nothing. */
  const noteName = (hash: number): boolean => {
    isRepeat = repeats.has(hash);
    isOtherOutput = otherOutput.has(hash);
    return isRepeat || isOtherOutput;
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
      hasUsage = true;
      if (code === promptTokens) prompt = value;
      else completion = value;
    },
    string(code, value) {
      if (code === finishReason) finish = value === 'none' || value === '' ? finish : value;
      else if (code === errorMessage) error = value === '' ? error : value;
      else message = value;
    },
    word(code, hash) {
      if (hash === errorWord) {
        isErrorObject = true;
        return true;
      }
      if (code === objectName) return false;
      if (ended.has(hash)) done = true;
      else return noteName(hash);
      return true;
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
    isRepeat = false;
    isOtherOutput = false;
    message = undefined;
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
    beginEvent();
  };

  const json = createJsonFraming(skim, finishEvent);
  const sse = createEventFraming(skim, {
    finishEvent,
    dataLine: () => {
      dataLines += 1;
    },
    errorField: () => {
      error ??= unnamedError;
    },
    named: (hash) => {
      isErrorObject = hash === errorWord;
      if (ended.has(hash)) done = true;
      noteName(hash);
    },
  });

  const reading = (): TokenReading => {
    // A body that is one JSON value is not a stream, and its one "event" says nothing about the number of tokens.
    const streamed = kind === 'sse' || events > 1;
    const counted = streamed && tokenEvents > 0 ? tokenEvents : undefined;
    return {
      kind: kind ?? 'opaque',
      tokenEvents,
      eventsWithText,
      promptTokens: prompt,
      completionTokens: completion ?? counted,
      completionTokensFrom: completion !== undefined ? 'usage' : counted !== undefined ? 'events' : undefined,
      finishReason: finish,
      error,
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
      beginEvent();
      skim.forget();
      json.reset();
      sse.reset();
    },
  };
}

/** Told by the first byte that is no blank: a bracket begins JSON, any other text a stream of events. */
function kindOfBytes(bytes: Buffer, start: number, end: number): BodyKind | undefined {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (!isBetweenValues(byte)) return byte === 0x7b || byte === 0x5b ? 'json' : 'sse';
  }
  return undefined;
}
