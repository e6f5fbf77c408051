// There is no mount namespace: a volume lies in the pod's own directory, and wherever the environment, the command or
// the arguments name the path it would be mounted at, that path is rewritten. Paths compiled into a program are not
// seen; give them by variable or argument. Pure.

export interface Mount {
  readonly mountPath: string;
  /** Where it really lies. */
  readonly directory: string;
}

/** Rewrites mount paths inside a text: whole path components only, the longest mount first. */
export function pathRewriter(mounts: readonly Mount[]): (text: string) => string {
  const named = mounts
    .map(({ mountPath, directory }) => ({ path: mountPath.replace(/\/+$/, ''), directory }))
    .filter(({ path }) => path !== '')
    .sort((a, b) => b.path.length - a.path.length);
  if (named.length === 0) return (text) => text;
  const directories = new Map(named.map(({ path, directory }) => [path, directory]));
  const alternatives = named.map(({ path }) => path.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  const pattern = new RegExp(`(?<![\\w.~/-])(?:${alternatives})(?![\\w.~-])`, 'g');
  return (text) => text.replace(pattern, (path) => directories.get(path) ?? path);
}
