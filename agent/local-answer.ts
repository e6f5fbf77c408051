// The few answers that do not come from the model server. They are complete, close the connection, and name their
// reason in a header, so that a log line on the client's side is enough to know what happened.

import { turnAways } from './gate.ts';
import { retryAfterSeconds } from './limits.ts';

export const answerReasons = {
  ...turnAways,
  UpstreamRefused: 'the model server does not accept connections yet, or no longer',
} as const;
export type AnswerReason = keyof typeof answerReasons;

/** A whole HTTP/1.1 answer: 503, Retry-After, `x-kubeai-reason`, and a JSON body like the ones of OpenAI's API. */
export function answerOf(reason: AnswerReason): string {
  const error = { message: answerReasons[reason], type: 'server_error', code: reason };
  const body = `${JSON.stringify({ error })}\n`;
  return [
    'HTTP/1.1 503 Service Unavailable',
    `retry-after: ${retryAfterSeconds}`,
    `x-kubeai-reason: ${reason}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n');
}
