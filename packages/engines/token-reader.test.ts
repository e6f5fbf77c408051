import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createTokenReader, type TokenReading } from './index.ts';

const stream = 'text/event-stream; charset=utf-8';
const events = (...data: unknown[]) =>
  data.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join('');
const chat = (delta: object, finish: string | null = null) => ({
  id: 'x',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, logprobs: null, finish_reason: finish }],
});

function read(
  body: string | Buffer,
  contentType: string | undefined = stream,
  sizes: readonly number[] = [],
): TokenReading {
  const bytes = Buffer.from(body);
  const reader = createTokenReader(contentType);
  let at = 0;
  let counted = 0;
  for (const size of [...sizes, bytes.length]) {
    const end = Math.min(bytes.length, at + size);
    counted += reader.feed(bytes, at, end);
    at = end;
  }
  const reading = reader.end();
  expect(counted).toBe(reading.tokenEvents);
  return reading;
}

const ollama = [
  { model: 'm', message: { role: 'assistant', content: 'Hi' }, done: false },
  { model: 'm', message: { role: 'assistant', content: ' you' }, done: false },
  {
    model: 'm',
    message: { role: 'assistant', content: '' },
    done: true,
    done_reason: 'stop',
    prompt_eval_count: 11,
    eval_count: 9,
  },
];

