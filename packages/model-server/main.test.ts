// The server as a process: its flags, its port, its end.
import { type ChildProcess, spawn } from 'node:child_process';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

function modelServer(words: string[]) {
  const command = ['--import', './scripts/typescript.mjs', 'packages/model-server/main.ts', '--host', '127.0.0.1'];
  const child = spawn(process.execPath, [...command, ...words], { cwd: repository });
  children.push(child);
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk));
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk));
  const ended = new Promise<{ code: number | null; err: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, err })),
  );
  const listening = new Promise<string>((resolve) =>
    child.stdout.on('data', () => {
      const url = /"url":"([^"]+)"/.exec(out)?.[1];
      if (url !== undefined) resolve(url);
    }),
  );
  return { child, ended, listening };
}

test('a port that is taken and flags that are wrong are a line each, and exit 2', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  const [taken, wrong, unmeasured] = await Promise.all([
    modelServer(['--port', String(port)]).ended,
    modelServer(['--max-batch', '0', '--speed', 'fast', '--gpus=h100']).ended,
    modelServer(['--gpu', 'b200', '--max-batch', '4000']).ended,
  ]);
  other.close();
  expect(taken.code).toBe(2);
  expect(taken.err).toMatch(new RegExp(`^model-server: --port 127\\.0\\.0\\.1:${port} is already taken: [^\\n]*\\n$`));
  expect(wrong).toEqual({
    code: 2,
    err: [
      'model-server: --gpus is unknown; did you mean --gpu?',
      'model-server: --max-batch must be a whole number of at least 1',
      'model-server: --speed must be a factor above 0, at most 1000',
      '',
    ].join('\n'),
  });
  expect(unmeasured.code).toBe(2);
  expect(unmeasured.err).toMatch(/^model-server: --model llama2-70b on 8 × b200 was not measured; there is /);
  expect(unmeasured.err).toContain('\nmodel-server: --max-batched-tokens must not be below --max-batch (4000)\n');
});

test('after SIGTERM it takes requests a little longer, ends what is under way, and exits 0', async () => {
  const { child, ended, listening } = modelServer(['--port', '0', '--speed', '10']);
  const url = await listening;
  const ask = (maxTokens: number) =>
    fetch(`${url}/v1/completions`, {
      method: 'POST',
      body: JSON.stringify({ prompt: 'Hello', max_tokens: maxTokens, stream: true }),
    });
  const long = await ask(1_200); // 3 ms a token: longer than the 2 s in which new requests are taken
  child.kill('SIGTERM');
  const late = await ask(2);
  expect(late.status).toBe(200);
  expect(await late.text()).toContain('[DONE]');
  const text = await long.text();
  expect(text.split('data: ').length - 1).toBe(1_201);
  expect((await ended).code).toBe(0);
});

test('a crash ends the process with 1', async () => {
  const { ended, listening } = modelServer(['--port', '0']);
  const url = await listening;
  await fetch(`${url}/admin/fault`, { method: 'POST', body: '{"crash": true}' }).catch(() => undefined);
  expect((await ended).code).toBe(1);
});
