// Makes the package that is published: the program in one file, with all it needs but the charts of the lab's page, which
// are read as files. It goes to .build/package; `npm publish .build/package`.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundle } from '../../docker/bundle.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const read = (path: string) => JSON.parse(readFileSync(here(path), 'utf8'));
const target = here('./.build/package');

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
await bundle(here('./main.ts'), `${target}/kubeai.mjs`);

const { private: _private, scripts: _scripts, ...source } = read('./package.json');
const { uplot } = read('../../package.json').devDependencies;
const published = { ...source, dependencies: { uplot }, files: ['*.mjs', 'README.md', 'LICENSE'] };
writeFileSync(`${target}/package.json`, `${JSON.stringify(published, null, 2)}\n`);
for (const file of ['README.md', 'bin.mjs']) copyFileSync(here(`./${file}`), `${target}/${file}`);
copyFileSync(here('../../LICENSE'), `${target}/LICENSE`);
