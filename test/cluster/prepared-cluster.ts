// A real cluster as our commands start it: its programs found or built, our images on its nodes, and a kubeconfig where
// whoever waits for the cluster looks.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Builder, buildImages } from '../../docker/images.ts';
import { type ProgramPlaces, type Programs, providePrograms } from './programs.ts';
import { type RealCluster, startRealCluster } from './real-cluster.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

export interface PreparedClusterOptions {
  readonly places: ProgramPlaces;
  readonly builder: Builder;
  readonly directory: string;
  readonly port: number;
  /** Written last, when everything in the cluster answers. */
  readonly kubeconfig: string;
  /** Whether our images are built, with tag dev, and loaded into the node. */
  readonly images: boolean;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface PreparedCluster extends RealCluster {
  readonly programs: Programs;
}

/** Nothing is left running when it rejects: with an AbortError when stopped, or with what is wrong. */
export async function startPreparedCluster(options: PreparedClusterOptions): Promise<PreparedCluster> {
  const { places, builder, directory, say, signal } = options;
  const programs = await providePrograms(places, say, signal);
  const cluster = await startRealCluster({ ...options, programs });
  try {
    if (options.images) {
      say('The nodes are ready; building the images');
      const archives = join(directory, 'images');
      const images = await buildImages({ repository, builder, bases: 'auto', tag: 'dev', archives, say, signal });
      for (const { archive } of images) await cluster.importImage(archive ?? '');
    }
    await mkdir(dirname(options.kubeconfig), { recursive: true });
    await writeFile(`${options.kubeconfig}.new`, cluster.kubeconfig, { mode: 0o600 });
    await rename(`${options.kubeconfig}.new`, options.kubeconfig);
    signal.throwIfAborted();
    return { ...cluster, programs };
  } catch (cause) {
    await cluster.stop();
    throw cause;
  }
}
