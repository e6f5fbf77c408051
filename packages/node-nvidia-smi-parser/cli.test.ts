import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { text } from './testing/samples.ts';

const program = fileURLToPath(new URL('./bin.mjs', import.meta.url));

function run(words: readonly string[], input = ''): Promise<{ code: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [program, ...words], { timeout: 20_000 }, (error, out, err) =>
      resolve({ code: error === null ? 0 : Number(error.code), out, err }),
    );
    child.stdin!.end(input);
  });
}

test('files and standard input become JSON, problems included', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'nvidia-smi-')), 'log.txt');
  writeFileSync(file, 'No devices were found\n');
  const { code, out } = await run([file, '-'], text);
  const [failed, read] = JSON.parse(out);
  expect(code).toBe(0);
  expect(failed).toMatchObject({ file, kind: 'failure', problems: [{ reason: 'NoDevices' }] });
  expect(read.gpus[0]).toMatchObject({ memoryUsed: '15000 MiB', memoryUsedMiB: 15000, 'Power Draw': '287.10 W' });
});

test('files that are there are read beside one that is not, and PowerShell may have written them', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'nvidia-smi-')), '-a.csv');
  writeFileSync(file, Buffer.from('\uFEFFTesla T4, 5 MiB\r\n', 'utf16le'));
  const { code, out } = await run(['--fields=name,memory.used', '--', '/no/such/file', file]);
  expect(code).toBe(2);
  expect(JSON.parse(out)).toMatchObject([{ file, gpus: [{ name: 'Tesla T4', memoryUsedMiB: 5 }] }]);
});

test('what cannot be read or understood is one line and exit code 2', async () => {
  expect(await run(['/no/such/file'])).toMatchObject({ code: 2, err: expect.stringMatching(/^[^\n]*ENOENT[^\n]*\n$/) });
  expect(await run([])).toMatchObject({ code: 2 });
  expect(await run(['--wrong'])).toMatchObject({ code: 2 });
  expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage/) });
});
