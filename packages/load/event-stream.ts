// Follows a streamed completion as it comes in pieces, and says what a load generator must know: how many events
// carried text, what the server says it generated, and whether the stream was ended with [DONE].
import { maxLineCharacters } from './limits.ts';

export interface EventStream {
  /** Takes in a piece; returns how many events with generated text it completed. */
  feed(piece: string): number;
  /** Events with text so far. */
  readonly tokens: number;
  /** `usage.completion_tokens` as last told; undefined while it was not. */
  readonly usage: number | undefined;
  readonly done: boolean;
}

export function createEventStream(): EventStream {
  let rest = '';
  let tokens = 0;
  let usage: number | undefined;
  let done = false;

  function read(line: string): number {
    if (!line.startsWith('data:')) return 0;
    const data = line.slice(5).trim();
    if (data === '[DONE]') {
      done = true;
      return 0;
    }
    const event = parse(data);
    if (typeof event?.usage?.completion_tokens === 'number') usage = event.usage.completion_tokens;
    return event?.choices?.some(hasText) === true ? 1 : 0;
  }

  return {
    feed(piece) {
      const lines = (rest + piece).split('\n');
      rest = lines.pop()!;
      if (rest.length > maxLineCharacters) rest = '';
      let found = 0;
      for (const line of lines) found += read(line);
      tokens += found;
      return found;
    },
    get tokens() {
      return tokens;
    },
    get usage() {
      return usage;
    },
    get done() {
      return done;
    },
  };
}

interface Choice {
  readonly text?: unknown;
  readonly delta?: { readonly content?: unknown; readonly reasoning_content?: unknown };
}

interface CompletionEvent {
  readonly choices?: readonly Choice[];
  readonly usage?: { readonly completion_tokens?: unknown } | null;
}

/** An event that is no JSON object carries no token; the stream then ends with too few, which is what is reported. */
function parse(data: string): CompletionEvent | undefined {
  try {
    const event: unknown = JSON.parse(data);
    return typeof event === 'object' && event !== null ? event : undefined;
  } catch {
    return undefined;
  }
}

/** The first event of a chat often has only a role, with empty text: that is not a token yet. */
const hasText = ({ text, delta }: Choice): boolean =>
  [text, delta?.content, delta?.reasoning_content].some((part) => typeof part === 'string' && part !== '');
