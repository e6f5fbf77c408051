// The volumes of one pod as directories: written before its containers start, renewed when their sources change or a
// token ages, and found again by the containers' mounts.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Clock, Log, Timer } from '@kubeai/daemon';
import { milliseconds, seconds } from '@kubeai/units';
import type { Container, Pod, Volume } from '../workloads/objects.ts';
import type { PodFacts } from './downward.ts';
import { setUpRetry } from './limits.ts';
import type { Mount } from './mount-paths.ts';
import { hasPayload, type PayloadSource, payloadOf } from './payload.ts';
import { writeProjected } from './projected-directory.ts';

export interface PodVolumes {
  /** Brings every volume up to date. Throws what is missing, or a kind of volume that does not exist here. */
  write(pod: Pod, address: string): Promise<void>;
  /** Where the mounts of a container lie; a subPath that is not there yet becomes a directory. */
  mountsOf(container: Container): Promise<Mount[]>;
  stop(): void;
}

export interface VolumeHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly source: PayloadSource;
  /** Where claims keep their data, however often their pod is made anew. */
  readonly claims: string;
  factsOf(pod: Pod, address: string): PodFacts;
}

export function createPodVolumes(directory: string, host: VolumeHost): PodVolumes {
  const { clock, log } = host;
  const places = new Map<string, string>();
  let version = 0;
  let renewal: Timer | undefined;
  let isStopped = false;
  let busy: Promise<void> = Promise.resolve();

  async function writeAll(pod: Pod, address: string): Promise<void> {
    if (isStopped) return;
    let renewAt = Number.POSITIVE_INFINITY;
    const facts = host.factsOf(pod, address);
    for (const volume of pod.spec.volumes ?? []) {
      const place = placeOf(volume, pod);
      places.set(volume.name, place);
      if (!hasPayload(volume)) {
        await makeDirectory(place);
        continue;
      }
      const payload = await payloadOf(volume, facts, host.source);
      version += 1;
      await writeProjected(place, payload, `${clock.now()}_${version}`);
      renewAt = Math.min(renewAt, payload.renewAt ?? renewAt);
    }
    renewal?.stop();
    if (isStopped || renewAt === Number.POSITIVE_INFINITY) return;
    // A timer holds at most 24 days; asking again earlier costs nothing.
    const wait = Math.min(Math.max(0, renewAt - clock.now()), seconds(86_400));
    renewal = clock.after(milliseconds(wait), () => renew(pod, address));
  }

  function renew(pod: Pod, address: string): void {
    volumes.write(pod, address).catch((cause: unknown) => {
      log.warn('Volumes not renewed', { pod: pod.metadata.name, namespace: pod.metadata.namespace, cause });
      if (!isStopped) renewal = clock.after(setUpRetry, () => renew(pod, address));
    });
  }

  function placeOf(volume: Volume, pod: Pod): string {
    if (volume.hostPath) return volume.hostPath.path;
    if (volume.persistentVolumeClaim) {
      return join(host.claims, pod.metadata.namespace ?? '', volume.persistentVolumeClaim.claimName);
    }
    if (hasPayload(volume) || volume.emptyDir) return join(directory, volume.name);
    const kind = Object.keys(volume).find((field) => field !== 'name');
    throw new Error(
      `volume "${volume.name}" is of the kind ${kind ?? 'unknown'}, which the local cluster does not have`,
    );
  }

  const volumes: PodVolumes = {
    write(pod, address) {
      // One after the other: two writers of one directory would trip over each other's link.
      const done = busy.then(() => writeAll(pod, address));
      busy = done.catch(() => undefined);
      return done;
    },
    async mountsOf({ volumeMounts = [] }) {
      const mounts = volumeMounts.flatMap(({ name, mountPath, subPath }) => {
        const place = places.get(name);
        return place === undefined ? [] : [{ mountPath, directory: resolve(place, subPath ?? '.') }];
      });
      for (const { directory: place } of mounts) await makeDirectory(place);
      return mounts;
    },
    stop() {
      isStopped = true;
      renewal?.stop();
    },
  };
  return volumes;
}

/** What is there already stays, be it a file: a subPath or a hostPath may name one. */
async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  }
}
