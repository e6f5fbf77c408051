// The words of an answer and the two forms they travel in. Every event of a stream repeats the same head, so it is
// written once and only the word changes: that is most of what a token costs.
import type { CompletionRequest } from './completion-request.ts';

export interface AnswerIdentity {
  readonly id: string;
  readonly model: string;
  /** Unix time in seconds. */
  readonly created: number;
}

export interface Answer {
  /** What a stream sends for the tokens numbered from `first` (0 is the first of the answer), one event a token. */
  events(first: number, tokens: number): string;
  /** The whole answer at once. */
  json(): string;
}

const words = ['the', 'model', 'would', 'write', 'some', 'text', 'here', 'that', 'says', 'what', 'you', 'asked'];
const wordAt = (index: number): string => ` ${words[index % words.length]!}`;

/** Answers end because they are long enough, never by themselves. */
const finishReason = 'length';

export const streamEnd = 'data: [DONE]\n\n';

export function answerOf(request: CompletionRequest, { id, model, created }: AnswerIdentity): Answer {
  const { dialect, promptTokens, maxTokens, includeUsage } = request;
  const usage = {
    prompt_tokens: promptTokens,
    total_tokens: promptTokens + maxTokens,
    completion_tokens: maxTokens,
  };
  const envelope = (object: string, rest: object) => JSON.stringify({ id, object, created, model, ...rest });
  const object = dialect === 'chat' ? 'chat.completion.chunk' : 'text_completion';
  const event = (rest: object) => `data: ${envelope(object, rest)}\n\n`;

  const choice = (word: string, finish: string | null) =>
    dialect === 'chat'
      ? { index: 0, delta: { content: word }, logprobs: null, finish_reason: finish }
      : { index: 0, text: word, logprobs: null, finish_reason: finish, stop_reason: null };
  const [head = '', tail = ''] = event({ choices: [choice('\u0000', null)] }).split('\\u0000');

  const opening = () =>
    dialect === 'chat' ? event({ choices: [{ ...choice('', null), delta: { role: 'assistant', content: '' } }] }) : '';
  const closing = () => (includeUsage ? event({ choices: [], usage }) : '') + streamEnd;

  return {
    events(first, tokens) {
      let text = first === 0 ? opening() : '';
      for (let index = first; index < first + tokens; index += 1) {
        if (index < maxTokens - 1) text += head + wordAt(index) + tail;
        else text += event({ choices: [choice(wordAt(index), finishReason)] }) + closing();
      }
      return text;
    },
    json() {
      const text = Array.from({ length: maxTokens }, (_, index) => wordAt(index)).join('');
      const ending = { logprobs: null, finish_reason: finishReason, stop_reason: null };
      return dialect === 'chat'
        ? envelope('chat.completion', {
            choices: [{ index: 0, message: { role: 'assistant', content: text }, ...ending }],
            usage,
          })
        : envelope('text_completion', { choices: [{ index: 0, text, ...ending }], usage });
    },
  };
}
