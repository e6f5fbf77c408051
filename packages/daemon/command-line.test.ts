import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { exitWith, parseCommandLine, readCommandLine } from './command-line.ts';
import { logLevelOption, portOption, secondsOption } from './option-schemas.ts';

const line = {
  name: 'tool',
  summary: 'Does the work',
  options: {
    httpPort: {
      value: 'PORT',
      describe: 'where to listen',
      schema: portOption(8080),
      environment: 'TOOL_PORT',
      fallback: '8080',
    },
    tickSeconds: { value: 'SECONDS', describe: 'how often', schema: secondsOption(1, 0.1) },
    leaderElect: {
      describe: 'only one works',
      schema: z.stringbool().default(false),
      environment: 'TOOL_LEADER_ELECT',
    },
    logLevel: { value: 'LEVEL', describe: 'how much to say', schema: logLevelOption('info') },
    trace: { value: 'FILE', describe: 'what to replay', schema: z.string().optional() },
  },
  operands: [{ name: 'DIR', describe: 'where the cases are', required: false }],
  epilogue: 'See docs/tool.md.',
} as const;

const defaults = {
  httpPort: 8080,
  tickSeconds: 1_000,
  leaderElect: false,
  logLevel: 'info',
  trace: undefined,
  operands: [],
};

test.each<[string, string, Record<string, string>, object]>([
  ['nothing given', '', {}, defaults],
  [
    'flags',
    '--http-port 0 --tick-seconds 0.5 --leader-elect --trace a.csv',
    {},
    { ...defaults, httpPort: 0, tickSeconds: 500, leaderElect: true, trace: 'a.csv' },
  ],
  ['flags with =', '--http-port=9', {}, { ...defaults, httpPort: 9 }],
  [
    'the environment',
    '',
    { TOOL_PORT: '7', TOOL_LEADER_ELECT: 'true' },
    { ...defaults, httpPort: 7, leaderElect: true },
  ],
  ['a flag over its twin', '--http-port 9', { TOOL_PORT: '7' }, { ...defaults, httpPort: 9 }],
  ['an empty variable is unset', '', { TOOL_PORT: '' }, defaults],
  ['an operand', 'cases --http-port 9', {}, { ...defaults, httpPort: 9, operands: ['cases'] }],
])('reads %s', (_name, words, environment, values) => {
  expect(parseCommandLine(line, words.split(' ').filter(Boolean), environment)).toEqual({ kind: 'run', values });
});

test.each<[string, Record<string, string>, string[]]>([
  ['--http-prt 9 cases', {}, ['--http-prt is unknown; did you mean --http-port?']],
  ['--colour', {}, ['--colour is unknown; tool --help lists the flags']],
  ['--trace', {}, ['--trace needs a value']],
  [
    '--http-port many --tick-seconds 0 --log-level loud',
    {},
    [
      '--http-port must be a port between 0 and 65535, not "many"',
      '--tick-seconds must be at least 0.1 seconds',
      '--log-level must be one of trace, debug, info, warn, error, silent',
    ],
  ],
  ['', { TOOL_PORT: '70000' }, ['TOOL_PORT must be a port between 0 and 65535']],
  ['a b', {}, ['b is not expected here']],
])('refuses "%s" %j in one line a problem', (words, environment, lines) => {
  const outcome = parseCommandLine(line, words.split(' ').filter(Boolean), environment);
  expect(outcome.kind === 'problems' && outcome.problems.map(({ field, message }) => `${field} ${message}`)).toEqual(
    lines,
  );
});

test('a word that is empty is said to be', () => {
  const image = { ...line, options: { image: { value: 'IMAGE', describe: '', schema: z.string().min(1) } } };
  expect(parseCommandLine(image, ['--image', ''], {})).toEqual({
    kind: 'problems',
    problems: [{ field: '--image', message: 'must not be empty' }],
  });
});

test('what is required and absent is named with its twin', () => {
  const required = {
    ...line,
    options: { url: { value: 'URL', describe: '', schema: z.string(), environment: 'TOOL_URL' } },
  };
  expect(parseCommandLine(required, [], {})).toEqual({
    kind: 'problems',
    problems: [{ field: '--url', message: 'is required (or TOOL_URL)' }],
  });
});

function stubProcess(words: string[]) {
  const out: string[] = [];
  return {
    out,
    argv: ['node', 'tool', ...words],
    env: {},
    stdout: { write: (text: string) => out.push(`out ${text}`) },
    stderr: { write: (text: string) => out.push(`err ${text}`) },
    exit(code: number): never {
      throw new Error(`exit ${code}`);
    },
  };
}

test('help lists every flag with default and twin, and exits 0', () => {
  const process = stubProcess(['--help']);
  expect(() => readCommandLine(line, process)).toThrow('exit 0');
  const help = process.out.join('');
  expect(help).toContain('--http-port <PORT>');
  expect(help).toContain('(default 8080, env TOOL_PORT)');
  expect(help).toContain('See docs/tool.md.');
});

test('problems go to stderr, a line each, and exit 2', () => {
  const process = stubProcess(['--http-port', 'x', '--colour']);
  expect(() => readCommandLine(line, process)).toThrow('exit 2');
  expect(process.out).toHaveLength(2);
  expect(() => exitWith(process, 'tool', [{ field: 'KUBECONFIG', message: 'is not readable' }])).toThrow('exit 2');
  expect(process.out.at(-1)).toBe('err tool: KUBECONFIG is not readable\n');
});
