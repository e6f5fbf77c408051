// What the words in answers of model servers mean: names of events, reasons to end, kinds of output. Names are hashes, for
// that is what the skim hands on.
import { wordHash } from './key-paths.ts';

const responseWord = (name: string): number => wordHash(`response.${name}`);

/** The answer ends with these. */
export const ended = new Set(
  [
    'message_stop',
    'response.completed',
    'response.incomplete',
    'response.failed',
    'conversation.response.done',
    'transcript.text.done',
    'image_generation.completed',
    'image_edit.completed',
    'interaction.complete',
    'interaction.completed',
    'thread.run.completed',
    'thread.run.incomplete',
    'thread.run.failed',
    'thread.run.cancelled',
    'thread.run.expired',
    'conversation.chat.completed',
    'chat.end',
    'message_end',
    'done',
  ].map(wordHash),
);
export const errorWord = wordHash('error');
export const thoughtWord = wordHash('thought');
/** What servers write where an answer has no reason yet to end. */
export const noReason: ReadonlySet<string> = new Set(['', 'none', 'null', 'not_finished']);
/** Codes of answers that did not fail. */
export const wellDone: ReadonlySet<string> = new Set(['ok', 'success', 'succeeded']);
/** Events of OpenAI's and Coze's whose text is told for the second time, and those whose `delta` is not of the answer. */
export const repeats = new Set([
  wordHash('transcript.text.done'),
  wordHash('conversation.message.completed'),
  ...['output_text.done', 'reasoning_text.done', 'reasoning_summary_text.done'].map(responseWord),
]);
export const otherOutput = new Set([
  // LM Studio
  wordHash('reasoning.delta'),
  ...[
    'reasoning_text.delta',
    'reasoning_summary_text.delta',
    'reasoning.delta',
    'reasoning_summary.delta',
    'function_call_arguments.delta',
    'mcp_call_arguments.delta',
    'custom_tool_call_input.delta',
    'code_interpreter_call_code.delta',
    'apply_patch_call_operation_diff.delta',
    'shell_call_command.delta',
    'audio.delta',
    'output_audio.delta',
  ].map(responseWord),
]);
