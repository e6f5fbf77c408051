import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

let directory: string;
let taken: Server;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cluster-main-'));
  await writeFile(join(directory, 'file'), '');
  taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
});
afterAll(async () => {
  taken.close();
  await rm(directory, { recursive: true });
});

function run(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const command = ['--import', './scripts/typescript.mjs', 'packages/local-cluster/main.ts', ...args];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: repository }, (error, _stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stderr }),
    );
  });
}

const port = () => String((taken.address() as AddressInfo).port);

test.each<[string, () => string[], RegExp]>([
  [
    'flags that mean nothing, all of them at once',
    () => ['--port', 'many', '--gpus', '-1', '--kubernetes-version', 'latest'],
    /^cluster: --port .*\ncluster: --gpus .*\ncluster: --kubernetes-version must look like 1\.36 or v1\.36\.2\n$/,
  ],
  [
    'a port that is taken',
    () => ['--port', port(), '--kubeconfig', join(directory, 'kubeconfig')],
    /^cluster: --port \d+ is in use by another process; give another one, or 0 for any free one\n$/,
  ],
  [
    'a kubeconfig that cannot be written',
    () => ['--port', '0', '--kubeconfig', join(directory, 'file/kubeconfig')],
    /^cluster: --kubeconfig .*file\/kubeconfig cannot be written \(E\w+\)\n$/,
  ],
  [
    'a kubeconfig that is a directory',
    () => ['--port', '0', '--kubeconfig', directory],
    /^cluster: --kubeconfig .* cannot be written \(EISDIR\)\n$/,
  ],
  [
    'a data directory that nobody may make',
    () => ['--port', '0', '--kubeconfig', join(directory, 'kubeconfig'), '--data-dir', '/proc/nowhere'],
    /^cluster: --data-dir \/proc\/nowhere cannot be written \(E\w+\)\n$/,
  ],
])('%s: one line each, and exit code 2', async (_case, args, message) => {
  const { code, stderr } = await run(args());
  expect(stderr).toMatch(message);
  expect(code).toBe(2);
});

test('a reader who leaves ends the cluster, in its own order', async () => {
  const line = '"$@" | head -1; echo "$PIPESTATUS"';
  const command = [process.execPath, '--import', './scripts/typescript.mjs', 'packages/local-cluster/main.ts'];
  const kubeconfig = join(directory, 'kubeconfig');
  const words = ['-c', line, 'bash', ...command, '--port', '0', '--kubeconfig', kubeconfig];
  const { stdout, stderr } = await promisify(execFile)('bash', words, { cwd: repository });
  expect({ stdout, stderr }).toEqual({ stdout: 'Bundling the processes\n141\n', stderr: '' });
}, 60_000);
