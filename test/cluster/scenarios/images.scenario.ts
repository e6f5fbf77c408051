// The images on the nodes, taken apart: small, and run by nobody of importance.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { clusterDirectory } from './scene.ts';

const execute = promisify(execFile);
const mebibyte = 2 ** 20;
const patience = 60_000;

/** What the agent may weigh beside the Node in its image. */
const agentLimitBytes = 60 * mebibyte;

interface Descriptor {
  readonly digest: string;
  readonly mediaType?: string;
}
interface Image {
  readonly user: string;
  /** Bytes of every file, by its path. */
  readonly files: ReadonlyMap<string, number>;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'image-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function unpack(name: string): Promise<Image> {
  const root = await mkdtemp(join(directory, `${name}-`));
  await execute('tar', ['--extract', '--file', join(clusterDirectory!, 'images', `${name}.tar`), '--directory', root]);
  const path = ({ digest }: Descriptor) => join(root, 'blobs', ...digest.split(':'));
  const read = <Content>(file: string) => JSON.parse(readFileSync(file, 'utf8')) as Content;
  let [next] = read<{ manifests: Descriptor[] }>(join(root, 'index.json')).manifests;
  // Docker puts an index for each platform in between.
  while (next?.mediaType?.includes('index')) [next] = read<{ manifests: Descriptor[] }>(path(next)).manifests;
  const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(path(next!));
  const { config } = read<{ config: { User?: string } }>(path(manifest.config));
  const files = new Map<string, number>();
  for (const layer of manifest.layers) {
    const { stdout } = await execute('tar', ['--list', '--verbose', '--numeric-owner', '--file', path(layer)]);
    for (const line of stdout.split('\n')) {
      const [mode = '', , size, , , file = ''] = line.split(/\s+/);
      if (mode.startsWith('-')) files.set(file.replace(/^\.?\//, ''), Number(size));
    }
  }
  return { user: config.User ?? '', files };
}

const ours = clusterDirectory === undefined ? test.skip : test;

ours.each(['agent', 'webhook', 'controller', 'model-server'])(
  'the image of the %s holds one file of ours beside Node, and is not run by root',
  async (name) => {
    const { user, files } = await unpack(name);
    expect(user).toBe('65532:65532');
    expect([...files.keys()].filter((file) => /node_modules|^app\//.test(file))).toEqual([`app/${name}.mjs`]);
    expect(files.get('nodejs/bin/node')).toBeGreaterThan(50 * mebibyte);
  },
  patience,
);

ours(
  'the agent weighs little beside the Node that it needs',
  async () => {
    const { files } = await unpack('agent');
    const all = [...files.values()].reduce((sum, bytes) => sum + bytes, 0);
    expect(all - files.get('nodejs/bin/node')!).toBeLessThan(agentLimitBytes);
  },
  patience,
);
