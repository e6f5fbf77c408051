// Answers of servers that speak no dialect of OpenAI's, and what those that do put beside it.
import { expect, test } from '@jest/globals';
import { createTokenReader, type TokenReading } from './index.ts';

const events = (...data: readonly object[]) => data.map((event) => `data:${JSON.stringify(event)}\n\n`).join('');

function read(body: string): TokenReading {
  const reader = createTokenReader(/^(?:data|event):/.test(body) ? 'text/event-stream' : 'application/json');
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
  [
    "a gateway's error with a code in words",
    '{"request_id":"1","code":"InvalidApiKey","message":"no such key"}',
    { error: 'no such key' },
  ],
  ['a message alone, which may be good news', '{"code":"Success","message":"OK"}', { error: undefined }],
  [
    'LightLLM, which counts in the token',
    events(
      { token: { text: 'a', count_output_tokens: 1, prompt_tokens: 9 }, generated_text: null, finish_reason: null },
      { token: { text: '', count_output_tokens: 2, prompt_tokens: 9 }, generated_text: null, finish_reason: 'stop' },
    ),
    { eventsWithText: 1, promptTokens: 9, completionTokens: 2, eventsWithUsage: 2, finishReason: 'stop' },
  ],
  [
    'LightLLM in one piece',
    '{"generated_text":["a"],"count_output_tokens":16,"finish_reason":"length","prompt_tokens":5}',
    { promptTokens: 5, completionTokens: 16, finishReason: 'length' },
  ],
  [
    "Dify's chat, which names its events inside them",
    events(
      { event: 'agent_thought', thought: '' },
      { event: 'agent_message', answer: 'a' },
      { event: 'message', answer: 'b' },
      { event: 'message_end', metadata: { usage: { prompt_tokens: 33, completion_tokens: 5 } } },
    ),
    { eventsWithText: 2, promptTokens: 33, completionTokens: 5, done: true, error: undefined },
  ],
  [
    "Dify's chat in one piece",
    '{"event":"message","answer":"a","metadata":{"usage":{"prompt_tokens":33,"completion_tokens":5}}}',
    { eventsWithText: 1, promptTokens: 33, completionTokens: 5 },
  ],
  [
    "Dify's workflow",
    events({ event: 'text_chunk', data: { text: 'a' } }, { event: 'error', status: 400, message: 'no model' }),
    { eventsWithText: 1, error: 'no model' },
  ],
  [
    "OpenAI's assistants, told again in the whole message",
    events(
      { object: 'thread.run.step.delta', delta: { step_details: { tool_calls: [{ function: { arguments: '{' } }] } } },
      { object: 'thread.message.delta', delta: { content: [{ type: 'text', text: { value: 'a' } }] } },
      { object: 'thread.message', content: [{ type: 'text', text: { value: 'a' } }] },
      { object: 'thread.run', status: 'completed', usage: { prompt_tokens: 20, completion_tokens: 11 } },
    ),
    { tokenEvents: 2, eventsWithText: 1, promptTokens: 20, completionTokens: 11 },
  ],
  [
    'an assistant that failed',
    events({ object: 'thread.run', status: 'failed', last_error: { code: 'rate_limit_exceeded', message: 'quota' } }),
    { error: 'quota' },
  ],
  [
    'Coze, which tells its answer again and says 0 before it knows',
    'event:conversation.message.delta\ndata:{"type":"answer","content":"a"}\n\n' +
      'event:conversation.message.completed\ndata:{"type":"answer","content":"a"}\n\n' +
      'event:conversation.chat.completed\ndata:{"usage":{"output_count":19,"input_count":614},"last_error":{"msg":""}}\n\n',
    { eventsWithText: 1, promptTokens: 614, completionTokens: 19, done: true, error: undefined },
  ],
  [
    'Llama Stack',
    events(
      { event: { event_type: 'progress', delta: { type: 'text', text: 'a' } } },
      { event: { event_type: 'complete', stop_reason: 'stop' } },
    ),
    { eventsWithText: 1, finishReason: 'stop' },
  ],
  [
    "LM Studio's own events",
    events(
      { type: 'reasoning.delta', content: 'hm' },
      { type: 'message.delta', content: 'a' },
      { type: 'chat.end', result: { stats: { input_tokens: 329, total_output_tokens: 268 } } },
    ),
    { tokenEvents: 2, eventsWithText: 1, promptTokens: 329, completionTokens: 268, done: true },
  ],
  [
    'Moonshot, whose choices tell what they used',
    events(
      { choices: [{ delta: { content: 'a' } }] },
      { choices: [{ delta: {}, finish_reason: 'stop', usage: { prompt_tokens: 19, completion_tokens: 13 } }] },
    ),
    { promptTokens: 19, completionTokens: 13, eventsWithUsage: 1 },
  ],
  [
    'completions of Aleph Alpha',
    '{"completions":[{"completion":"a","finish_reason":"maximum_tokens"}],"num_tokens_prompt_total":9,"num_tokens_generated":7}',
    { eventsWithText: 1, promptTokens: 9, completionTokens: 7, finishReason: 'maximum_tokens' },
  ],
  [
    'a stream with output whose server counts nothing',
    events(
      { choices: [{ text: 'a' }] },
      { choices: [{ text: 'b' }], usage: { prompt_tokens: 0, completion_tokens: 0 } },
    ),
    { completionTokens: 2, completionTokensFrom: 'events', eventsWithUsage: 1 },
  ],
  [
    'an answer without output, which has no tokens indeed',
    '{"choices":[{"message":{"content":""}}],"usage":{"prompt_tokens":9,"completion_tokens":0}}',
    { completionTokens: 0, completionTokensFrom: 'usage', promptTokens: 9 },
  ],
  [
    'more tokens than a number holds',
    '{"usage":{"completion_tokens":99999999999999999999}}',
    { completionTokens: undefined },
  ],
  [
    'Hunyuan, whose keys are written large',
    events(
      { Choices: [{ Delta: { Content: 'a' }, FinishReason: '' }], Usage: { PromptTokens: 3, CompletionTokens: 1 } },
      { Choices: [{ Delta: { Content: 'b' }, FinishReason: 'stop' }], Usage: { PromptTokens: 3, CompletionTokens: 2 } },
    ),
    { eventsWithText: 2, finishReason: 'stop', promptTokens: 3, completionTokens: 2 },
  ],
  [
    'Hunyuan in one piece',
    '{"Response":{"Choices":[{"Message":{"Content":"a"},"FinishReason":"stop"}],"Usage":{"PromptTokens":3,"CompletionTokens":1}}}',
    { eventsWithText: 1, finishReason: 'stop', promptTokens: 3, completionTokens: 1 },
  ],
  ['an error of Hunyuan', '{"Response":{"Error":{"Code":"Auth","Message":"wrong"}}}', { error: 'wrong' }],
  [
    "Vertex' text-bison",
    '{"predictions":[{"content":"a"}],"metadata":{"tokenMetadata":{"inputTokenCount":{"totalTokens":7},"outputTokenCount":{"totalTokens":2}}}}',
    { eventsWithText: 1, promptTokens: 7, completionTokens: 2 },
  ],
  [
    "Cohere's model on Bedrock, which counts at its end",
    '{"text":"a","is_finished":false}\n{"finish_reason":"COMPLETE","is_finished":true,"amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":3}}',
    { eventsWithText: 1, finishReason: 'COMPLETE', promptTokens: 9, completionTokens: 3 },
  ],
  [
    "Cohere's model on Bedrock in one piece",
    '{"generations":[{"text":"a","finish_reason":"MAX_TOKENS"}],"prompt":"b"}',
    { eventsWithText: 1, finishReason: 'MAX_TOKENS' },
  ],
  [
    'Cohere that says only what it bills',
    '{"text":"a","meta":{"billed_units":{"input_tokens":4,"output_tokens":1}}}',
    { eventsWithText: 1, promptTokens: 4, completionTokens: 1 },
  ],
  [
    'Cohere that bills less than it reads',
    '{"event_type":"stream-end","response":{"meta":{"tokens":{"input_tokens":9,"output_tokens":1},"billed_units":{"input_tokens":4,"output_tokens":1}}}}',
    { promptTokens: 9, completionTokens: 1 },
  ],
  [
    'an error of MiniMax',
    '{"choices":null,"base_resp":{"status_code":1004,"status_msg":"no key"}}',
    { error: 'no key' },
  ],
  [
    'MiniMax that did not fail',
    '{"reply":"","base_resp":{"status_code":0,"status_msg":"success"}}',
    { error: undefined },
  ],
  ['an error of Ernie', '{"error_code":110,"error_msg":"no token"}', { error: 'no token' }],
  ['an error of Elastic', '{"error":{"type":"status_exception","reason":"no endpoint"}}', { error: 'no endpoint' }],
  [
    'an error of Mistral or a gateway, which only says so',
    '{"message":"Unauthorized","request_id":"1"}',
    { error: 'Unauthorized' },
  ],
  ['a message beside an answer', '{"message":"hello","choices":[{"text":"a"}]}', { error: undefined }],
  ['a message that all is well', '{"status":"ok","message":"up"}', { error: undefined }],
  ['a message of a thing that has a name', '{"object":"batch","message":"accepted"}', { error: undefined }],
  ['a message in an event', events({ message: 'hello' }), { error: undefined }],
  ["FastAPI's error with words of its own", '{"detail":{"error":"loading","code":503}}', { error: 'loading' }],
])('%s', (_what, body, expected) => {
  expect(read(body)).toMatchObject(expected);
});
