// Like mkdir with `recursive`, which in Node 20 never returns where the system refuses with ENOENT below a directory that
// exists, as /proc does.
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes a directory and those above it; one that is there already will do. Throws the system's error. */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdirOnce(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT' || dirname(path) === path) throw cause;
    await makeDirectory(dirname(path));
    await mkdirOnce(path);
  }
}

async function mkdirOnce(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  }
}