test.each<[string, string, string, Partial<TokenReading>]>([
  [
    'OpenAI chat with usage',
    stream,
    events(
      chat({ role: 'assistant', content: '' }),
      chat({ content: 'a' }),
      chat({ content: 'b' }, 'stop'),
      { choices: [], usage: { prompt_tokens: 7, completion_tokens: 5 } },
      '[DONE]',
    ),
    {
      tokenEvents: 2,
      eventsWithText: 2,
      promptTokens: 7,
      completionTokens: 5,
      completionTokensFrom: 'usage',
      finishReason: 'stop',
      done: true,
      doneMarker: true,
      eventsWithUsage: 1,
      jsonEvents: 4,
    },
  ],
  [
    'OpenAI chat without usage',
    stream,
    events(chat({ content: 'a' }), chat({ content: 'b' }), chat({}, 'length'), '[DONE]'),
    { completionTokens: 2, completionTokensFrom: 'events', promptTokens: undefined, finishReason: 'length' },
  ],
  ['completions', stream, events({ choices: [{ text: 'a' }] }, { choices: [{ text: '' }] }), { tokenEvents: 1 }],
  [
    'text in two places at once',
    stream,
    events({ choices: [{ text: 'a', delta: { content: 'a' } }] }),
    { tokenEvents: 1, eventsWithText: 1 },
  ],
  [
    'reasoning before the answer',
    stream,
    events(chat({ reasoning_content: 'hm' }), chat({ content: 'a' })),
    { tokenEvents: 2, eventsWithText: 1 },
  ],
  [
    'tool calls',
    stream,
    events(
      chat({ tool_calls: [{ index: 0, function: { name: 'f', arguments: '' } }] }),
      chat({ tool_calls: [{ function: { arguments: '{}' } }] }),
    ),
    { tokenEvents: 2, eventsWithText: 0 },
  ],
  [
    'OpenAI responses',
    stream,
    'event: response.output_text.delta\n' +
      events({ type: 'response.output_text.delta', delta: 'a' }) +
      events({ type: 'response.completed', response: { error: null, usage: { input_tokens: 3, output_tokens: 4 } } }),
    { tokenEvents: 1, promptTokens: 3, completionTokens: 4, done: true, error: undefined },
  ],
  [
    'OpenAI responses with all they repeat, and thoughts and calls that are no text',
    stream,
    [
      { delta: 'hm', type: 'response.reasoning_text.delta' },
      { text: 'hm', type: 'response.reasoning_text.done' },
      { delta: '{"a"', type: 'response.function_call_arguments.delta' },
      { arguments: '{"a":1}', type: 'response.function_call_arguments.done' },
      { delta: 'Hel', type: 'response.output_text.delta' },
      { delta: 'lo', type: 'response.output_text.delta' },
      { text: 'Hello', type: 'response.output_text.done' },
      { item: { content: [{ type: 'output_text', text: 'Hello' }] }, type: 'response.output_item.done' },
      { response: { output: [{ content: [{ text: 'Hello' }] }] }, type: 'response.completed' },
    ]
      .map((event) => `event: ${event.type}\n${events(event)}`)
      .join(''),
    { tokenEvents: 4, eventsWithText: 2, completionTokensFrom: 'events', done: true, jsonEvents: 9 },
  ],
  [
    'the same without names of events',
    stream,
    events(
      { type: 'response.reasoning_text.delta', delta: 'hm' },
      { type: 'response.output_text.delta', delta: 'Hello' },
      { type: 'response.output_text.done', text: 'Hello' },
    ),
    { tokenEvents: 2, eventsWithText: 1 },
  ],
  [
    'a name without data, which is no event and names none',
    stream,
    `event: response.output_text.done\n: a comment\n\n${events({ text: 'a' })}`,
    { tokenEvents: 1, events: 1 },
  ],
  [
    'several choices, of which each has an end',
    stream,
    events(
      chat({ content: 'a' }),
      { choices: [{ index: 1, delta: { content: 'b' }, finish_reason: null }] },
      chat({}, 'stop'),
      { choices: [{ index: 1, delta: {}, finish_reason: 'length' }] },
    ),
    { tokenEvents: 2, completionTokens: 2, finishReason: 'length' },
  ],
  [
    'thoughts in parts of content',
    stream,
    events(
      chat({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] }] }),
      chat({ content: [{ type: 'text', text: 'a' }] }),
    ),
    { tokenEvents: 2, eventsWithText: 1 },
  ],
  [
    'usage that grows with each event',
    stream,
    events(
      { ...chat({ role: 'assistant' }), usage: { prompt_tokens: 5, completion_tokens: 0 } },
      { ...chat({ content: 'a' }), usage: { prompt_tokens: 5, completion_tokens: 1 } },
      { ...chat({ content: 'bc' }), usage: { prompt_tokens: 5, completion_tokens: 3 } },
    ),
    { tokenEvents: 2, promptTokens: 5, completionTokens: 3, eventsWithUsage: 3 },
  ],
  [
    'events that only their name tells apart',
    stream,
    'event: response.output_text.delta\ndata: {"delta":"a"}\n\n' +
      'event: response.apply_patch_call_operation_diff.delta\ndata: {"delta":"+a"}\n\n' +
      'event: response.completed\ndata: {"usage":{"input_tokens":3,"output_tokens":4}}\n\n',
    { tokenEvents: 2, eventsWithText: 1, completionTokens: 4, done: true },
  ],
  [
    'spoken answers',
    stream,
    events(chat({ audio: { id: 'a', transcript: 'Hi' } }), chat({ audio: { data: 'UklGRg==' } }), chat({}, 'stop')),
    { tokenEvents: 2, eventsWithText: 1, finishReason: 'stop' },
  ],
  [
    'Cohere chat',
    stream,
    events(
      { type: 'content-start', delta: { message: { content: { type: 'text', text: '' } } } },
      { type: 'tool-plan-delta', delta: { message: { tool_plan: 'I will' } } },
      { type: 'content-delta', delta: { message: { content: { text: 'Hi' } } } },
      {
        type: 'message-end',
        delta: {
          finish_reason: 'COMPLETE',
          usage: { billed_units: { output_tokens: 1 }, tokens: { input_tokens: 8, output_tokens: 3 } },
        },
      },
    ),
    { tokenEvents: 2, eventsWithText: 1, promptTokens: 8, completionTokens: 3, finishReason: 'COMPLETE', done: true },
  ],
  [
    'Cohere chat in one piece',
    'application/json',
    '{"message":{"content":[{"type":"text","text":"Hi"}]},"finish_reason":"COMPLETE","usage":{"billed_units":{"output_tokens":1},"tokens":{"input_tokens":8,"output_tokens":3}}}',
    { eventsWithText: 1, promptTokens: 8, completionTokens: 3, finishReason: 'COMPLETE' },
  ],
  [
    "Bedrock's Converse as JSON lines",
    'application/x-ndjson',
    '{"contentBlockDelta":{"delta":{"text":"Hi"}}}\n{"contentBlockDelta":{"delta":{"toolUse":{"input":"{"}}}}\n{"messageStop":{"stopReason":"tool_use"}}\n{"metadata":{"usage":{"inputTokens":8,"outputTokens":3}}}\n',
    { tokenEvents: 2, eventsWithText: 1, promptTokens: 8, completionTokens: 3, finishReason: 'tool_use' },
  ],
  [
    'Gemini with alt=sse, whose usage grows',
    stream,
    events(
      { candidates: [{ content: { parts: [{ text: 'Hi' }] } }], usageMetadata: { promptTokenCount: 8 } },
      { candidates: [{ content: { parts: [{ functionCall: { name: 'f' } }] }, finishReason: 'STOP' }] },
      { usageMetadata: { promptTokenCount: 8, candidatesTokenCount: 3, totalTokenCount: 11 } },
    ),
    {
      tokenEvents: 2,
      eventsWithText: 1,
      promptTokens: 8,
      completionTokens: 3,
      eventsWithUsage: 2,
      finishReason: 'STOP',
    },
  ],
  [
    'Anthropic messages',
    stream,
    events(
      { type: 'message_start', message: { usage: { input_tokens: 9, output_tokens: 1 } } },
      { type: 'content_block_delta', delta: { type: 'text_delta', text: 'a' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 6 } },
      { type: 'message_stop' },
    ),
    { tokenEvents: 1, promptTokens: 9, completionTokens: 6, finishReason: 'end_turn', done: true },
  ],
  [
    'TGI’s own form, without a blank and without [DONE]',
    stream,
    'data:{"index":1,"token":{"id":5,"text":"a","special":false},"generated_text":null}\n\ndata:{"token":{"text":"b"},"generated_text":"ab","details":{"finish_reason":"length","generated_tokens":2}}\n\n',
    { tokenEvents: 2, completionTokens: 2, finishReason: 'length', done: true, doneMarker: false },
  ],
  [
    'llama.cpp’s own form',
    stream,
    events(
      { content: 'a', stop: false },
      { content: '', stop: true, stop_type: 'limit', tokens_predicted: 16, tokens_evaluated: 6 },
    ),
    { tokenEvents: 1, promptTokens: 6, completionTokens: 16, finishReason: 'limit', done: true },
  ],
  [
    'SGLang’s own form',
    stream,
    events({ text: 'a', meta_info: { prompt_tokens: 2, completion_tokens: 1, finish_reason: null } }, '[DONE]'),
    { tokenEvents: 1, promptTokens: 2, completionTokens: 1 },
  ],
  ['Triton’s generate_stream', stream, events({ model_name: 'm', text_output: 'a' }), { tokenEvents: 1 }],
  [
    'Ollama chat',
    'application/x-ndjson',
    ollama.map((line) => `${JSON.stringify(line)}\n`).join(''),
    {
      kind: 'json',
      tokenEvents: 2,
      promptTokens: 11,
      completionTokens: 9,
      finishReason: 'stop',
      done: true,
      events: 3,
    },
  ],
  [
    'Ollama generate',
    'application/x-ndjson',
    '{"response":"a","done":false}\n{"response":"","done":true,"eval_count":1}',
    { tokenEvents: 1, completionTokens: 1, done: true },
  ],
  [
    'Ollama generate of a model that thinks',
    'application/x-ndjson',
    '{"response":"","thinking":"h","done":false}\n{"response":"a","done":false}\n{"response":"","done":true,"eval_count":2}',
    { tokenEvents: 2, eventsWithText: 1, completionTokens: 2 },
  ],
  [
    'an answer that is not streamed',
    'application/json',
    JSON.stringify(
      {
        object: 'chat.completion',
        choices: [{ message: { role: 'assistant', content: 'abc' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 13, completion_tokens: 599, prompt_tokens_details: null },
      },
      null,
      2,
    ),
    { promptTokens: 13, completionTokens: 599, finishReason: 'stop', events: 1 },
  ],
  [
    'an unstreamed answer without usage',
    'application/json',
    '{"choices":[{"text":"a b c"}]}',
    { completionTokens: undefined, completionTokensFrom: undefined },
  ],
  [
    'an event with an error',
    stream,
    events(chat({ content: 'a' }), { error: { message: 'out of memory', code: 500 } }),
    { tokenEvents: 1, error: 'out of memory' },
  ],
  [
    'TGI’s error event',
    stream,
    'event: error\ndata: {"error":"overloaded","error_type":"overloaded"}\n\n',
    { error: 'overloaded' },
  ],
  [
    'an error event without words',
    stream,
    'event:error\ndata: {}\n\n',
    { error: 'the server sent an error without a message' },
  ],
  [
    'an error event with its words at the top',
    stream,
    'event: error\ndata: {"status":500,"message":"busy"}\n\n',
    { error: 'busy' },
  ],
  [
    'an error of one choice',
    stream,
    events({
      choices: [{ delta: { content: '' }, error: { code: 502, message: 'provider' }, finish_reason: 'error' }],
    }),
    { error: 'provider', finishReason: 'error' },
  ],
  [
    'an error object whose message is no text',
    'application/json',
    '{"object":"error","message":{"detail":[{"type":"missing","loc":["body"]}]},"type":"invalid_request_error"}',
    { error: 'the server sent an error without a message' },
  ],
  [
    'the name of an error event that has no data, before an event that is none',
    stream,
    `event: error\n\n${events(chat({ content: 'a' }))}`,
    { tokenEvents: 1, error: undefined },
  ],
  [
    'vLLM’s error body',
    'application/json',
    '{"object":"error","message":"too long","type":"BadRequestError","code":400}',
    { error: 'too long' },
  ],
  [
    'an error of OpenAI’s responses',
    stream,
    'event: error\ndata: {"type":"error","code":"server_error","message":"Too much","param":null}\n\n',
    { error: 'Too much' },
  ],
  ['an error with escapes', 'application/json', '{"error":"no \\"caf\\u00e9\\" here"}', { error: 'no "café" here' }],
  [
    'an error that is cut in an escape',
    'application/json',
    `{"error":"${'x'.repeat(199)}\\n"}`,
    { error: `${'x'.repeat(199)}\\` },
  ],
  [
    'an error in a field of its own',
    stream,
    'error: {"code":500,"message":"busy"}\n\n',
    { error: 'the server sent an error without a message' },
  ],
  [
    'FastAPI’s list of errors',
    'application/json',
    '{"detail":[{"loc":["body"],"msg":"Field required"}]}',
    { error: 'Field required' },
  ],
  [
    'llama.cpp that was not asked for usage',
    stream,
    events(chat({ content: 'a b' }), {
      ...chat({}, 'stop'),
      timings: { cache_n: 30, prompt_n: 4, prompt_ms: 1.5, predicted_n: 7 },
    }),
    { promptTokens: 34, completionTokens: 7, completionTokensFrom: 'usage', eventsWithUsage: 0 },
  ],
  [
    'llama.cpp that was',
    'application/json',
    '{"usage":{"completion_tokens":7,"prompt_tokens":40},"timings":{"cache_n":30,"prompt_n":4,"predicted_n":6}}',
    { promptTokens: 40, completionTokens: 7, eventsWithUsage: 1 },
  ],
  [
    'JSON behind a byte order mark',
    'application/json',
    '\uFEFF{"choices":[{"text":"a"}],"usage":{"completion_tokens":1}}',
    { tokenEvents: 1, completionTokens: 1, jsonEvents: 1, eventsNotJson: 0 },
  ],
  [
    'named events without blank lines between them',
    stream,
    'event: response.reasoning_text.delta\ndata: {"delta":"a"}\n' +
      'event: response.output_text.delta\ndata: {"delta":"b"}\nevent: response.completed\ndata: {}\n',
    { tokenEvents: 2, eventsWithText: 1, events: 3, done: true, error: undefined },
  ],
  [
    'an event named behind its data',
    stream,
    'data: {"message":"gone"}\nevent: error\n\n',
    { events: 1, error: 'gone' },
  ],
  [
    'an error of Dynamo’s, which only a comment tells',
    stream,
    `${events(chat({ content: 'a' }))}event: error\n: no image there\n\n`,
    { tokenEvents: 1, events: 1, error: 'no image there' },
  ],
  [
    'an error written behind an event that broke off',
    stream,
    'event: response.completed\ndata: {"response":{"output":[{"content":[{"text":"Hel\ndata: {"error":{"message":"lost"}}\n\n',
    { events: 2, eventsNotJson: 1, error: 'lost' },
  ],
  [
    'JSON of an error behind the events of a stream',
    stream,
    `${events({ candidates: [{ content: { parts: [{ text: 'a' }] } }] })}{\n  "error": {\n    "code": 503,\n    "message": "busy"\n  }\n}\n`,
    { tokenEvents: 1, dataLines: 1, events: 2, jsonEvents: 2, error: 'busy' },
  ],
  [
    'JSON that is called a stream',
    stream,
    '{"error":{"message":"no such model"}}',
    { events: 1, jsonEvents: 1, dataLines: 0, error: 'no such model' },
  ],
  [
    'JSON lines that are called a stream',
    stream,
    ollama.map((line) => `${JSON.stringify(line)}\n`).join(''),
    { tokenEvents: 2, events: 3, promptTokens: 11, completionTokens: 9, done: true },
  ],
  [
    'an unstreamed answer that is called a stream',
    stream,
    '{"choices":[{"message":{"content":"a"}}]}',
    { tokenEvents: 1, completionTokens: undefined },
  ],
  [
    'a line between events that only begins like JSON',
    stream,
    `${events(chat({ content: 'a' }))}{ [5 bytes data]\n${events(chat({ content: 'b' }))}`,
    { tokenEvents: 2, jsonEvents: 2, eventsNotJson: 1 },
  ],
  ['an error that is null', stream, events({ error: null, choices: [] }), { error: undefined }],
  [
    'a media type of no interest',
    'text/html',
    '{"choices":[{"text":"a"}]}',
    { kind: 'opaque', tokenEvents: 0, events: 0 },
  ],
])('%s is read', (_what, contentType, body, expected) => {
  expect(read(body, contentType)).toMatchObject(expected);
});

