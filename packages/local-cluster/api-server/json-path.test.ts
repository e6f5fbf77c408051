import { expect, test } from '@jest/globals';
import { parseJsonPath, valuesAt } from './json-path.ts';

const object = {
  spec: { size: 2, 'odd.name': 'x', list: [{ n: 1 }, { n: 2 }] },
  status: {
    conditions: [
      { type: 'Ready', status: 'True' },
      { type: 'Paused', status: 'False' },
    ],
  },
};

test.each<[string, unknown[]]>([
  ['.spec.size', [2]],
  ['{.spec.size}', [2]],
  ["$.spec['odd.name']", ['x']],
  ['.spec.odd\\.name', ['x']],
  ['.spec.list[1].n', [2]],
  ['.spec.list[-1].n', [2]],
  ['.spec.list[*].n', [1, 2]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type=='Paused')].status", ['False']],
  ['.spec.list[?(@.n==2)].n', [2]],
  ['.spec.gone.deeper', []],
  ['.status.conditions[9].type', []],
])('%s leads to %j', (path, expected) => {
  expect(valuesAt(object, parseJsonPath(path))).toEqual(expected);
});

test('a path that cannot be read is refused by name', () => {
  expect(() => parseJsonPath('.spec.list[?(@.n>1)].n')).toThrow(/cannot be read/);
});
