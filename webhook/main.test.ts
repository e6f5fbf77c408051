// The two commands as people start them: wrong input is one line for each problem and exit code 2, with nothing left running.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { type ApiServer, startApiServer } from '../packages/local-cluster/api-server/api-server.ts';

const repository = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'webhook-'));
const file = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(
  script: string,
  words: readonly string[],
  { env = {}, stdin = '' }: { env?: Record<string, string>; stdin?: string } = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['--no-warnings', '--import', './scripts/typescript.mjs', `webhook/${script}`, ...words],
      {
        cwd: repository,
        env: { PATH: process.env['PATH'] ?? '', ...env },
      },
    );
    const heard = { stdout: '', stderr: '' };
    child.stdout.on('data', (text: Buffer) => {
      heard.stdout += text.toString();
    });
    child.stderr.on('data', (text: Buffer) => {
      heard.stderr += text.toString();
    });
    child.on('close', (code) => resolve({ code, ...heard }));
    child.stdin.end(stdin);
  });
}

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({ clock: createClock() });
});
afterAll(async () => {
  await api.stop();
  rmSync(folder, { recursive: true });
});

test('the webhook refuses wrong flags, each in a line of its own', async () => {
  const { code, stderr } = await run(
    'main.ts',
    ['--port', '70000', '--reach', 'magic', '--portt=1', '--dcgm-url', 'https://x'],
    { env: { KUBEAI_DRAIN_SECONDS: 'long' } },
  );
  expect({ code, lines: stderr.trim().split('\n').sort() }).toEqual({
    code: 2,
    lines: [
      'kubeai-webhook: --dcgm-url must be a URL that begins with http://',
      'kubeai-webhook: --port must be a port between 0 and 65535',
      'kubeai-webhook: --portt is unknown; did you mean --port?',
      'kubeai-webhook: --reach must be one of auto, port, redirect, none',
      'kubeai-webhook: KUBEAI_DRAIN_SECONDS must be a whole number of seconds',
    ],
  });
});

test('the webhook refuses a kubeconfig that is not there', async () => {
  const { code, stderr } = await run('main.ts', ['--kubeconfig', join(folder, 'none')]);
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringMatching(/^kubeai-webhook: --kubeconfig \S+ cannot be read \(ENOENT\).*\n$/),
  });
});

test('the webhook refuses a port that is taken', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as { port: number };
  const kubeconfig = file('kubeconfig', api.kubeconfig());
  const { code, stderr } = await run('main.ts', [
    '--kubeconfig',
    kubeconfig,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
    '--namespace',
    'default',
    '--log-level',
    'silent',
  ]);
  other.close();
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: `kubeai-webhook: 127.0.0.1:${port} is already taken: end the process that listens there, or choose another port\n`,
  });
});

test('manifests go through stdin, and what became of each is told on stderr', async () => {
  const stdin = readFileSync(join(import.meta.dirname, 'testing/pods/named-port.yaml'), 'utf8');
  const { code, stdout, stderr } = await run(
    'inject-cli.ts',
    ['-f', '-', '--explain', '--kubernetes-version', '1.28'],
    { stdin },
  );
  expect({ code, stderr }).toEqual({ code: 0, stderr: 'Pod chat-7d9c5b-: agent injected, reach port\n' });
  expect(stdout).toContain('"sidecar":"container"');
  expect(stdout.startsWith(stdin.split('\n')[0]!)).toBe(true);
});

test.each<[string, () => string[], string]>([
  ['no file', () => [], 'kubeai inject: --file is required'],
  [
    'a file that is not there',
    () => ['-f', join(folder, 'none')],
    `kubeai inject: ${join(folder, 'none')} cannot be read: ENOENT`,
  ],
  [
    'no YAML',
    () => ['-f', file('broken.yaml', 'a: b: c\n')],
    `kubeai inject: ${join(folder, 'broken.yaml')}, line 1: Nested mappings are not allowed in compact mappings`,
  ],
])('inject refuses %s', async (_what, words, line) => {
  expect(await run('inject-cli.ts', words())).toEqual({ code: 2, stdout: '', stderr: `${line}\n` });
});