test.each([
  ['CRLF', events(chat({ content: 'a' }), '[DONE]').replaceAll('\n', '\r\n')],
  ['CR', events(chat({ content: 'a' }), '[DONE]').replaceAll('\n', '\r')],
  ['a byte order mark', `\uFEFF${events(chat({ content: 'a' }), '[DONE]')}`],
  [
    'comments everywhere',
    `: hi\n\n: x\n${events(chat({ content: 'a' })).replace('\n\n', '\n: ping\n\n')}:\n\ndata: [DONE]`,
  ],
  ['other fields', `id: 1\nretry: 10\nevent: message\n${events(chat({ content: 'a' }), '[DONE]')}`],
  ['several data lines an event', `data: {"choices":\ndata: [{"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n`],
  ['no blank line between events', `data: ${JSON.stringify(chat({ content: 'a' }))}\ndata: [DONE]\n\n`],
  ['indented lines', events(chat({ content: 'a' }), '[DONE]').replaceAll('data', '\t  data')],
  ['blanks inside the JSON', 'data: {"choices" : [ {"delta" : { "content" : "a" } } ] }\n\ndata:  [DONE] \n\n'],
  ['an escape in the text', events(chat({ content: '\\"content":"' }), '[DONE]')],
])('a stream with %s is read', (_what, body) => {
  expect(read(body)).toMatchObject({ tokenEvents: 1, jsonEvents: 1, doneMarker: true, eventsNotJson: 0 });
});

