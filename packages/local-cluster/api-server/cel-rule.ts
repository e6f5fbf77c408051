// The plain part of CEL that CRD rules are mostly made of: logic, comparison, arithmetic, has(), size(), `in`, string
// functions and the all/exists macros. A rule beyond that is not guessed at: it cannot be compiled, the server says so in
// its log and leaves it to a real API server. Unlike CEL it does not check types before it runs; a rule that goes wrong
// on an object (a field that is not there) refuses the object, as there.
import { equal, isObject } from './kube-object.ts';

type Scope = Readonly<Record<string, unknown>>;
type Expression = (scope: Scope) => unknown;

/** The rule over a value; undefined when it uses what we do not know. Throws nothing itself; the rule may. */
export function compileRule(rule: string): ((self: unknown) => boolean) | undefined {
  try {
    const tokens = tokensOf(rule);
    const parser = createParser(tokens);
    const expression = parser.whole();
    return (self) => expression({ self }) === true;
  } catch (error) {
    if (error instanceof UnknownSyntax) return undefined;
    throw error;
  }
}

class UnknownSyntax extends Error {}

const token =
  /\s*(?:(\d+\.\d+|\d+)u?|('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|([A-Za-z_]\w*)|(&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]]))/y;

interface Token {
  readonly kind: 'number' | 'string' | 'name' | 'sign' | 'end';
  readonly text: string;
}

function tokensOf(rule: string): Token[] {
  const tokens: Token[] = [];
  token.lastIndex = 0;
  const text = rule.trimEnd();
  while (token.lastIndex < text.length) {
    const match = token.exec(text);
    if (match === null) throw new UnknownSyntax(rule);
    if (match[1] !== undefined) tokens.push({ kind: 'number', text: match[1] });
    else if (match[2] !== undefined)
      tokens.push({ kind: 'string', text: match[2].slice(1, -1).replace(/\\(.)/g, '$1') });
    else if (match[3] !== undefined) tokens.push({ kind: 'name', text: match[3] });
    else tokens.push({ kind: 'sign', text: match[4] ?? '' });
  }
  return [...tokens, { kind: 'end', text: '' }];
}

const binding: Readonly<Record<string, number>> = {
  '||': 2,
  '&&': 3,
  '==': 4,
  '!=': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  in: 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
};

function operate(sign: string, left: Expression, right: Expression): Expression {
  switch (sign) {
    // Like CEL's, these forgive an error on one side when the other side decides.
    case '&&':
      return (scope) => decided(left, right, scope, false);
    case '||':
      return (scope) => decided(left, right, scope, true);
    case '==':
      return (scope) => equal(left(scope), right(scope));
    case '!=':
      return (scope) => !equal(left(scope), right(scope));
    case 'in':
      return (scope) => contains(right(scope), left(scope));
    default:
      return (scope) => calculate(sign, left(scope), right(scope));
  }
}

function decided(left: Expression, right: Expression, scope: Scope, decisive: boolean): boolean {
  let failure: unknown;
  for (const side of [left, right]) {
    try {
      if (side(scope) === decisive) return decisive;
    } catch (error) {
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return !decisive;
}

const contains = (container: unknown, item: unknown): boolean =>
  Array.isArray(container)
    ? container.some((one) => equal(one, item))
    : isObject(container) && String(item) in container;

function calculate(sign: string, left: unknown, right: unknown): unknown {
  if (typeof left === 'string' && typeof right === 'string') {
    if (sign === '+') return left + right;
    if (sign === '<') return left < right;
    if (sign === '<=') return left <= right;
    if (sign === '>') return left > right;
    if (sign === '>=') return left >= right;
  }
  if (typeof left !== 'number' || typeof right !== 'number') throw new Error(`no such overload: ${sign}`);
  switch (sign) {
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
    case '+':
      return left + right;
    case '-':
      return left - right;
    case '*':
      return left * right;
    case '/':
      return Number.isInteger(left) && Number.isInteger(right) ? Math.trunc(left / right) : left / right;
    default:
      return left % right;
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return [...value].length;
  if (Array.isArray(value)) return value.length;
  if (isObject(value)) return Object.keys(value).length;
  throw new Error('no such overload: size');
}

function fieldOf(value: unknown, name: string): unknown {
  if (!isObject(value) || value[name] === undefined) throw new Error(`no such key: ${name}`);
  return value[name];
}

const methods: Readonly<Record<string, (self: unknown, given: unknown) => unknown>> = {
  size: sizeOf,
  startsWith: (self, given) => String(self).startsWith(String(given)),
  endsWith: (self, given) => String(self).endsWith(String(given)),
  contains: (self, given) => String(self).includes(String(given)),
  matches: (self, given) => new RegExp(String(given)).test(String(self)),
};

function createParser(tokens: readonly Token[]) {
  let at = 0;
  const here = (): Token => tokens[at] ?? { kind: 'end', text: '' };
  const take = (text?: string): Token => {
    const found = here();
    if (text !== undefined && (found.text !== text || found.kind === 'string'))
      throw new UnknownSyntax(`expected ${text}`);
    at += 1;
    return found;
  };
  const isSign = (text: string) => here().kind === 'sign' && here().text === text;

  const ternary = (): Expression => {
    const condition = binary(1);
    if (!isSign('?')) return condition;
    take('?');
    const yes = ternary();
    take(':');
    const no = ternary();
    return (scope) => (condition(scope) === true ? yes(scope) : no(scope));
  };

  const binary = (least: number): Expression => {
    let left = unary();
    for (;;) {
      const { kind, text } = here();
      const power = kind === 'sign' || text === 'in' ? binding[text] : undefined;
      if (power === undefined || power < least || kind === 'string') return left;
      take();
      left = operate(text, left, binary(power + 1));
    }
  };

  const unary = (): Expression => {
    if (isSign('!')) {
      take();
      const inner = unary();
      return (scope) => {
        const value = inner(scope);
        if (typeof value !== 'boolean') throw new Error('no such overload: !');
        return !value;
      };
    }
    if (isSign('-')) {
      take();
      const inner = unary();
      return (scope) => calculate('-', 0, inner(scope));
    }
    return member();
  };

  const member = (): Expression => {
    let value = primary();
    for (;;) {
      if (isSign('.')) {
        take();
        value = select(value, take().text);
      } else if (isSign('[')) {
        take();
        const index = ternary();
        take(']');
        const container = value;
        value = (scope) => {
          const found = (container(scope) as Record<string, unknown> | undefined)?.[String(index(scope))];
          if (found === undefined) throw new Error('no such key');
          return found;
        };
      } else return value;
    }
  };

  const select = (value: Expression, name: string): Expression => {
    if (!isSign('(')) return (scope) => fieldOf(value(scope), name);
    take('(');
    if (name === 'all' || name === 'exists') {
      const variable = take().text;
      take(',');
      const test = ternary();
      take(')');
      const every = name === 'all';
      return (scope) => {
        const list = value(scope);
        const items: unknown[] = Array.isArray(list) ? list : isObject(list) ? Object.keys(list) : [];
        const holds = (item: unknown) => test({ ...scope, [variable]: item }) === true;
        return every ? items.every(holds) : items.some(holds);
      };
    }
    const method = methods[name];
    if (method === undefined) throw new UnknownSyntax(name);
    const given = isSign(')') ? undefined : ternary();
    take(')');
    return (scope) => method(value(scope), given?.(scope));
  };

  const primary = (): Expression => {
    const { kind, text } = take();
    if (kind === 'number') return () => Number(text);
    if (kind === 'string') return () => text;
    if (kind === 'sign' && text === '(') {
      const inner = ternary();
      take(')');
      return inner;
    }
    if (kind === 'sign' && text === '[') {
      const items: Expression[] = [];
      while (!isSign(']')) {
        items.push(ternary());
        if (!isSign(']')) take(',');
      }
      take(']');
      return (scope) => items.map((item) => item(scope));
    }
    if (kind !== 'name') throw new UnknownSyntax(text);
    if (text === 'true' || text === 'false') return () => text === 'true';
    if (text === 'null') return () => null;
    if (text === 'has' || text === 'size') return call(text);
    if (isSign('(') || text === 'oldSelf') throw new UnknownSyntax(text);
    return (scope) => {
      if (!(text in scope)) throw new Error(`undeclared reference to '${text}'`);
      return scope[text];
    };
  };

  const call = (name: 'has' | 'size'): Expression => {
    take('(');
    if (name === 'size') {
      const value = ternary();
      take(')');
      return (scope) => sizeOf(value(scope));
    }
    // has() looks at the last step only; an earlier one that is missing is an error.
    const path = [take().text];
    while (isSign('.')) {
      take();
      path.push(take().text);
    }
    take(')');
    const [root = '', ...fields] = path;
    const last = fields.pop();
    if (last === undefined) throw new UnknownSyntax('has of a plain name');
    return (scope) => {
      const holder = fields.reduce((value, field) => fieldOf(value, field), scope[root]);
      return isObject(holder) && holder[last] !== undefined;
    };
  };

  return {
    whole: (): Expression => {
      const expression = ternary();
      if (here().kind !== 'end') throw new UnknownSyntax(here().text);
      return expression;
    },
  };
}
