// What an OpenAI-style request asks of the engine: how many tokens it brings, how many it wants back, and in which
// form. The text itself is never looked at, only measured: four characters count as one token, which is what English
// averages, unless the prompt is given as token ids and can be counted.
import type { FieldProblem, Result } from '@kubeai/units';

export type Dialect = 'chat' | 'text';

export interface CompletionRequest {
  readonly dialect: Dialect;
  readonly promptTokens: number;
  readonly maxTokens: number;
  readonly stream: boolean;
  /** A last event with `usage`, as `stream_options.include_usage` asks. */
  readonly includeUsage: boolean;
}

const charactersPerToken = 4;
/** OpenAI's default for text; for chat a real engine would go on to the end of its context. */
const defaultMaxTokens: Record<Dialect, number> = { text: 16, chat: 128 };

/**
 * Parses the body of `/v1/completions` (`text`) or `/v1/chat/completions` (`chat`). Fields that only steer which words
 * come (temperature, stop, …) are accepted and ignored; problems are named by field.
 */
export function parseCompletion(
  body: unknown,
  dialect: Dialect,
  served: { readonly model: string; readonly maxModelLength: number },
): Result<CompletionRequest, FieldProblem> {
  if (!isRecord(body)) return { ok: false, problems: [{ field: 'body', message: 'must be a JSON object' }] };
  const problems: FieldProblem[] = [];
  const complain = (field: string, message: string) => problems.push({ field, message });

  if (body['model'] !== undefined && body['model'] !== served.model) {
    complain('model', `must be "${served.model}", the one model served here`);
  }
  if (body['n'] !== undefined && body['n'] !== 1) complain('n', 'must be 1: one answer a request');
  const promptTokens = dialect === 'chat' ? tokensOfMessages(body, complain) : tokensOfPrompt(body, complain);
  const maxTokens = positiveInteger(body, complain, 'max_completion_tokens', 'max_tokens') ?? defaultMaxTokens[dialect];
  const total = promptTokens + maxTokens;
  if (problems.length === 0 && total > served.maxModelLength) {
    const asked = `${promptTokens} prompt tokens and ${maxTokens} to generate`;
    complain('max_tokens', `asks for too much: ${asked} exceed the context of ${served.maxModelLength} tokens`);
  }
  const stream = flag(body, 'stream', complain);
  const options = body['stream_options'];
  if (options !== undefined && options !== null && !isRecord(options)) complain('stream_options', 'must be an object');
  const includeUsage = isRecord(options) && flag(options, 'include_usage', complain);
  if (problems.length > 0) return { ok: false, problems };
  return { ok: true, value: { dialect, promptTokens, maxTokens, stream, includeUsage } };
}

type Complain = (field: string, message: string) => void;

function tokensOfPrompt(body: Record<string, unknown>, complain: Complain): number {
  const prompt = body['prompt'];
  if (typeof prompt === 'string') return tokensOfText(prompt.length);
  if (Array.isArray(prompt) && prompt.length > 0 && prompt.every((item) => Number.isInteger(item))) {
    return prompt.length;
  }
  complain('prompt', 'must be a string or a list of token ids');
  return 0;
}

function tokensOfMessages(body: Record<string, unknown>, complain: Complain): number {
  const messages = body['messages'];
  if (!Array.isArray(messages) || messages.length === 0) {
    complain('messages', 'must be a list of at least one message');
    return 0;
  }
  let characters = 0;
  for (const [index, message] of messages.entries()) {
    const content: unknown = isRecord(message) ? message['content'] : undefined;
    if (typeof content === 'string') characters += content.length;
    else if (Array.isArray(content)) characters += content.reduce((sum: number, part) => sum + charactersOf(part), 0);
    else if (content !== null) complain(`messages[${index}].content`, 'must be text or a list of parts');
  }
  return tokensOfText(characters);
}

const charactersOf = (part: unknown): number =>
  isRecord(part) && typeof part['text'] === 'string' ? part['text'].length : 0;

const tokensOfText = (characters: number): number => Math.max(1, Math.ceil(characters / charactersPerToken));

/** The first of the fields that is given. */
function positiveInteger(
  body: Record<string, unknown>,
  complain: Complain,
  ...fields: readonly string[]
): number | undefined {
  const field = fields.find((name) => body[name] !== undefined && body[name] !== null);
  if (field === undefined) return undefined;
  const value = body[field];
  if (typeof value === 'number' && Number.isInteger(value) && value > 0) return value;
  complain(field, 'must be a whole number of at least 1');
  return undefined;
}

function flag(from: Record<string, unknown>, field: string, complain: Complain): boolean {
  const value = from[field] ?? false;
  if (typeof value !== 'boolean') complain(field, 'must be true or false');
  return value === true;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
