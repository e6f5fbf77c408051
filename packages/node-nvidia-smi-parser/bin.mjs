#!/usr/bin/env node
// Published, the compiled program lies beside this file; in the repository the sources run as they are.
import { existsSync } from 'node:fs';

if (existsSync(new URL('./cli.js', import.meta.url))) await import('./cli.js');
else {
  await import('../../scripts/typescript.mjs');
  await import('./cli.ts');
}
