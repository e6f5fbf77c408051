import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { makeDirectory } from './make-directory.ts';

test('a directory is made with those above it, and may be there already', async () => {
  const root = await mkdtemp(join(tmpdir(), 'make-directory-'));
  const path = join(root, 'a/b/c');
  await makeDirectory(path);
  await makeDirectory(path);
  expect(existsSync(path)).toBe(true);
  await rm(root, { recursive: true });
});

test('where the system refuses, its error comes out', async () => {
  await expect(makeDirectory('/proc/nowhere/deeper')).rejects.toMatchObject({ code: 'ENOENT' });
});