test.each([
  ['text under another root', { bonk: [{ delta: { content: 'a' } }] }],
  ['text that looks like a key', { choices: [{ delta: { role: '"content":"a"' } }] }],
  [
    'content in logprobs',
    { choices: [{ logprobs: { content: [{ token: 'a', bytes: [97] }] }, delta: { content: null } }] },
  ],
  ['an empty text', { choices: [{ delta: { content: '' } }] }],
])('%s is no token', (_what, event) => {
  expect(read(events(event))).toMatchObject({ tokenEvents: 0, jsonEvents: 1 });
});

test('an event that is not JSON costs no other', () => {
  expect(read(events(chat({ content: 'a' }), '[DATA]', 'oops', chat({ content: 'b' })))).toMatchObject({
    tokenEvents: 2,
    eventsNotJson: 2,
    jsonEvents: 2,
  });
  expect(read('{"response":"a"}\nnonsense\n{"response":"b"}\n', 'application/x-ndjson')).toMatchObject({
    tokenEvents: 2,
    eventsNotJson: 1,
  });
});

test('without a content type the first bytes tell', () => {
  expect(read(events(chat({ content: 'a' })), undefined as unknown as string)).toMatchObject({ tokenEvents: 1 });
  const untyped = createTokenReader(undefined);
  expect(untyped.feed(Buffer.from(' \n{"choices":[{"text":"a"}]}'))).toBe(1);
  expect(untyped.end().kind).toBe('json');
});

