// The JSONPath of CRDs: printer columns, selectable fields and scale paths. Fields, quoted fields, indices, wildcards
// and `[?(@.type=="Ready")]` filters; that is what CRDs in the wild use.
import { equal, isObject } from './kube-object.ts';

type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'every' }
  | { readonly kind: 'filter'; readonly path: readonly Step[]; readonly equals: unknown };

export type JsonPath = readonly Step[];

const stepPatterns: readonly [RegExp, (match: RegExpExecArray) => Step][] = [
  [/^\.?\['((?:[^'\\]|\\.)*)'\]/, ([, name = '']) => ({ kind: 'field', name: name.replace(/\\(.)/g, '$1') })],
  [/^\.?\["((?:[^"\\]|\\.)*)"\]/, ([, name = '']) => ({ kind: 'field', name: name.replace(/\\(.)/g, '$1') })],
  [/^\.?\[(-?\d+)\]/, ([, index = '0']) => ({ kind: 'index', index: Number(index) })],
  [/^\.?\[\*\]|^\.\*/, () => ({ kind: 'every' })],
  [
    /^\.?\[\?\(\s*@([^=\s]+)\s*==\s*("[^"]*"|'[^']*'|[^)\s]+)\s*\)\]/,
    ([, path = '', value = '']) => ({ kind: 'filter', path: parseJsonPath(path), equals: literal(value) }),
  ],
  [/^\.((?:[^.[\]\\]|\\.)+)/, ([, name = '']) => ({ kind: 'field', name: name.replace(/\\(.)/g, '$1') })],
];

const literal = (text: string): unknown =>
  /^["']/.test(text) ? text.slice(1, -1) : text === 'true' ? true : text === 'false' ? false : Number(text);

/** Throws an Error that names the first step it cannot read. */
export function parseJsonPath(text: string): JsonPath {
  const steps: Step[] = [];
  let rest = text
    .trim()
    .replace(/^\{(.*)\}$/, '$1')
    .replace(/^\$/, '');
  if (rest !== '' && !/^[.[]/.test(rest)) rest = `.${rest}`;
  while (rest !== '' && rest !== '.') {
    const found = stepPatterns
      .map(([pattern, make]) => ({ match: pattern.exec(rest), make }))
      .find(({ match }) => match);
    if (!found?.match)
      throw new Error(`JSONPath ${JSON.stringify(text)} cannot be read from ${JSON.stringify(rest)} on`);
    steps.push(found.make(found.match));
    rest = rest.slice(found.match[0].length);
  }
  return steps;
}

function taken(item: unknown, step: Step): unknown[] {
  switch (step.kind) {
    case 'field':
      return isObject(item) && Object.hasOwn(item, step.name) ? [item[step.name]] : [];
    case 'index':
      return Array.isArray(item) && item.at(step.index) !== undefined ? [item.at(step.index)] : [];
    case 'every':
      return Array.isArray(item) ? item : isObject(item) ? Object.values(item) : [];
    case 'filter':
      return Array.isArray(item)
        ? item.filter((one) => valuesAt(one, step.path).some((found) => equal(found, step.equals)))
        : [];
  }
}

/** Every value that the path leads to. */
export function valuesAt(value: unknown, path: JsonPath): unknown[] {
  let here: unknown[] = [value];
  for (const step of path) here = here.flatMap((item) => taken(item, step));
  return here;
}
