// What a command found, into a file that its user named.
import { open, writeFile } from 'node:fs/promises';
import { type CommandProcess, exitWith } from '@kubeai/daemon';

const wrong = (process: CommandProcess, name: string, flag: string, cause: unknown) =>
  exitWith(process, name, [{ field: flag, message: `cannot be written: ${(cause as Error).message}` }]);

/** Ends the process with 2 where a file could not be written: told before the work of minutes and not after it. */
export async function checkWritable(
  name: string,
  files: Readonly<Record<string, string | undefined>>,
  process: CommandProcess,
): Promise<void> {
  for (const [flag, path] of Object.entries(files)) {
    if (path === undefined) continue;
    try {
      const file = await open(path, 'a');
      await file.close();
    } catch (cause) {
      wrong(process, name, flag, cause);
    }
  }
}

/** Ends the process with 2 where the file cannot be written after all. */
export async function writeResult(
  name: string,
  flag: string,
  path: string,
  text: string,
  process: CommandProcess,
): Promise<void> {
  await writeFile(path, text).catch((cause: unknown) => wrong(process, name, flag, cause));
}
