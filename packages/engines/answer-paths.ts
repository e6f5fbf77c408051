// Where answers of model servers hold what is counted: text, tokens, how they end, and errors, a path of keys each. Arrays
// are transparent, and the number behind a path tells the reader what was found there.

export const text = 1;
const reasoning = 2;
const tool = 3;
const audio = 4;
export const promptTokens = 1;
const completionTokens = 2;
// llama.cpp counts in its timings what it says in no usage unless asked for it.
export const timedPrompt = 3;
const timedCache = 4;
const timedCompletion = 5;
export const finishReason = 1;
export const errorMessage = 2;
const rootMessage = 3;
const typeName = 1;
export const objectName = 2;

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

export const pathsOfAnswers = {
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
    'message.content.text': text,
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
    // Bedrock's Converse
    'contentBlockDelta.delta.text': text,
    'contentBlockDelta.delta.reasoningContent.text': reasoning,
    'contentBlockDelta.delta.toolUse.input': tool,
    'output.message.content.text': text,
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
    'timings.prompt_n': timedPrompt,
    'timings.cache_n': timedCache,
    'timings.predicted_n': timedCompletion,
    'meta_info.prompt_tokens': promptTokens,
    'meta_info.completion_tokens': completionTokens,
    'delta.usage.tokens.input_tokens': promptTokens,
    'delta.usage.tokens.output_tokens': completionTokens,
    'usage.tokens.input_tokens': promptTokens,
    'usage.tokens.output_tokens': completionTokens,
    'usage.inputTokens': promptTokens,
    'usage.outputTokens': completionTokens,
    'metadata.usage.inputTokens': promptTokens,
    'metadata.usage.outputTokens': completionTokens,
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
    finish_reason: finishReason,
    'delta.finish_reason': finishReason,
    stopReason: finishReason,
    'messageStop.stopReason': finishReason,
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
