// A parser at the door meets everything: it may complain, it may not throw, and it may not take longer than it must.
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseNvidiaSmi, type Reading } from './index.ts';
import { mig, table, text, xml } from './testing/samples.ts';

const samples = [
  xml(mig),
  text,
  table,
  'index, name, memory.used [MiB], utilization.gpu [%]\n0, Tesla T4, 5 MiB, [N/A]\n',
  'pid, process_name, used_memory [MiB]\n4, python, 5 MiB\n',
  '# gpu    pwr  gtemp     sm\n# Idx      W      C      %\n    0     69     41      -\n',
  '# gpu         pid   type     sm    command\n# Idx           #    C/G      %    name\n    0        100     C     30    x\n',
  'GPU 0: Tesla T4 (UUID: GPU-1)\n  MIG 1g.5gb     Device  0: (UUID: MIG-1)\n',
  'DRIVER version      : 590.48.01\nCUDA Version        : 13.1\n',
];

function check(input: string): Reading {
  const reading = parseNvidiaSmi(input);
  expect(reading.problems.length).toBeLessThanOrEqual(50);
  for (const gpu of reading.gpus)
    for (const [name, value] of Object.entries(gpu))
      if (typeof value === 'number' && !Number.isFinite(value)) throw new Error(`${name} is ${value}`);
  return reading;
}

test.each<[string, (line: string) => string]>([
  ['times of a log', (line) => `2026-03-01T10:00:00.1234567Z ${line}`],
  ['times without a blank behind', (line) => `2026-03-01T10:00:00+01:00 ${line}`.trimEnd()],
  ['colours', (line) => `\u001b[0;32m${line}\u001b[K`],
  ['quotation marks', (line) => `> ${line}`],
  ['carriage returns', (line) => `${line}\r`],
  ['indentation', (line) => `    ${line}`],
  ['marks of comments', (line) => `# ${line}`],
  ['names of containers', (line) => `cuda-1  | ${line}`.trimEnd()],
  ['names of pods', (line) => `[pod/cuda-x7/main] ${line}`],
  ["the container runtime's times", (line) => `2026-03-01T10:00:00.1234567Z stdout F ${line}`],
  ["the system log's times", (line) => `Mar 01 10:00:0${line.length % 10} node1 smi[1234]: ${line}`],
  ['levels', (line) => `2026-03-01 10:00:0${line.length % 10},123 - INFO - ${line}`],
  ['a list of strings', (line) => `    "${line}",`],
  ['blanks at the end', (line) => `${line}  `],
])('%s around lines change nothing', (_what, around) => {
  for (const sample of samples) {
    const wrapped = check(sample.split('\n').map(around).join('\n'));
    expect({ ...wrapped, rows: undefined }).toEqual({ ...check(sample), rows: undefined });
  }
});

test.each<[string, (output: string) => string]>([
  ['the JSON of a request', (output) => JSON.stringify({ code: 200, stdout: output }, null, 2)],
  ['the JSON of a task', (output) => `changed: [a] => {"stdout": ${JSON.stringify(output)}, "rc": 0}`],
  ["a container's log", (output) => output.replaceAll(/.*\n/g, (line) => `${JSON.stringify({ log: line })}\n`)],
])('an output in the strings of %s is read', (_what, around) => {
  for (const sample of [table, text]) {
    const { gpus, processes } = check(around(`\n${sample}`));
    expect({ gpus, processes }).toEqual({ gpus: check(sample).gpus, processes: check(sample).processes });
  }
});

test('the tasks of several nodes, named before every line, are runs of their own', () => {
  const labelled = [0, 1].map((task) => table.trimEnd().replaceAll(/^/gm, `${task}: `)).join('\n');
  const { documents, gpus } = check(labelled);
  expect({ documents, gpus }).toMatchObject({ documents: 2, gpus: check(table + table).gpus });
});

test('random text is read without throwing', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (input) => void check(input)),
    { numRuns: 300 },
  );
});

