// Traces as files, plain or gzip (told by the first two bytes, not by the name).
import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { FieldProblem, Result } from '@kubeai/units';
import { maxTraceBytes } from './limits.ts';
import { parseTrace, type Trace } from './trace.ts';

const unpack = promisify(gunzip);

/** Reads a trace from a file. Every failure is a problem whose field begins with the file's name. */
export async function readTrace(path: string): Promise<Result<Trace, FieldProblem>> {
  const text = await readTraceText(path);
  if (!text.ok) return text;
  const trace = parseTrace(text.value);
  if (trace.ok) return trace;
  return { ok: false, problems: trace.problems.map(({ field, message }) => ({ field: `${path}: ${field}`, message })) };
}

/** The text of a file, unpacked. Every failure is a problem whose field is the file's name. */
export async function readTraceText(path: string): Promise<Result<string, FieldProblem>> {
  const wrong = (message: string) => ({ ok: false, problems: [{ field: path, message }] }) as const;
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    return wrong(readFailures[codeOf(cause)] ?? `cannot be read: ${(cause as Error).message}`);
  }
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = await unpack(bytes, { maxOutputLength: maxTraceBytes });
    } catch (cause) {
      return wrong(gzipFailures[codeOf(cause)] ?? `is damaged: ${(cause as Error).message}`);
    }
  }
  if (bytes.length > maxTraceBytes) return wrong(tooLarge);
  // Neither CSV nor JSON has a NUL; UTF-16 does, early. Images and archives have one or are not UTF-8.
  if (bytes.subarray(0, 1_024).includes(0) || !isUtf8(bytes))
    return wrong('is no text, or none in UTF-8: a trace is CSV or JSON lines, plain or gzip');
  return { ok: true, value: bytes.toString('utf8') };
}

const codeOf = (cause: unknown): string => (cause as NodeJS.ErrnoException).code ?? '';

const readFailures: Record<string, string> = {
  ENOENT: 'does not exist',
  EISDIR: 'is a directory, not a trace',
  EACCES: 'may not be read: permission denied',
};

const tooLarge = `holds more than ${maxTraceBytes} bytes: split it, or thin it`;

const gzipFailures: Record<string, string> = {
  Z_BUF_ERROR: 'is cut off: the gzip stream has no end; fetch the file again',
  ERR_BUFFER_TOO_LARGE: tooLarge,
};
