// The process itself on a bad day: one clear line, exit code 2, nothing left running.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from '@jest/globals';
import { createClock } from '@kubeai/daemon';
import { startApiServer } from '../packages/local-cluster/api-server/api-server.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '..');
const folder = mkdtempSync(join(tmpdir(), 'controller-main-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function run(words: string[], environment: Record<string, string> = {}) {
  const child = spawn(
    process.execPath,
    [
      '--no-warnings',
      '--import',
      join(repository, 'scripts/typescript.mjs'),
      join(repository, 'controller/main.ts'),
      ...words,
    ],
    { env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let text = '';
  child.stderr.on('data', (chunk) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  return { code, lines: text.trim().split('\n') };
}

test('every wrong flag is a line, and so is a kubeconfig that cannot be read', async () => {
  const [flags, config] = await Promise.all([
    run(['--http-prt', '1', '--tick-seconds', 'soon', '--gpu-budgets', 'a=1,a=2'], { KUBEAI_INGEST_PORT: 'many' }),
    run([], { KUBECONFIG: join(folder, 'nowhere') }),
  ]);
  expect(flags).toEqual({
    code: 2,
    lines: [
      'kubeai-controller: --http-prt is unknown; did you mean --http-port?',
      'kubeai-controller: KUBEAI_INGEST_PORT must be a port between 0 and 65535, not "many"',
      'kubeai-controller: --tick-seconds must be a number of seconds, not "soon"',
      'kubeai-controller: --gpu-budgets must be a list such as default=16,research=8, each name once, not "a=1,a=2"',
    ],
  });
  expect(config.code).toBe(2);
  expect(config.lines).toEqual([
    expect.stringMatching(/^kubeai-controller: KUBECONFIG .*nowhere cannot be read \(ENOENT\)/),
  ]);
});

test('a port that is taken is a line that names it', async () => {
  const api = await startApiServer({ clock: createClock() });
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const kubeconfig = join(folder, 'kubeconfig');
  writeFileSync(kubeconfig, api.kubeconfig());
  const ended = await run(['--host', '127.0.0.1', '--health-port', String(port)], { KUBECONFIG: kubeconfig });
  expect(ended).toEqual({
    code: 2,
    lines: [
      `kubeai-controller: 127.0.0.1:${port} is already taken: end the process that listens there, or choose another port`,
    ],
  });
  taken.close();
  await api.stop();
});