test('outputs with pieces removed, doubled and replaced are read without throwing', () => {
  const edit = fc.record({
    from: fc.nat(4_000),
    length: fc.nat(80),
    by: fc.oneof(
      fc.constant(''),
      fc.string({ unit: 'binary', maxLength: 20 }),
      fc.constantFrom('<', '|', ' : ', ', ', '\n', '#'),
    ),
  });
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(edit, { maxLength: 6 }), (sample, edits) => {
      let input = sample;
      for (const { from, length, by } of edits) {
        const at = from % (input.length + 1);
        input = input.slice(0, at) + by + input.slice(at + length);
      }
      check(input);
    }),
    { numRuns: 600 },
  );
});

test('a number that is read stands in the text, whatever became of the rest', () => {
  const fate = fc.constantFrom(
    '',
    'N/A',
    '[Unknown Error]',
    '-5',
    '1e308',
    '٣٤',
    '99999999999999999999',
    '0x10',
    'NaN',
    '1,5',
  );
  const damage = fc.tuple(fc.nat(200), fate, fc.nat(), fc.nat(4_000));
  fc.assert(
    fc.property(fc.constantFrom(...samples), fc.array(damage, { minLength: 1, maxLength: 4 }), (sample, damages) => {
      let input = sample;
      for (const [which, by, cut, line] of damages) {
        const numbers = [...input.matchAll(/\d+(?:\.\d+)?/g)];
        const number = numbers[which % Math.max(1, numbers.length)];
        if (number !== undefined)
          input = input.slice(0, number.index) + by + input.slice(number.index + number[0].length);
        if (cut % 3 === 0) input = input.slice(0, cut % (input.length + 1));
        if (cut % 3 === 1)
          input = input
            .split('\n')
            .toSpliced(line % input.split('\n').length, 1)
            .join('\n');
      }
      for (const gpu of check(input).gpus)
        for (const [name, value] of Object.entries(gpu)) {
          if (typeof value !== 'number' || name === 'index' || name === 'document') continue;
          if (value < 0 && !name.endsWith('Celsius')) throw new Error(`${name} is ${value}`);
          if (!input.includes(String(value))) throw new Error(`${name} is ${value}, which stands nowhere`);
        }
    }),
    { numRuns: 400 },
  );
});

test('more GPUs and rows than are kept are a problem', () => {
  const many = (line: (index: number) => string) =>
    Array.from({ length: 20_002 }, (_none, index) => line(index)).join('');
  for (const input of [
    many((index) => `GPU ${index % 10}: Tesla T4 (UUID: GPU-${index})\n`),
    many((index) => `GPU 00000000:01:00.0\n    FB Memory Usage\n        Used : ${index} MiB\n`),
    `<nvidia_smi_log>${many((index) => `<gpu id="${index}"></gpu>`)}</nvidia_smi_log>`,
    `index, name\n${many((index) => `${index}, Tesla T4\n`)}`,
  ])
    expect(check(input).problems.map(({ reason }) => reason)).toContain('TooMuch');
});

test.each([
  ['opening tags', '<a>'],
  ['a tag that never closes', `<nvidia_smi_log>${'<'}`],
  ['angle brackets', '<'],
  ['GPU elements', '<gpu id="0"><uuid>'],
  ['blanks', ' '],
  ['commas', ', '],
  ['pipes', '|'],
  ['a broken table', '|   0  x    '],
  ['hashes', '# gpu '],
  ['sections', 'GPU 00000000:01:00.0\n    A\n'],
  ['colons', 'a : '],
  ['brackets', '[N/A] '],
  ['quotes', '<gpu id="'],
  ['equals signs', '='],
  ['rulers', `${'='.repeat(399)}\n`],
  ['ampersands', '<gpu id="1">&#1;&'],
])('a MiB of %s is read in linear time', (_what, piece) => {
  // Quadratic work on a MiB would take many minutes; the limit of one is the judge.
  for (const begin of [
    '',
    '<nvidia_smi_log>',
    '==============NVSMI LOG==============\n',
    '| NVIDIA-SMI 5 |\n',
    'index, name\n',
  ])
    check(begin + piece.repeat(Math.ceil((1024 * 1024) / piece.length)));
});
