// Decision vectors as files: reading a folder of them, and holding what came out against what is expected.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { FieldProblem, Result } from '@kubeai/units';

export interface VectorCase {
  readonly id: string;
  readonly kind: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly expected: Readonly<Record<string, unknown>>;
}

export interface VectorFile {
  readonly name: string;
  readonly cases: readonly VectorCase[];
}

/** Every file of vectors in a folder, or why it cannot be used. Files that hold no cases are a problem, not skipped. */
export function readVectors(directory: string): Result<readonly VectorFile[], FieldProblem> {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    return {
      ok: false,
      problems: [{ field: directory, message: 'is no directory: name one that holds files of vectors' }],
    };
  }
  const names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  if (names.length === 0) {
    return { ok: false, problems: [{ field: directory, message: 'holds no .json file: name a directory of vectors' }] };
  }
  const problems: FieldProblem[] = [];
  const files = names.sort().flatMap((name) => {
    const path = join(directory, name);
    const file = parseVectors(name, readFileSync(path, 'utf8'));
    if (typeof file !== 'string') return [file];
    problems.push({ field: path, message: file });
    return [];
  });
  return problems.length === 0 ? { ok: true, value: files } : { ok: false, problems };
}

/** A file's cases, or what is wrong with it. */
function parseVectors(name: string, text: string): VectorFile | string {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    return `is not JSON (${cause instanceof Error ? cause.message : String(cause)}): fix or remove it`;
  }
  const cases = isObject(content) ? content['cases'] : undefined;
  if (!Array.isArray(cases)) return 'has no list "cases": it is no file of vectors, remove it';
  const wrong = cases.findIndex(
    (each) =>
      !isObject(each) ||
      typeof each['id'] !== 'string' ||
      typeof each['kind'] !== 'string' ||
      !isObject(each['input']) ||
      !isObject(each['expected']),
  );
  if (wrong !== -1) return `has a case without id, kind, input or expected (cases[${wrong}]): fix it`;
  return { name, cases: cases as VectorCase[] };
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Where what came out differs from what is expected. Only what `expected` lists is looked at; numbers may differ by
 * `expected.tolerance`, and an expected error only says that there must be one, since its text is a code of the vectors.
 * @returns the path of the first difference, or undefined
 */
export function difference(
  expected: Readonly<Record<string, unknown>>,
  got: Readonly<Record<string, unknown>>,
): string | undefined {
  const tolerance = typeof expected['tolerance'] === 'number' ? expected['tolerance'] : 1e-9;
  for (const [key, wanted] of Object.entries(expected)) {
    if (key === 'tolerance' || bookkeeping.includes(key)) continue;
    if (key === 'error') {
      if (isError(wanted) !== isError(got['error'])) return 'error';
      continue;
    }
    const found = differenceAt(wanted, got[key], key, tolerance);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Slots and condition names of the original implementations; what they imply is asserted by other fields. */
const bookkeeping = ['reasons'];

const isError = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

function differenceAt(wanted: unknown, got: unknown, at: string, tolerance: number): string | undefined {
  if (Array.isArray(wanted)) {
    if (!Array.isArray(got) || got.length !== wanted.length) return at;
    return firstOf(wanted.map((each, index) => differenceAt(each, got[index], `${at}[${index}]`, tolerance)));
  }
  if (isObject(wanted)) {
    if (!isObject(got)) return at;
    if (isMap(at) && Object.keys(got).length !== Object.keys(wanted).length) return at;
    return firstOf(
      Object.entries(wanted).map(([key, each]) => differenceAt(each, got[key], `${at}.${key}`, tolerance)),
    );
  }
  if (at.endsWith('excessBurstCapacity')) return Math.abs(Number(wanted) - Number(got)) <= 1 ? undefined : at;
  return isSame(wanted, got, tolerance) ? undefined : at;
}

/** Maps by name are asserted whole, other objects by the fields that are listed. */
const isMap = (at: string): boolean => at === 'requests' || at === 'activity';

const firstOf = (found: readonly (string | undefined)[]): string | undefined =>
  found.find((each) => each !== undefined);

/** Integers beyond 2^53 come as text or as bigint. */
function isSame(wanted: unknown, got: unknown, tolerance: number): boolean {
  if (typeof got === 'bigint') return String(got) === String(wanted);
  if (typeof wanted === 'number' && typeof got === 'number') return Math.abs(wanted - got) <= tolerance;
  return wanted === got || (wanted === null && got === undefined);
}
