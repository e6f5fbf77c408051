// Root file systems made from this machine's own programs, for where no registry can be reached: Node, or a shell with
// nft, each with the shared libraries it needs and nothing else. They stand in for the bases that the Dockerfile names.
import { execFile } from 'node:child_process';
import { copyFile, mkdir, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Where programs lie in the base, by their path on this machine. */
type Programs = Readonly<Record<string, string>>;

const users = [
  'root:x:0:0:root:/root:/sbin/nologin',
  'nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin',
  '',
].join('\n');

/** Fills `root` with this Node, at the place where distroless images have it. */
export const writeNodeRoot = (root: string): Promise<void> =>
  writeRoot(root, { [process.execPath]: 'nodejs/bin/node' });

/** Fills `root` with a shell and nft. Throws when this machine has no nft. */
export const writeRedirectRoot = (root: string): Promise<void> =>
  writeRoot(root, { '/bin/sh': 'bin/sh', '/usr/sbin/nft': 'usr/sbin/nft' });

async function writeRoot(root: string, programs: Programs): Promise<void> {
  for (const directory of ['tmp', 'etc']) await mkdir(join(root, directory), { recursive: true });
  await writeFile(join(root, 'etc/passwd'), users);
  for (const [program, place] of Object.entries(programs)) {
    await copyInto(root, await realpath(program), place);
    for (const library of await librariesOf(program)) await copyInto(root, library, library);
  }
}

/** The shared libraries of a program, its loader included, as the loader itself finds them. */
async function librariesOf(program: string): Promise<string[]> {
  const { stdout } = await run('ldd', [program]);
  return [...stdout.matchAll(/(?:=>\s+)?(\/\S+)\s+\(0x/g)].map((match) => match[1]!);
}

async function copyInto(root: string, from: string, place: string): Promise<void> {
  const target = join(root, place);
  await mkdir(dirname(target), { recursive: true });
  await copyFile(from, target);
}
