import { expect, test } from '@jest/globals';
import { cellsOf, clipped } from './csv.ts';

test.each<[string, string[]]>([
  ['a,b,c', ['a', 'b', 'c']],
  [' a , b ', ['a', 'b']],
  [',,', ['', '', '']],
  ['', ['']],
  ['"a","b"', ['a', 'b']],
  ['"a,b",c', ['a,b', 'c']],
  ['"say ""a""",,c', ['say "a"', '', 'c']],
  ['"",""', ['', '']],
  ['"a,b', ['"a,b']],
  ['a,b"c', ['a', 'b"c']],
])('%s has these cells', (line, cells) => {
  expect(cellsOf(line)).toEqual(cells);
});

test('a message shows the beginning of what was wrong, on one line', () => {
  expect(clipped('x'.repeat(1_000))).toHaveLength(61);
  expect(clipped('a\nb\u0000')).toBe('a?b?');
});
