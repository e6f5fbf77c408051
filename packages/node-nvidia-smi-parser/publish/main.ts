// Makes the package that is published: compiled JavaScript with its types, and a package.json that names them. It goes
// to .build/package, because inside the repository `exports` must name the sources; `npm publish .build/package`.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const target = here('../.build/package');

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
execFileSync(here('../../../node_modules/.bin/tsc'), ['--project', here('./tsconfig.json')], { stdio: 'inherit' });

const { private: _private, scripts: _scripts, ...source } = JSON.parse(readFileSync(here('../package.json'), 'utf8'));
const published = {
  ...source,
  exports: { '.': { types: './index.d.ts', default: './index.js' } },
  types: './index.d.ts',
  files: ['*.js', '*.d.ts', 'bin.mjs', 'README.md', 'LICENSE'],
};
writeFileSync(`${target}/package.json`, `${JSON.stringify(published, null, 2)}\n`);
for (const file of ['README.md', 'bin.mjs']) copyFileSync(here(`../${file}`), `${target}/${file}`);
copyFileSync(here('../../../LICENSE'), `${target}/LICENSE`);
