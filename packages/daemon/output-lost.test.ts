import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const repository = join(import.meta.dirname, '../..');
const program = `
  const { onOutputLost } = await import('./packages/daemon/output-lost.ts');
  onOutputLost(process, 'shop');
  for (let line = 0; line < 100_000; line += 1) process.stdout.write('a line of some length\\n');
  process.stderr.write('progress\\n');
`;
const run = (redirection: string) =>
  spawnSync(
    'bash',
    [
      '-c',
      `"$0" --no-warnings --import ./scripts/typescript.mjs --input-type=module --eval "$1" ${redirection}; echo "\${PIPESTATUS[0]}" >&2`,
      process.execPath,
      program,
    ],
    { cwd: repository, encoding: 'utf8' },
  );

test('a reader who leaves ends the command without a word', () => {
  const { stdout, stderr } = run('2>/dev/null | head -1');
  expect({ stdout, stderr }).toEqual({ stdout: 'a line of some length\n', stderr: '141\n' });
});

const full = existsSync('/dev/full') ? test : test.skip;
full('a full disk is one line', () => {
  expect(run('>/dev/full').stderr).toMatch(/^(progress\n)?shop: standard output cannot be written: ENOSPC[^\n]*\n1\n$/);
});

full('progress that a full disk does not take is left out', () => {
  expect(run('2>/dev/full >/dev/null').stderr).toBe('0\n');
});
