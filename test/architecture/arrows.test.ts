// Who may import whom. Arrows point one way: processes → edge → pure; rehearsal may use anything and is never shipped. The
// command line gathers the faces of others, and is imported by none.
// Adding an arrow means editing the table, where a reviewer sees it.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

const pure = [
  'units',
  'sketch',
  'protocol',
  'policy',
  'decision',
  'peers',
  'engines',
  'node-nvidia-smi-parser',
  'forecast',
];
const edge = ['daemon', 'kube', 'certificates'];
const rehearsal = ['local-cluster', 'model-server', 'load', 'demo', 'lab'];

/** Our own packages that each part may import. A part that is missing here may import none. */
const mayImport: Record<string, readonly string[]> = {
  'packages/units': [],
  'packages/sketch': [],
  'packages/node-nvidia-smi-parser': [],
  'packages/protocol': ['units', 'sketch'],
  'packages/policy': ['units'],
  'packages/decision': ['units', 'sketch', 'protocol', 'policy'],
  'packages/peers': ['units', 'decision'],
  'packages/engines': ['units', 'node-nvidia-smi-parser'],
  'packages/forecast': ['units'],
  'packages/daemon': ['units'],
  'packages/kube': ['units', 'daemon'],
  'packages/certificates': ['units', 'daemon', 'kube'],
  agent: ['units', 'sketch', 'protocol', 'engines', 'node-nvidia-smi-parser', 'daemon'],
  webhook: ['units', 'policy', 'daemon', 'kube', 'certificates'],
  controller: ['units', 'sketch', 'protocol', 'policy', 'decision', 'forecast', 'daemon', 'kube', 'certificates'],
  'packages/local-cluster': [...pure, ...edge],
  'packages/model-server': [...pure, 'daemon'],
  'packages/load': [...pure, 'daemon'],
  'packages/lab': [...pure, 'daemon', 'load', 'model-server'],
  'packages/demo': [...pure, ...edge, ...rehearsal],
  'packages/cli': ['units', 'policy', 'decision', 'daemon', 'kube', 'webhook', 'lab'],
};

/** Node modules that make a package impure. */
const impure = /^(node:(?!assert|buffer|util)|pino|express|undici|@kubernetes\/|prom-client|systeminformation)/;

interface Import {
  readonly file: string;
  readonly from: string;
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory).flatMap((entry) => {
    const path = join(directory, entry);
    // What stands in `testing` is for tests, which may reach anywhere, as they do themselves.
    if (['node_modules', 'browser', 'testing'].includes(entry)) return [];
    if (statSync(path).isDirectory()) return sourceFiles(path);
    return path.endsWith('.ts') && !path.endsWith('.test.ts') ? [path] : [];
  });
}

function importsOf(part: string): Import[] {
  return sourceFiles(join(repository, part)).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    const found = text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g);
    return [...found].map((match) => ({ file: relative(repository, path), from: match[1]! }));
  });
}

const ownPackage = (from: string): string | undefined =>
  from === 'node-nvidia-smi-parser' ? from : /^@kubeai\/([^/]+)/.exec(from)?.[1];

const parts = [
  'agent',
  'webhook',
  'controller',
  ...readdirSync(join(repository, 'packages')).map((name) => `packages/${name}`),
];

test.each(parts)('%s imports only what the table allows', (part) => {
  const allowed = mayImport[part] ?? [];
  const wrong = importsOf(part).filter(({ from }) => {
    const name = ownPackage(from);
    return name !== undefined && !allowed.includes(name);
  });
  expect(wrong).toEqual([]);
});

test.each(parts)('%s imports nothing that is for tests', (part) => {
  expect(importsOf(part).filter(({ from }) => /(^|\/)testing\//.test(from))).toEqual([]);
});

test.each(parts)('%s reaches into no other package past its face', (part) => {
  const wrong = importsOf(part).filter(({ file, from }) => {
    if (/^@kubeai\/[^/]+\//.test(from)) return true;
    return from.startsWith('.') && relative(part, join(dirname(file), from)).startsWith('..') && part !== 'docker';
  });
  const faces = ['/docker/bundle.ts', ...(part === 'packages/demo' ? ['/test/cluster/index.ts'] : [])];
  expect(wrong.filter(({ from }) => !faces.some((face) => from.endsWith(face)))).toEqual([]);
});

test.each(pure.map((name) => `packages/${name}`))('%s touches no clock, network, file system or logger', (part) => {
  const command = (file: string) => /(?:^|\/)(?:cli|main)\.ts$/.test(file);
  const imported = importsOf(part).filter(({ file, from }) => impure.test(from) && !command(file));
  const clocks = sourceFiles(join(repository, part))
    .filter((path) => !command(path))
    .filter((path) =>
      /Date\.now\(|performance\.now\(|new Date\(\)|process\.(env|argv|hrtime)/.test(readFileSync(path, 'utf8')),
    )
    .map((path) => relative(repository, path));
  expect({ imported, clocks }).toEqual({ imported: [], clocks: [] });
});

test('the agent never speaks to Kubernetes', () => {
  expect(importsOf('agent').filter(({ from }) => from.includes('kube') && from.startsWith('@kubernetes'))).toEqual([]);
});

test('every part of the house stands in the table', () => {
  expect(parts.filter((part) => mayImport[part] === undefined)).toEqual([]);
});