test('below the head of an answer stands a stream or JSON', () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: any\r\n\r\n';
  const untyped = (body: string) => {
    const reader = createTokenReader(undefined);
    reader.feed(Buffer.from(head + body));
    return reader.end();
  };
  expect(untyped(events(chat({ content: 'a' }), '[DONE]'))).toMatchObject({ tokenEvents: 1, events: 2 });
  expect(untyped('{"choices":[{"text":"a"}],\n"usage":{"completion_tokens":3}}')).toMatchObject({
    tokenEvents: 1,
    events: 1,
    completionTokens: 3,
  });
  expect(untyped('{"detail":"Not Found"}* Connection #0 left intact\n')).toMatchObject({ error: 'Not Found' });
});

test('a stream that breaks off keeps what it had', () => {
  const body = events(chat({ content: 'a' }), chat({ content: 'b' }));
  expect(read(body.slice(0, -20))).toMatchObject({ tokenEvents: 2, done: false, doneMarker: false });
});

/** What a reader that parses every event would say; the judge of the one that only skims. */
function judge(values: readonly unknown[]): number {
  return values.filter((value) => {
    const choices = (value as { choices?: unknown }).choices;
    return (Array.isArray(choices) ? choices : []).some((choice: { text?: unknown; delta?: { content?: unknown } }) =>
      [choice.text, choice.delta?.content].some((text) => typeof text === 'string' && text !== ''),
    );
  }).length;
}

