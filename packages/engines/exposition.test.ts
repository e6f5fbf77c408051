import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { parseExposition } from './index.ts';

/** The samples as `name{label=value} number`, which is how people would say them. */
function said(page: string): string[] {
  const lines: string[] = [];
  for (const [name, samples] of parseExposition(page).samples)
    for (const { labels, value } of samples)
      lines.push(`${name}{${Object.entries(labels).map(([label, text]) => `${label}=${text}`)}} ${value}`);
  return lines;
}

test.each<[string, string, string[]]>([
  ['no labels', 'up 1', ['up{} 1']],
  ['colons and labels', 'vllm:n{model_name="a/b",engine="0"} 2.0', ['vllm:n{model_name=a/b,engine=0} 2']],
  ['a trailing comma', 'QueueTime{Level="Host",Hostname="x",} 0.5', ['QueueTime{Level=Host,Hostname=x} 0.5']],
  ['blanks after commas and before braces', 'a {b="1",  c="2"}  3', ['a{b=1,c=2} 3']],
  ['empty braces', 'a{} 1', ['a{} 1']],
  ['escapes', String.raw`a{b="q\"\\\n{}, # x"} 1`, ['a{b=q"\\\n{}, # x} 1']],
  ['exponents of three digits', 'a 3.9024848896e+010', ['a{} 39024848896']],
  ['infinities and NaN', 'a +Inf\nb -Inf\nc NaN', ['a{} Infinity', 'b{} -Infinity', 'c{} NaN']],
  ['timestamps', 'a{b="c"} 1 1700000000000', ['a{b=c} 1']],
  [
    'exemplars',
    'a_total{b="c"} 1 1.5 # {trace_id="x"} 0.5 1.4\nd_total 2 # {t="y"} 1',
    ['a_total{b=c} 1', 'd_total{} 2'],
  ],
  ['UTF-8 names', '{"my.metric","a.b"="c"} 4', ['my.metric{a.b=c} 4']],
  ['CRLF and indentation', '  a 1\r\n\r\n  b 2\r\n', ['a{} 1', 'b{} 2']],
  ['a counter that ends in _count', 'x_count 3\nx_sum 4', ['x_count{} 3', 'x_sum{} 4']],
])('a page with %s is read', (_what, page, expected) => {
  expect(said(page)).toEqual(expected);
  expect(parseExposition(page).problems).toEqual([]);
});

test.each([
  ['...', 'neither labels nor a value'],
  ['* Connection #0 to host left intact', 'no metric name'],
  ['a{b="c"', 'braces are not closed'],
  ['a{b="c} 1', 'a quote is not closed'],
  ['a{b=c} 1', 'the value of label b is not quoted'],
  ['a{b} 1', 'a label without a value'],
  ['a one', '"one" is no value of a'],
  ['a 0x10', '"0x10" is no value of a'],
  ['a 1 2 3', 'unexpected text after the value of a'],
  ['this is not metrics {{{', '"is" is no value of this'],
])('%s is a problem, and the lines around it are read', (line, problem) => {
  const { samples, problems } = parseExposition(`before 1\n${line}\nafter 2`);
  expect([...samples.keys()]).toEqual(['before', 'after']);
  expect(problems).toEqual([expect.stringContaining(`line 2: ${problem}`)]);
});

test('HELP, TYPE and UNIT describe families, with samples or without', () => {
  const { families } = parseExposition(
    '# HELP a Counts \\\\ things\n# TYPE a counter\n# UNIT a seconds\n# TYPE idle histogram\n# just a comment\n# EOF\n',
  );
  expect(Object.fromEntries(families)).toEqual({
    a: { help: 'Counts \\ things', type: 'counter', unit: 'seconds' },
    idle: { type: 'histogram' },
  });
});

test('what prom-client writes is read back', async () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,6}$/);
  // The text format has no sign for zero: prom-client writes -0 as 0.
  const value = fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e12, max: 1e12 }).map((number) => number + 0);
  const label = fc.string({ unit: 'binary', maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(word, { minLength: 1, maxLength: 4 }),
      fc.array(fc.tuple(label, value), { maxLength: 6 }),
      async (names, series) => {
        const registry = new Registry();
        for (const [index, name] of names.entries()) {
          const options = {
            name: `${name}_${index}`,
            help: 'has \\ and\nlines',
            labelNames: ['text'],
            registers: [registry],
          };
          const kind = index % 3;
          for (const [text, number] of series) {
            const known = registry.getSingleMetric(options.name);
            if (kind === 0) ((known as Gauge) ?? new Gauge(options)).set({ text }, number);
            else if (kind === 1) ((known as Counter) ?? new Counter(options)).inc({ text }, Math.abs(number));
            else ((known as Histogram) ?? new Histogram({ ...options, buckets: [1, 10] })).observe({ text }, number);
          }
        }
        const page = parseExposition(await registry.metrics());
        expect(page.problems).toEqual([]);
        const written = (await registry.getMetricsAsJSON()).flatMap(({ name, values }) =>
          values.map((sample) => {
            const { metricName } = sample as { metricName?: string };
            return [metricName ?? name, sample.value, String((sample.labels as Record<string, unknown>)['text'])];
          }),
        );
        const read = [...page.samples].flatMap(([name, found]) =>
          found.map(({ labels, value: number }) => [name, number, labels['text']]),
        );
        expect(read.sort()).toEqual(written.sort());
      },
    ),
    { numRuns: 60 },
  );
});

test('lines that somebody quotes are lines', () => {
  const { samples, problems } = parseExposition('> a{b="c"} 1\n>a 2\n> # a comment\n');
  expect([...samples]).toMatchObject([['a', [{ value: 1 }]]]);
  expect(problems).toHaveLength(1);
});

test('anything at all is read without throwing', () => {
  const piece = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 20 }),
    fc.constantFrom('{', '}', '"', '\\', ',', '=', '\n', ' ', 'a', '1', '# TYPE ', 'le="'),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      expect(parseExposition(pieces.join('')).problems.length).toBeLessThanOrEqual(20);
    }),
    { numRuns: 500 },
  );
});

test.each([
  'a 1\n',
  '{',
  'a{b="',
  '\\',
  'a{b="c",',
  '"a",',
  'a ',
  '# HELP a ',
  '# HELP a \u2028',
  ' ',
  'a{b="c"} 1 # ',
])('a MiB of %j is read in linear time', (piece) => {
  // Quadratic work on a MiB would take many minutes; the limit of one is the judge.
  parseExposition(piece.repeat(Math.ceil((1024 * 1024) / piece.length)));
  parseExposition(`a{${piece.repeat(Math.ceil((1024 * 1024) / piece.length))}`);
});
