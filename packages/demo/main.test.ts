// The demonstration as a command: wrong input is told in one line a problem, with exit code 2, before anything starts.
import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));
let directory: string;
const file = (name: string) => join(directory, name);

const policy = (spec: string) => `
apiVersion: kubeai.io/v1alpha1
kind: AIInferenceAutoscalerPolicy
metadata: { name: mine, namespace: anywhere }
spec: ${spec}
`;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'kubeai-demo-test-'));
  const whole = gzipSync(`TIMESTAMP,ContextTokens,GeneratedTokens\n${'1,10,10\n'.repeat(500)}`);
  await Promise.all([
    writeFile(file('cut.csv.gz'), whole.subarray(0, 40)),
    writeFile(file('negative.csv'), 'TIMESTAMP,ContextTokens,GeneratedTokens\n0,10,10\n1,-5,10\n'),
    writeFile(
      file('two-problems.yaml'),
      policy('{ maxReplicas: 3, minReplicas: 5, metrics: { latency: { targetP99Ms: -1 } } }'),
    ),
    writeFile(file('no-yaml.yaml'), 'spec: [unclosed'),
  ]);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Ended {
  readonly code: number | null;
  readonly errors: readonly string[];
  readonly output: string;
}

const demo = (...flags: string[]): Promise<Ended> => demoWith({}, ...flags);

function demoWith(environment: NodeJS.ProcessEnv, ...flags: string[]): Promise<Ended> {
  const loader = join(repository, 'scripts/typescript.mjs');
  const child = spawn(process.execPath, ['--no-warnings', '--import', loader, 'packages/demo/main.ts', ...flags], {
    cwd: repository,
    env: { ...process.env, ...environment },
  });
  let errors = '';
  let output = '';
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  return new Promise((resolve) =>
    child.once('close', (code) => resolve({ code, errors: errors.trim().split('\n'), output })),
  );
}

test.each<[string, () => string[], RegExp[]]>([
  ['an unknown flag', () => ['--treace'], [/--treace is unknown; did you mean --trace\?/]],
  ['a flag that is no number', () => ['--speed', 'fast'], [/--speed must be a number above 0/]],
  ['a cluster of no kind', () => ['--cluster', 'cloud'], [/--cluster must be local or real/]],
  ['a trace that is not there', () => ['--trace', file('gone.csv')], [/gone\.csv does not exist/]],
  ['a truncated trace', () => ['--trace', file('cut.csv.gz')], [/cut\.csv\.gz is cut off/]],
  ['a broken row', () => ['--trace', file('negative.csv')], [/line 3: ContextTokens must be a whole number/]],
  [
    'a report that cannot be written',
    () => ['--json', file('no/where.json')],
    [/--json .* cannot be written \(ENOENT\)/],
  ],
  ['a policy that is no YAML', () => ['--policy', file('no-yaml.yaml')], [/no-yaml\.yaml is no YAML document/]],
  [
    'a policy with two problems',
    () => ['--policy', file('two-problems.yaml')],
    [/spec\.minReplicas/, /spec\.metrics\.latency\.targetP99Ms/],
  ],
])('%s ends it with 2 and a line for each problem', async (_name, flags, lines) => {
  const ended = await demo('--headless', ...flags());
  expect(ended.code).toBe(2);
  expect(ended.output).toBe('');
  expect(ended.errors).toHaveLength(lines.length);
  for (const line of lines) expect(ended.errors).toContainEqual(expect.stringMatching(line));
});

test('a port that is taken is named, with the way out', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => holder.once('listening', resolve));
  const { port } = holder.address() as { port: number };
  const ended = await demo('--port', String(port));
  holder.close();
  expect(ended).toMatchObject({
    code: 2,
    errors: [`demo: --port ${port} is already taken; choose another or use --headless`],
  });
});

test('a machine without what a real cluster needs is told so in one line, with the way out', async () => {
  const { code, errors, output } = await demoWith({ PATH: '/nowhere' }, '--cluster', 'real', '--headless');
  expect({ code, output, lines: errors.length }).toEqual({ code: 2, output: '', lines: 1 });
  expect(errors[0]).toMatch(/^demo: --cluster real is not for this machine: .*(sudo|apt-get install .*containerd)/);
});