const word = fc.string({ unit: 'grapheme', maxLength: 8 });
const choice = fc.record(
  {
    index: fc.nat(3),
    text: fc.option(word),
    delta: fc.record({ role: word, content: fc.option(word) }, { requiredKeys: [] }),
    logprobs: fc.json().map((json) => JSON.parse(json) as unknown),
  },
  { requiredKeys: ['delta'] },
);
const value = fc.record(
  { id: word, created: fc.nat(), choices: fc.array(choice, { maxLength: 2 }), extra: fc.jsonValue() },
  { requiredKeys: ['choices'] },
);

test('any stream, cut anywhere, is read as a reader that parses every event would read it', () => {
  fc.assert(
    fc.property(
      fc.array(value, { maxLength: 6 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 40 }),
      fc.boolean(),
      (values, sizes, repeat) => {
        const sent = repeat ? values.flatMap((one) => [one, one, one]) : values;
        const found = read(events(...sent, '[DONE]'), stream, sizes);
        expect(found).toMatchObject({
          eventsWithText: judge(sent),
          jsonEvents: sent.length,
          eventsNotJson: 0,
          doneMarker: true,
        });
        const lines = read(sent.map((one) => JSON.stringify(one)).join('\n'), 'application/x-ndjson', sizes);
        expect(lines).toMatchObject({ eventsWithText: judge(sent), jsonEvents: sent.length });
      },
    ),
    { numRuns: 200 },
  );
});

test('any bytes, cut anywhere, give the same reading and never throw', () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
    fc
      .constantFrom(
        'data: ',
        'event: error\n',
        ': ',
        '{"choices":[{"delta":{"content":"',
        '"}}]}',
        '\n',
        '\r',
        '\n\n',
        '[DONE]',
        '{',
        '}',
        '[',
        ']',
        '"',
        '\\',
        ':',
        ',',
      )
      .map((text) => Buffer.from(text)),
  );
  // Every body but the first finds it as the one before left it.
  const used = createTokenReader(undefined);
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 60 }),
      fc.constantFrom(stream, 'application/json', undefined),
      (pieces, sizes, contentType) => {
        const body = Buffer.concat(pieces);
        const whole = createTokenReader(contentType);
        whole.feed(body);
        const cut = createTokenReader(contentType);
        let at = 0;
        for (const size of [...sizes, body.length]) {
          const end = Math.min(body.length, at + size);
          cut.feed(body, at, end);
          at = end;
        }
        used.reset(contentType);
        used.feed(body);
        expect(used.reading()).toEqual(whole.reading());
        const reading = whole.end();
        expect(cut.end()).toEqual(reading);
        expect(used.end()).toEqual(reading);
      },
    ),
    { numRuns: 400 },
  );
});

test.each([
  '[',
  '{"a":',
  '"',
  '\\',
  'data: {',
  'data: \n',
  'data:\n\n',
  '\r',
  '1',
  'event: x\n',
  '{"choices":[{"text":"a"}]}',
])('a MiB of %j is read in linear time and small memory', (piece) => {
  const body = Buffer.from(piece.repeat(Math.ceil((1024 * 1024) / piece.length)));
  // Quadratic work on a MiB would take many minutes; the limit of one is the judge.
  for (const contentType of [stream, 'application/json']) {
    const reader = createTokenReader(contentType);
    for (let at = 0; at < body.length; at += 1_000) reader.feed(body, at, Math.min(body.length, at + 1_000));
    expect(reader.end().error).toBeUndefined();
  }
});
