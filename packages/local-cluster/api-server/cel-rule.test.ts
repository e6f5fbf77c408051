import { expect, test } from '@jest/globals';
import { compileRule } from './cel-rule.ts';

const self = {
  min: 2,
  max: 5,
  name: 'web',
  on: true,
  off: false,
  list: ['a', 'b'],
  inner: { x: 1, quiet: '' },
  parts: [{ weight: 1 }, { weight: 3 }],
};

const failed = (rule: (self: unknown) => boolean) => {
  try {
    return rule(self);
  } catch {
    return 'error';
  }
};

test.each<[string, boolean | 'error']>([
  ['self.min <= self.max', true],
  ['self.min > self.max', false],
  ['!has(self.gone) || self.gone > 1', true],
  ['has(self.min) && has(self.inner.x)', true],
  ['has(self.gone) != has(self.min)', true],
  ["self.name == 'web' && self.on", true],
  ['self.off || !self.on', false],
  ['self.list.size() > 1 && size(self.name) == 3', true],
  ["'b' in self.list && !('c' in self.list)", true],
  ['self.parts.all(part, part.weight > 0)', true],
  ['self.parts.exists(part, part.weight > 2) && !self.parts.exists(part, part.weight > 9)', true],
  ['(self.on ? self.min : self.max) == 2', true],
  ['self.min + 3 * 1 == self.max && 7 / 2 == 3', true],
  ["self.name.startsWith('w') && self.name.matches('^w.b$')", true],
  ['self.parts[1].weight == 3', true],
  ['self.gone == 1', 'error'],
  ['has(self.gone.deeper)', 'error'],
  ['self.gone == 1 || true', true],
  ['self.gone == 1 && false', false],
  ['self.min == "2"', false],
])('%s is %s', (rule, expected) => {
  const compiled = compileRule(rule);
  expect(compiled && failed(compiled)).toBe(expected);
});

test.each(['self == oldSelf', 'self.list.map(x, x + 1).size() > 0', 'isURL(self.name)', 'self.min <=', 'self.min # 1'])(
  '%s is left to a real API server',
  (rule) => {
    expect(compileRule(rule)).toBeUndefined();
  },
);
