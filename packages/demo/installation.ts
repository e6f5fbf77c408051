// The system as it is installed, from the same manifests that users apply.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Manifest, readManifests } from './manifests.ts';

/** The CRD and everything under deploy/, in the order of their file names. What is for kubectl alone is no object. */
export async function systemManifests(repository: string): Promise<Manifest[]> {
  const files = await Promise.all(
    ['crds', 'deploy'].map(async (directory) => {
      const names = await readdir(join(repository, directory));
      return names
        .filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml')
        .map((name) => join(repository, directory, name));
    }),
  );
  return readManifests(files.flat());
}
