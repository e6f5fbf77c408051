import { expect, test } from '@jest/globals';
import { instant } from '@kubeai/units';
import { withConditions } from './conditions.ts';
import { labelSelector } from './label-selector.ts';

const labels = { app: 'chat', tier: 'b', 'kubeai.io/inject': 'true' };
test.each<[string, boolean]>([
  ['', true],
  ['app=chat', true],
  ['app==chat,tier!=a', true],
  ['app=chat,tier=a', false],
  ['tier in (a, b),app', true],
  ['tier notin (a,b)', false],
  ['zone notin (a)', true],
  ['zone in (a)', false],
  ['!zone', true],
  ['!app', false],
  ['zone!=a', true],
  ['kubeai.io/inject=true', true],
])('"%s" matches: %s', (text, matches) => {
  expect(labelSelector(text)(labels)).toBe(matches);
});

test.each(['app in chat', 'app>3', 'a=b c'])(
  '"%s" is refused, because the wrong pods give the wrong number',
  (text) => {
    expect(() => labelSelector(text)).toThrow('label selector cannot be read');
  },
);

test('a condition’s transition time moves with its status only', () => {
  const condition = (status: 'True' | 'False', reason: string) => ({ type: 'Ready', status, reason, message: '' });
  const first = withConditions([], [condition('True', 'A')], instant(0));
  const same = withConditions(first, [condition('True', 'B')], instant(60_000));
  const other = withConditions(same, [condition('False', 'C')], instant(120_000));
  expect([first, same, other].map(([ready]) => `${ready!.reason} ${ready!.lastTransitionTime}`)).toEqual([
    'A 1970-01-01T00:00:00Z',
    'B 1970-01-01T00:00:00Z',
    'C 1970-01-01T00:02:00Z',
  ]);
});
