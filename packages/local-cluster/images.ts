// Which processes of this machine stand in for which images. Ours are the very files that are shipped, bundled afresh at
// every start; beside them a few plain ones that run whatever command a container gives.
import { join } from 'node:path';
import { stop as stopEsbuild } from 'esbuild';
import { bundleProcess, type ProcessName } from '../../docker/bundle.ts';
import type { ImageTable, LocalImage } from './kubelet/image-table.ts';

const shell: LocalImage = { entrypoint: ['sh'], runsAnything: true };

/** Images that need no build. */
export const plainImages: ImageTable = {
  node: { entrypoint: ['node'], runsAnything: true },
  busybox: shell,
  alpine: shell,
  debian: shell,
  pause: { entrypoint: ['sleep', 'infinity'], runsAnything: false },
};

// Each pod has an address of its own and no network of its own, so a server must listen on that address alone.
const ourArguments: Record<ProcessName, readonly string[]> = {
  agent: [],
  webhook: ['--host', '$(POD_IP)'],
  controller: ['--host', '$(POD_IP)'],
  'model-server': ['--host', '$(POD_IP)'],
};

/**
 * Bundles our processes into `.build/` of the repository, and returns them as images beside the plain ones. Throws what
 * esbuild finds wrong with the sources.
 */
export async function buildImages(repository: string): Promise<ImageTable> {
  const names = Object.keys(ourArguments) as ProcessName[];
  const built = await Promise.all(
    names.map(async (name): Promise<[string, LocalImage]> => {
      const bundle = await bundleProcess(repository, name, join(repository, '.build'));
      return [`kubeai/${name}`, { entrypoint: ['node', bundle, ...ourArguments[name]], runsAnything: false }];
    }),
  );
  // It would stay as a child process of hundreds of megabytes for as long as the cluster runs.
  await stopEsbuild();
  return { ...plainImages, ...Object.fromEntries(built) };
}
