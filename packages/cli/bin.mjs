#!/usr/bin/env node
// Published, the bundled program lies beside this file; in the repository the sources run as they are.
import { existsSync } from 'node:fs';

if (existsSync(new URL('./kubeai.mjs', import.meta.url))) await import('./kubeai.mjs');
else {
  await import('../../scripts/typescript.mjs');
  await import('./main.ts');
}
