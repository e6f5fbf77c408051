// What kind of body an answer has, by what the server says of it or by how it begins.
import type { Buffer } from 'node:buffer';
import { isBetweenValues } from './body-framing.ts';

/** `opaque` is not read. */
export type BodyKind = 'sse' | 'json' | 'opaque';

/** How a body is read, by its Content-Type. `undefined` is told by the first bytes. */
export function bodyKindOf(contentType: string | undefined): BodyKind | undefined {
  if (contentType === undefined || contentType.trim() === '') return undefined;
  // A server says the same few types again and again, and this is asked once an answer.
  if (contentType !== lastType) {
    lastKind = kindOfType(contentType);
    lastType = contentType;
  }
  return lastKind;
}

let lastType = 'application/json';
let lastKind: BodyKind = 'json';

function kindOfType(contentType: string): BodyKind {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (type === 'text/event-stream') return 'sse';
  return /^application\/(?:[\w.-]+\+)?(?:json|ndjson|x-ndjson|jsonl|x-jsonlines|json-seq|stream\+json)$/.test(type)
    ? 'json'
    : 'opaque';
}

/** Told by the first byte that is no blank: a bracket begins JSON, any other text a stream of events. */
export function kindOfBytes(bytes: Buffer, start: number, end: number): BodyKind | undefined {
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    if (!isBetweenValues(byte)) return byte === 0x7b || byte === 0x5b ? 'json' : 'sse';
  }
  return undefined;
}
