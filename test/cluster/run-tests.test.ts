import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const repository = join(import.meta.dirname, '../..');

test.each([
  ['an unknown option', '--wrong', /Unrecognized option "wrong"/],
  ['a name that no test has', 'nothing-like-this', /^test:cluster: nothing-like-this matches no test\n$/],
])('%s is refused before a cluster is started', (_what, word, message) => {
  const command = ['--no-warnings', '--import', './scripts/typescript.mjs', 'test/cluster/run-tests.ts', word];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: repository, encoding: 'utf8' });
  expect(stderr).toMatch(message);
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
});
