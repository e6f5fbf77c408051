// Answers of servers that speak no dialect of OpenAI's, and what those that do put beside it.
import { expect, test } from '@jest/globals';
import { createTokenReader, type TokenReading } from './index.ts';

const events = (...data: readonly object[]) => data.map((event) => `data:${JSON.stringify(event)}\n\n`).join('');

function read(body: string): TokenReading {
  const reader = createTokenReader(body.startsWith('data:') ? 'text/event-stream' : 'application/json');
  reader.feed(Buffer.from(body));
  return reader.end();
}

test.each<[string, string, Partial<TokenReading>]>([
  [
    'DashScope, which writes "null" until there is a reason',
    events(
      { output: { choices: [{ message: { content: 'a' }, finish_reason: 'null' }] }, usage: {} },
      { output: { text: 'b', finish_reason: 'stop' }, usage: { input_tokens: 5, output_tokens: 2 } },
    ),
    { eventsWithText: 2, finishReason: 'stop', promptTokens: 5, completionTokens: 2 },
  ],
  [
    'DashScope that has not ended',
    events({ output: { text: 'a', finish_reason: 'null' } }),
    { finishReason: undefined, done: false },
  ],
  [
    'Caikit over TGIS',
    events(
      { generated_text: 'a', details: { finish_reason: 'NOT_FINISHED', generated_tokens: 1, input_token_count: 5 } },
      { generated_text: 'b', details: { finish_reason: 'EOS_TOKEN', generated_tokens: 3, input_token_count: 5 } },
    ),
    { eventsWithText: 2, finishReason: 'EOS_TOKEN', promptTokens: 5, completionTokens: 3 },
  ],
  [
    'Caikit in one piece',
    '{"generated_text":"a","generated_tokens":12,"finish_reason":"MAX_TOKENS","input_token_count":10}',
    { finishReason: 'MAX_TOKENS', promptTokens: 10, completionTokens: 12 },
  ],
  [
    'watsonx, which says 0 once it has told the length of the prompt',
    events(
      {
        results: [
          { generated_text: 'a', generated_token_count: 2, input_token_count: 12, stop_reason: 'not_finished' },
        ],
      },
      { results: [{ generated_text: 'b', generated_token_count: 4, input_token_count: 0, stop_reason: 'max_tokens' }] },
    ),
    { eventsWithText: 2, finishReason: 'max_tokens', promptTokens: 12, completionTokens: 4 },
  ],
  [
    'KoboldCpp',
    events({ token: 'a', finish_reason: null }, { token: '', finish_reason: 'stop' }),
    { eventsWithText: 1, finishReason: 'stop' },
  ],
  [
    'KoboldCpp in one piece',
    '{"results":[{"text":"a","finish_reason":"length","prompt_tokens":5,"completion_tokens":8}]}',
    { eventsWithText: 1, finishReason: 'length', promptTokens: 5, completionTokens: 8 },
  ],
  [
    "KServe's inference protocol with a text",
    '{"outputs":[{"name":"text","datatype":"BYTES","data":["a"]}]}',
    { eventsWithText: 1 },
  ],
  [
    "KServe's inference protocol with numbers",
    '{"outputs":[{"name":"logits","datatype":"FP32","data":[0.1,4]}]}',
    { tokenEvents: 0, promptTokens: undefined },
  ],
  ["Vertex' predictions", '{"predictions":["a"]}', { eventsWithText: 1 }],
  [
    'Workers AI',
    '{"result":{"response":"a","usage":{"prompt_tokens":30,"completion_tokens":12}},"success":true,"errors":[]}',
    { eventsWithText: 1, promptTokens: 30, completionTokens: 12, error: undefined },
  ],
  ['an error of Workers AI', '{"result":null,"errors":[{"code":7009,"message":"busy"}]}', { error: 'busy' }],
  [
    'Ernie',
    events({ result: 'a', usage: { prompt_tokens: 2, completion_tokens: 1 } }),
    { eventsWithText: 1, completionTokens: 1 },
  ],
  [
    "Bedrock's Llama",
    '{"generation":"a","prompt_token_count":31,"generation_token_count":20,"stop_reason":"length"}',
    { eventsWithText: 1, promptTokens: 31, completionTokens: 20, finishReason: 'length' },
  ],
  [
    "Bedrock's Titan",
    '{"inputTextTokenCount":6,"results":[{"tokenCount":3,"outputText":"a","completionReason":"FINISH"}]}',
    { eventsWithText: 1, promptTokens: 6, completionTokens: 3, finishReason: 'FINISH' },
  ],
  [
    'a transcription, told again at its end',
    events(
      { type: 'transcript.text.delta', delta: 'I' },
      { type: 'transcript.text.delta', delta: ' see' },
      { type: 'transcript.text.done', text: 'I see', usage: { input_tokens: 14, output_tokens: 45 } },
    ),
    { tokenEvents: 2, eventsWithText: 2, promptTokens: 14, completionTokens: 45, done: true },
  ],
  [
    'thoughts and commands of OpenAI responses under their other names',
    events(
      { type: 'response.reasoning.delta', delta: 'hm' },
      { type: 'response.shell_call_command.delta', delta: 'ls' },
      { type: 'response.output_text.delta', delta: 'a' },
    ),
    { tokenEvents: 3, eventsWithText: 1 },
  ],
  [
    "Gemini's interactions, whose thoughts are text too",
    events(
      { event_type: 'content.delta', delta: { type: 'thought', text: 'hm' } },
      { event_type: 'content.delta', delta: { type: 'text', text: 'a' } },
      {
        event_type: 'interaction.completed',
        interaction: { usage: { total_input_tokens: 5, total_output_tokens: 2 } },
      },
    ),
    { tokenEvents: 2, eventsWithText: 1, promptTokens: 5, completionTokens: 2, done: true },
  ],
  [
    "Mistral's conversations, which think in an object",
    events(
      { type: 'message.output.delta', content: { type: 'thinking', thinking: [{ type: 'text', text: 'hm' }] } },
      { type: 'message.output.delta', content: 'a' },
      { type: 'conversation.response.done', usage: { prompt_tokens: 5, completion_tokens: 2 } },
    ),
    { tokenEvents: 2, eventsWithText: 1, completionTokens: 2, done: true },
  ],
  [
    'OpenAI responses that are not streamed',
    '{"object":"response","error":null,"incomplete_details":{"reason":"max_output_tokens"},"output":[{"arguments":"{}"}]}',
    { tokenEvents: 1, eventsWithText: 0, finishReason: 'max_output_tokens', error: undefined },
  ],
  [
    'Anthropic messages that are not streamed',
    '{"content":[{"type":"tool_use","name":"f","input":{}}],"stop_reason":"tool_use","usage":{"output_tokens":8}}',
    { tokenEvents: 1, eventsWithText: 0, finishReason: 'tool_use', completionTokens: 8 },
  ],
  [
    'a request that SGLang gave up',
    events({ text: '', meta_info: { finish_reason: { type: 'abort', message: 'queue is full', status_code: 503 } } }),
    { finishReason: 'abort', error: 'queue is full' },
  ],
  [
    "TorchServe's and TEI's errors, which repeat the status",
    '{"code":404,"type":"ModelNotFoundException","message":"no such model"}',
    { error: 'no such model' },
  ],
  ['a message that is no error', '{"code":0,"status":200,"message":"loaded"}', { error: undefined }],
  ["FastAPI's error with words of its own", '{"detail":{"error":"loading","code":503}}', { error: 'loading' }],
])('%s', (_what, body, expected) => {
  expect(read(body)).toMatchObject(expected);
});
