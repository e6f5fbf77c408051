// The command as people run it.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function load(words: string[], whileRunning?: (interrupt: () => void) => void): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', './scripts/typescript.mjs', 'packages/load/main.ts', ...words], {
    cwd: repository,
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk));
  whileRunning?.(() => child.kill('SIGINT'));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

const sample = 'examples/traces/sample-chat.csv';

test('a bad command line or a bad trace is one line a problem, and exit 2', async () => {
  const [flags, file] = await Promise.all([
    load(['--trace', sample, '--url', 'localhost', '--thin', '2']),
    load(['--trace', 'package.json', '--url', 'http://127.0.0.1:1']),
  ]);
  expect(flags).toMatchObject({
    code: 2,
    err: 'load: --url must be a URL that begins with http://\nload: --thin must be a share above 0, at most 1\n',
  });
  const unwritable = await load(['--trace', sample, '--url', 'http://127.0.0.1:1', '--json', '/nowhere/x']);
  expect(unwritable).toMatchObject({ code: 2, out: '', err: expect.stringMatching(/^load: --json cannot be written/) });
  expect(file).toMatchObject({ code: 2, err: 'load: package.json: line 1: the line must be a JSON object\n' });
});

test('a replay in which nothing succeeds says how it failed and exits 1', async () => {
  const ended = await load(['--trace', sample, '--url', 'http://127.0.0.1:1', '--limit', '2', '--speed', '100']);
  expect(ended).toMatchObject({ code: 1, err: '' });
  expect(ended.out).toContain('0 ok\n  2 connect: no connection came about\n');
});

test('Ctrl-C stops the replay, reports what there is and exits 130', async () => {
  let interrupt: () => void = () => undefined;
  const server = createServer((request, response) => {
    response.writeHead(200).write('data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n');
    request.resume();
    interrupt();
    interrupt = () => undefined; // a second Ctrl-C would end it at once
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ended = await load(['--trace', sample, '--url', url, '--speed', '20'], (stop) => {
    interrupt = stop;
  });
  server.close().closeAllConnections();
  expect(ended.code).toBe(130);
  expect(ended.out).toMatch(/^\d+ requests in [\d.]+ s: 0 ok, \d+ stopped$/m);
});
