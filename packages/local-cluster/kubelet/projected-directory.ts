// Writes a volume's files the way a kubelet does: a new directory beside the old one, then one rename of the link
// `..data`, so that a reader sees either all old files or all new ones.
import { chmod, mkdir, readdir, readFile, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import type { Payload } from './payload.ts';

/** Makes `directory` show exactly `files`; `stamp` names this version. True when something changed. */
export async function writeProjected(directory: string, { files }: Payload, stamp: string): Promise<boolean> {
  await mkdir(directory, { recursive: true });
  const before = await readlink(join(directory, '..data')).catch(absent);
  if (before !== undefined && (await holds(join(directory, before), files))) return false;
  const version = `..${stamp}`;
  for (const [path, { data, mode }] of files) {
    const target = inside(join(directory, version), path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, data);
    await chmod(target, mode);
  }
  await mkdir(join(directory, version), { recursive: true });
  await symlink(version, join(directory, '..data_tmp'));
  await rename(join(directory, '..data_tmp'), join(directory, '..data'));
  await linkNames(directory, new Set([...files.keys()].map((path) => normalize(path).split('/')[0] ?? path)));
  if (before !== undefined) await rm(join(directory, before), { recursive: true, force: true });
  return true;
}

/** Visible names are links into `..data`; they change only when a name comes or goes. */
async function linkNames(directory: string, names: ReadonlySet<string>): Promise<void> {
  const present = (await readdir(directory)).filter((name) => !name.startsWith('..'));
  for (const name of names) if (!present.includes(name)) await symlink(`..data/${name}`, join(directory, name));
  for (const name of present) if (!names.has(name)) await rm(join(directory, name));
}

async function holds(directory: string, files: Payload['files']): Promise<boolean> {
  const present = (await readdir(directory, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  );
  if (present.length !== files.size) return false;
  for (const [path, { data }] of files) {
    const old = await readFile(inside(directory, path)).catch(absent);
    if (old === undefined || !old.equals(data)) return false;
  }
  return true;
}

function inside(directory: string, path: string): string {
  const target = join(directory, path);
  if (!target.startsWith(`${directory}/`)) throw new Error(`The path ${path} leads out of its volume`);
  return target;
}

function absent(cause: NodeJS.ErrnoException): undefined {
  if (cause.code !== 'ENOENT') throw cause;
}
