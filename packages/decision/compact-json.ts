// JSON for data of which twenty pieces have to fit beside each other: lists of objects become tables, strings that
// repeat are told once, and moments are told as distances from one of them. Lossless for plain JSON data.

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** What stands in a table where a row has no such field; packed texts are never empty. */
const absent = '';

const near = 10 * 365 * 86_400_000;
const isMoment = (value: number, now: number): boolean =>
  Number.isInteger(value) && value > 1e11 && Math.abs(value - now) < near;

/** The data as `[texts, body]`. Absent fields stay absent. */
export function pack(data: unknown, now: number): readonly unknown[] {
  const plain = JSON.parse(JSON.stringify(data)) as Json;
  const counts = new Map<string, number>();
  countTexts(plain, counts);
  const texts = [...counts].filter(([text, count]) => count > 1 && text.length > 2).map(([text]) => text);
  const index = new Map(texts.map((text, at) => [text, at]));

  // A text is a number of the list, or itself behind a quote; a moment is a distance behind an @.
  const textOf = (text: string): string => {
    const at = index.get(text);
    return at === undefined ? `'${text}` : at.toString(36);
  };
  const put = (value: Json): Json => {
    if (typeof value === 'string') return textOf(value);
    if (typeof value === 'number') return isMoment(value, now) ? `@${value - now}` : value;
    if (isList(value)) {
      const keys = tableKeys(value);
      if (keys === undefined) return value.map(put);
      const rows = (value as readonly { readonly [key: string]: Json }[]).map((row) =>
        keys.map((key) => (row[key] === undefined ? absent : put(row[key]))),
      );
      return { '#': [keys.map(textOf), ...rows] };
    }
    if (value === null || typeof value === 'boolean') return value;
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [textOf(key), put(each)]));
  };
  return [texts, put(plain)];
}

/** What was packed; undefined when this was not. */
export function unpack(packed: unknown, now: number): unknown {
  if (!Array.isArray(packed) || !Array.isArray(packed[0])) return undefined;
  const texts = packed[0] as readonly unknown[];
  const textOf = (text: string): string =>
    text.startsWith("'") ? text.slice(1) : String(texts[Number.parseInt(text, 36)] ?? '');
  const take = (value: Json): Json => {
    if (typeof value === 'string') return value.startsWith('@') ? now + Number(value.slice(1)) : textOf(value);
    if (isList(value)) return value.map(take);
    if (value === null || typeof value !== 'object') return value;
    const table = value['#'];
    if (isList(table)) {
      const [keys, ...rows] = table as readonly (readonly Json[])[];
      const names = (keys ?? []).map((key) => textOf(String(key)));
      return rows.map((row) =>
        Object.fromEntries(names.flatMap((name, at) => (row[at] === absent ? [] : [[name, take(row[at] ?? null)]]))),
      );
    }
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [textOf(key), take(each)]));
  };
  return take(packed[1] as Json);
}

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

function countTexts(value: Json, counts: Map<string, number>): void {
  const count = (text: string) => counts.set(text, (counts.get(text) ?? 0) + 1);
  if (typeof value === 'string') count(value);
  else if (isList(value)) {
    const keys = tableKeys(value);
    for (const key of keys ?? []) count(key);
    for (const each of value) {
      if (keys === undefined) countTexts(each, counts);
      else for (const inner of Object.values(each as object)) countTexts(inner as Json, counts);
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [key, each] of Object.entries(value)) {
      count(key);
      countTexts(each, counts);
    }
  }
}

/** The keys that a list of at least two objects has between them. */
function tableKeys(list: readonly Json[]): readonly string[] | undefined {
  if (list.length < 2 || list.some((each) => each === null || typeof each !== 'object' || isList(each)))
    return undefined;
  return [...new Set(list.flatMap((each) => Object.keys(each as object)))];
}
