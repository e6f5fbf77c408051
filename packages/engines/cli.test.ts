import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@jest/globals';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

function run(words: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const program = ['--import', here('../../scripts/typescript.mjs'), here('./cli.ts'), ...words];
    const child = execFile(process.execPath, program, { timeout: 20_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
    child.stdin!.end(input);
  });
}

const file = (name: string, content: string | Buffer) => {
  const path = join(mkdtempSync(join(tmpdir(), 'engines-')), name);
  writeFileSync(path, content);
  return path;
};

test('an option that there is not is refused as one', async () => {
  const { code, err } = await run(['engine', '--no-such-flag']);
  expect(code).toBe(2);
  expect(err).toContain('--no-such-flag is no option');
});

test('pages, tables and bodies become JSON', async () => {
  const page = await run(['engine', '-'], 'vllm:num_requests_waiting{model_name="m"} 4\n');
  expect(JSON.parse(page.out)).toMatchObject({
    engine: 'vllm',
    waiting: 4,
    running: null,
    preemptions: null,
    models: 1,
  });
  const dcgm = await run([
    'dcgm',
    file('a.txt', '#Entity GRACT\nID\nGPU 0 N/A\n'),
    file('b.prom', 'DCGM_FI_DEV_GPU_UTIL{gpu="0"} 7'),
  ]);
  expect(JSON.parse(dcgm.out)).toMatchObject([
    { rows: 1, firstRow: null },
    { gpus: 1, utilPercent: 7, tempC: null },
  ]);
  const powershell = Buffer.from('\uFEFFvllm:num_requests_running 2\r\n', 'utf16le');
  expect(JSON.parse((await run(['engine', file('c.txt', powershell)])).out)).toMatchObject({ running: 2 });
  const body = await run(['sse', file('a.sse', 'data: {"choices":[{"text":"a"}]}\n\ndata: [DONE]')]);
  expect(JSON.parse(body.out)).toMatchObject({ events: 2, eventsWithText: 1, doneMarker: true, usageReported: false });
  const packed = await run(['sse', file('b.sse', gzipSync('data: [DONE]\n\n'))]);
  expect(JSON.parse(packed.out)).toEqual({ file: expect.any(String), problems: [expect.stringContaining('gzip')] });
});

test('what cannot be read or understood is one line and exit code 2', async () => {
  expect(await run(['sse', '/no/such/file'])).toMatchObject({
    code: 2,
    err: expect.stringMatching(/^[^\n]*ENOENT[^\n]*\n$/),
  });
  expect(await run(['sse'])).toMatchObject({ code: 2 });
  expect(await run(['tea', 'x'])).toMatchObject({ code: 2 });
  expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage/) });
});
