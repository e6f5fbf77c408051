import { expect, test } from '@jest/globals';
import { parseExposition } from '@kubeai/engines';
import fc from 'fast-check';
import { renderFamily } from './text-format.ts';

test('a family is its two lines about itself and a line for each value', () => {
  expect(
    renderFamily({
      name: 'waits_seconds',
      help: 'How long,\nin C:\\time.',
      type: 'histogram',
      values: [
        { labels: { route: 'chat', le: 0.5 }, value: 2, suffix: '_bucket' },
        { labels: { route: 'chat', le: '+Inf' }, value: 3, suffix: '_bucket' },
        { value: 1.25, suffix: '_sum' },
      ],
    }),
  ).toBe(
    '# HELP waits_seconds How long,\\nin C:\\\\time.\n' +
      '# TYPE waits_seconds histogram\n' +
      'waits_seconds_bucket{route="chat",le="0.5"} 2\n' +
      'waits_seconds_bucket{route="chat",le="+Inf"} 3\n' +
      'waits_seconds_sum 1.25\n',
  );
});

test('whatever labels and numbers there are, a reader gets them back', () => {
  // The text format has no sign for zero.
  const number = fc.double().map((value) => (value === 0 ? 0 : value));
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), number, (label, value) => {
      const text = renderFamily({ name: 'any', help: label, type: 'gauge', values: [{ labels: { label }, value }] });
      const { samples, problems } = parseExposition(text);
      expect(problems).toEqual([]);
      expect(samples.get('any')).toEqual([{ labels: { label }, value }]);
    }),
  );
});
