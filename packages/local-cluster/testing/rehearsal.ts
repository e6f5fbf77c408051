// Shorthands for tests that run pods: making them, waiting for what they become, and reading what they wrote.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ClusterClient, isApiError } from '../cluster-client.ts';
import type { Container, ContainerStatus, Pod, PodSpec } from '../workloads/objects.ts';

const patience = 40_000;
const glance = 15;

/** Looks again and again until `isWanted`; fails with the last look after 40 s. */
export async function eventually<Value>(
  look: () => Promise<Value>,
  isWanted: (value: Value) => boolean,
): Promise<Value> {
  const end = Date.now() + patience;
  for (;;) {
    const value = await look();
    if (isWanted(value)) return value;
    if (Date.now() > end) throw new Error(`Waited in vain; at last it was ${JSON.stringify(value, null, 1)}`);
    await sleep(glance);
  }
}

export interface Rehearsal {
  /** A directory that containers see as /out (also in $OUT) and the test as `path`. */
  readonly path: string;
  /** What a file under /out holds, by lines; none while it is not there. */
  lines(file?: string): Promise<string[]>;
  pod(name: string, spec: Partial<PodSpec>): Promise<Pod>;
  read(name: string): Promise<Pod | undefined>;
  status(name: string, container: string): Promise<ContainerStatus | undefined>;
  remove(name: string): Promise<void>;
  end(): Promise<void>;
}

/** Pods of one test, in a namespace of its own. */
export async function rehearse(client: ClusterClient, namespace: string): Promise<Rehearsal> {
  const path = await mkdtemp(join(tmpdir(), 'rehearsal-'));
  await client.create('namespaces', { metadata: { name: namespace } });
  await eventually(
    () => client.find('serviceaccounts', { name: 'default', namespace }),
    (account) => account !== undefined,
  );
  const rehearsal: Rehearsal = {
    path,
    lines: (file = 'lines') => linesOf(path, file),
    pod: (name, spec) =>
      client.create<Pod>('pods', { metadata: { name, namespace }, spec: withOutput(spec) } as Partial<Pod> as Pod),
    read: (name) => client.find<Pod>('pods', { name, namespace }),
    async status(name, container) {
      const { status } = (await rehearsal.read(name)) ?? {};
      const all = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
      return all.find((one) => one.name === container);
    },
    async remove(name) {
      await client.delete('pods', { name, namespace });
    },
    async end() {
      const forgiving = (cause: unknown) => {
        if (!isApiError(cause, 404)) throw cause;
      };
      // The namespace would take them along seconds later.
      for (const { metadata } of (await client.list('pods', { namespace })).items) {
        await client.delete('pods', { name: metadata.name, namespace }).catch(forgiving);
      }
      await client.delete('namespaces', { name: namespace }).catch(forgiving);
      await eventually(
        () => client.list('pods', { namespace }),
        ({ items }) => items.length === 0,
      );
      await rm(path, { recursive: true, force: true });
    },
  };

  function withOutput(spec: Partial<PodSpec>): PodSpec {
    const shown = (container: Container): Container => ({
      ...container,
      env: [{ name: 'OUT', value: '/out' }, ...(container.env ?? [])],
      volumeMounts: [{ name: 'out', mountPath: '/out' }, ...(container.volumeMounts ?? [])],
    });
    return {
      ...spec,
      volumes: [{ name: 'out', hostPath: { path } }, ...(spec.volumes ?? [])],
      containers: (spec.containers ?? []).map(shown),
      ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(shown) }),
    };
  }
  return rehearsal;
}

/** The shell's own pid: in a container's command, `$$` stands for a plain `$`. */
export const shellPid = '$$$$';

/** A shell that says when it starts and when it is asked to end, in /out/lines, and runs until then. */
export const speaker = (name: string, more: Partial<Container> = {}): Container => ({
  name,
  image: 'busybox',
  command: [
    'sh',
    '-c',
    `trap 'echo ${name} ends >> $OUT/lines; exit 0' TERM; echo ${name} starts >> $OUT/lines; while :; do sleep 0.05; done`,
  ],
  ...more,
});

/** The lines of a file; none while it is not there. */
export async function linesOf(directory: string, file: string): Promise<string[]> {
  const text = await readFile(join(directory, file), 'utf8').catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT') return '';
    throw cause;
  });
  return text.split('\n').filter(Boolean);
}

/** Whether a process is there and no zombie. */
export async function isAlive(pid: number): Promise<boolean> {
  try {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8');
    return !/\) [ZX] /.test(status);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw cause;
  }
}
