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
export const rootMessage = 3;
const ownMessage = 5;
/** Says that all is well, or anything else. */
export const statusWord = 8;
/** A code in words, such as `InvalidApiKey`; servers without failure write `Success` or a number there. */
export const errorCode = 4;
/** An HTTP status that the body repeats. */
export const statusCode = 6;
/** A number that is 0 unless the request failed. */
export const failureNumber = 7;
const typeName = 1;
export const objectName = 2;
export const deltaType = 3;

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

/** What Cohere bills is less than what it reads, and counts where it says nothing else. */
const cohere = (owner: string) => ({
  [`${owner}.tokens.input_tokens`]: promptTokens,
  [`${owner}.tokens.output_tokens`]: completionTokens,
  [`${owner}.billed_units.input_tokens`]: timedPrompt,
  [`${owner}.billed_units.output_tokens`]: timedCompletion,
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
    'output.content.refusal': text,
    'output.summary.text': reasoning,
    'output.arguments': tool,
    'content.thinking': reasoning,
    'content.thinking.text': reasoning,
    'content.name': tool,
    'delta.content': reasoning,
    'delta.content.text': reasoning,
    // OpenAI's assistants
    'delta.content.text.value': text,
    'delta.step_details.tool_calls.function.name': tool,
    'delta.step_details.tool_calls.function.arguments': tool,
    // Completions of Anthropic and Aleph Alpha
    completion: text,
    'completions.completion': text,
    // Llama Stack
    'event.delta.text': text,
    'completion_message.content': text,
    'completion_message.content.text': text,
    // Dify
    answer: text,
    'data.text': text,
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
    // KServe's inference protocol and its older one, which Vertex keeps
    'outputs.data': text,
    predictions: text,
    // KoboldCpp
    token: text,
    'results.text': text,
    // LM Studio
    'output.content': text,
    // TGIS and watsonx
    'results.generated_text': text,
    // DashScope
    'output.text': text,
    'output.choices.message.content': text,
    'output.choices.message.content.text': text,
    'output.choices.message.reasoning_content': reasoning,
    'output.choices.message.tool_calls.function.name': tool,
    // Ernie; Workers AI
    result: text,
    'result.response': text,
    // Cohere
    'delta.message.content.text': text,
    'delta.message.content.thinking': reasoning,
    'delta.message.tool_plan': reasoning,
    'delta.message.tool_calls.function.name': tool,
    'delta.message.tool_calls.function.arguments': tool,
    // Gemini
    'candidates.content.parts.text': text,
    'candidates.content.parts.functionCall.name': tool,
    'outputs.text': text,
    // Bedrock's Converse
    'contentBlockDelta.delta.text': text,
    'contentBlockDelta.delta.reasoningContent.text': reasoning,
    'contentBlockDelta.delta.toolUse.input': tool,
    'output.message.content.text': text,
    // Bedrock's own models, and Cohere's there
    generation: text,
    outputText: text,
    'results.outputText': text,
    'generations.text': text,
    // Vertex' text-bison and chat-bison
    'predictions.content': text,
    'predictions.candidates.content': text,
    'outputs.structVal.content.stringVal': text,
    // Hunyuan, whose unstreamed answers stand in a `Response`
    'Choices.Delta.Content': text,
    'Choices.Delta.ReasoningContent': reasoning,
    'Response.Choices.Message.Content': text,
  },
  number: {
    ...usage(''),
    ...usage('response.'),
    ...usage('message.'),
    ...usage('x_groq.'),
    ...usage('result.'),
    ...usage('choices.'),
    ...usage('metadata.'),
    'interaction.usage.total_input_tokens': promptTokens,
    'interaction.usage.total_output_tokens': completionTokens,
    'usage.total_input_tokens': promptTokens,
    'usage.total_output_tokens': completionTokens,
    'usage.input_count': promptTokens,
    'usage.output_count': completionTokens,
    // LM Studio
    'stats.input_tokens': promptTokens,
    'stats.total_output_tokens': completionTokens,
    'result.stats.input_tokens': promptTokens,
    'result.stats.total_output_tokens': completionTokens,
    // LightLLM
    prompt_tokens: promptTokens,
    count_output_tokens: completionTokens,
    'token.prompt_tokens': promptTokens,
    'token.count_output_tokens': completionTokens,
    // Aleph Alpha
    num_tokens_prompt_total: promptTokens,
    num_tokens_generated: completionTokens,
    prompt_eval_count: promptTokens,
    eval_count: completionTokens,
    tokens_evaluated: promptTokens,
    tokens_predicted: completionTokens,
    'details.generated_tokens': completionTokens,
    'details.input_token_count': promptTokens,
    generated_tokens: completionTokens,
    input_token_count: promptTokens,
    'results.generated_token_count': completionTokens,
    'results.input_token_count': promptTokens,
    'results.completion_tokens': completionTokens,
    'results.prompt_tokens': promptTokens,
    'results.tokenCount': completionTokens,
    inputTextTokenCount: promptTokens,
    generation_token_count: completionTokens,
    prompt_token_count: promptTokens,
    'timings.prompt_n': timedPrompt,
    'timings.cache_n': timedCache,
    'timings.predicted_n': timedCompletion,
    'meta_info.prompt_tokens': promptTokens,
    'meta_info.completion_tokens': completionTokens,
    ...cohere('delta.usage'),
    ...cohere('usage'),
    ...cohere('meta'),
    ...cohere('response.meta'),
    'usage.inputTokens': promptTokens,
    'usage.outputTokens': completionTokens,
    'metadata.usage.inputTokens': promptTokens,
    'metadata.usage.outputTokens': completionTokens,
    'usageMetadata.promptTokenCount': promptTokens,
    'usageMetadata.candidatesTokenCount': completionTokens,
    'metadata.tokenMetadata.inputTokenCount.totalTokens': promptTokens,
    'metadata.tokenMetadata.outputTokenCount.totalTokens': completionTokens,
    'amazon-bedrock-invocationMetrics.inputTokenCount': promptTokens,
    'amazon-bedrock-invocationMetrics.outputTokenCount': completionTokens,
    'Usage.PromptTokens': promptTokens,
    'Usage.CompletionTokens': completionTokens,
    'Response.Usage.PromptTokens': promptTokens,
    'Response.Usage.CompletionTokens': completionTokens,
    'base_resp.status_code': failureNumber,
    code: statusCode,
    status: statusCode,
    statusCode,
    status_code: statusCode,
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
    'incomplete_details.reason': finishReason,
    'output.finish_reason': finishReason,
    'output.choices.finish_reason': finishReason,
    'results.finish_reason': finishReason,
    'results.stop_reason': finishReason,
    'results.completionReason': finishReason,
    completionReason: finishReason,
    'completions.finish_reason': finishReason,
    'event.stop_reason': finishReason,
    'completion_message.stop_reason': finishReason,
    'outputs.stop_reason': finishReason,
    'generations.finish_reason': finishReason,
    'Choices.FinishReason': finishReason,
    'Response.Choices.FinishReason': finishReason,
    error: errorMessage,
    'error.message': errorMessage,
    'choices.error.message': errorMessage,
    'response.error.message': errorMessage,
    'errors.message': errorMessage,
    'meta_info.finish_reason.message': errorMessage,
    'last_error.message': errorMessage,
    'last_error.msg': errorMessage,
    detail: errorMessage,
    'detail.msg': errorMessage,
    'detail.message': errorMessage,
    'detail.error': errorMessage,
    // Elastic; Ernie; Hunyuan
    'error.reason': errorMessage,
    error_msg: errorMessage,
    'ErrorMsg.Msg': errorMessage,
    'Response.Error.Message': errorMessage,
    message: rootMessage,
    // MiniMax, which says something here also where nothing failed
    'base_resp.status_msg': ownMessage,
    code: errorCode,
    status: statusWord,
  },
  word: { type: typeName, event_type: typeName, event: typeName, 'delta.type': deltaType, object: objectName },
  yes: { done: 1, stop: 1 },
  open: { error: 1 },
};
