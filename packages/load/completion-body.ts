// The body of a request that costs a server as much as the recorded one did: a prompt of the right length, of words
// that mean nothing, and an answer of the right length.

const filler = 'Tell me a bit more about that, please. ';
/** What tokenisers average on English; our model server counts exactly so. */
const charactersPerToken = 4;

/**
 * A streamed chat completion as JSON. An empty prompt or answer in the trace is sent as one token, because servers take no
 * less. `ignore_eos` (vLLM, SGLang) keeps a real model from ending early.
 */
export function completionBody(
  request: { readonly promptTokens: number; readonly outputTokens: number },
  model: string | undefined,
): string {
  const length = Math.max(1, request.promptTokens) * charactersPerToken;
  return JSON.stringify({
    ...(model === undefined ? {} : { model }),
    messages: [{ role: 'user', content: filler.repeat(Math.ceil(length / filler.length)).slice(0, length) }],
    max_tokens: Math.max(1, request.outputTokens),
    stream: true,
    stream_options: { include_usage: true },
    ignore_eos: true,
  });
}
