// What the controller answers on the same connection, in JSON lines: up to which report all have arrived, or why one was
// refused.
import { maxTextLength } from './limits.ts';

export const refusals = {
  Unauthenticated: 'the token is not valid for this audience',
  WrongPod: 'the token belongs to another pod than the report names',
  UnknownPod: 'the API server knows no such pod',
  UnsupportedVersion: 'the report has a version that this controller does not speak',
  Malformed: 'the report has fields that cannot be read',
  TooLarge: 'the line is longer than a report may be',
  TooOld: 'the window ended longer ago than reports are kept',
  Duplicate: 'a report with this sequence number was taken before',
  TooMany: 'reports arrive faster than an agent sends them',
} as const;
/** Why a report, or a whole connection, was turned away. */
export type Refusal = keyof typeof refusals;

export type Acknowledgement =
  /** This report and all before it on the connection that were not refused. */
  | { readonly kind: 'accepted'; readonly sequence: number }
  | { readonly kind: 'refused'; readonly sequence?: number; readonly reason: Refusal; readonly message: string };

/** The line to send, newline included. */
export function encodeAcknowledgement(acknowledgement: Acknowledgement): string {
  return acknowledgement.kind === 'accepted'
    ? `{"accepted":${acknowledgement.sequence}}\n`
    : `${JSON.stringify({
        refused: acknowledgement.sequence ?? null,
        reason: acknowledgement.reason,
        message: acknowledgement.message,
      })}\n`;
}

/** Reads one line from the controller; undefined when it is none of ours (a proxy's error page, a newer controller). */
export function parseAcknowledgement(line: string): Acknowledgement | undefined {
  let input: unknown;
  try {
    input = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof input !== 'object' || input === null) return undefined;
  const { accepted, refused, reason, message } = input as Record<string, unknown>;
  if (Number.isSafeInteger(accepted)) return { kind: 'accepted', sequence: accepted as number };
  if (typeof reason !== 'string' || !Object.hasOwn(refusals, reason)) return undefined;
  return {
    kind: 'refused',
    ...(Number.isSafeInteger(refused) ? { sequence: refused as number } : {}),
    reason: reason as Refusal,
    message: typeof message === 'string' ? message.slice(0, maxTextLength) : refusals[reason as Refusal],
  };
}
