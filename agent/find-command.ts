// Looks for a command before it is started: a start that fails blocks the loop for as long as one that does not, some six
// milliseconds at the start of every agent without a GPU (npm run bench:agent).
import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

export interface Command {
  /** A path, or a name to be looked for. */
  readonly name: string;
  /** Directories as in `PATH`. */
  readonly searchPath: string;
}

/** The path of the first file by this name that may be executed; undefined when there is none. */
export async function findCommand({ name, searchPath }: Command): Promise<string | undefined> {
  const places = name.includes('/') ? [name] : searchPath.split(delimiter).map((directory) => join(directory, name));
  for (const place of places) {
    const found = await access(place, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return place;
  }
  return undefined;
}
