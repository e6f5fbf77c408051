// CPU and memory of the model server beside us. A sidecar sees its neighbour only where the pod shares its process
// namespace (or, in the local cluster, the machine): then the process that listens on the server's port is found in
// /proc, and its cgroup (v2 or v1) read; where it has no cgroup of its own, the process itself is measured. Where nothing
// is seen nothing is said: our own cgroup's numbers would be somebody else's.
import { readdir, readFile, readlink } from 'node:fs/promises';
import type { Clock } from '@kubeai/daemon';
import type { ContainerSample } from '@kubeai/protocol';
import { type Milliseconds, milliseconds } from '@kubeai/units';
import { containerInterval, findServerInterval, longestFindServerInterval, maxProcesses } from './limits.ts';
import { createKept, type Source } from './source.ts';

type Usage = {
  readonly cpuSeconds?: number;
  readonly cpuLimitCores?: number;
  readonly memoryBytes?: number;
  readonly memoryLimitBytes?: number;
};

export interface ContainerSourceOptions {
  readonly host: string;
  readonly port: number;
  readonly clock: Clock;
  /** Where /proc and /sys/fs/cgroup lie; a test has its own. */
  readonly proc?: string;
  readonly cgroups?: string;
}

/** What a cgroup v1 without a limit says is this number, or larger. */
const noLimit = 2 ** 60;
const ticksPerSecond = 100;
const pageBytes = 4_096;

export function startContainerSource(options: ContainerSourceOptions): Source<Omit<ContainerSample, 'ageMs'>> {
  const { clock, proc = '/proc', cgroups = '/sys/fs/cgroup' } = options;
  const kept = createKept<Omit<ContainerSample, 'ageMs'>>();
  const stopped = new AbortController();
  let pid: string | undefined;
  let search: number = findServerInterval;
  let before: { readonly cpuSeconds: number; readonly at: number } | undefined;

  const round = async (): Promise<Milliseconds> => {
    pid ??= await findListener(proc, options.host, options.port);
    if (pid === undefined) {
      kept.miss('NotSupported');
      const wait = milliseconds(search);
      search = Math.min(longestFindServerInterval, 2 * search);
      return wait;
    }
    search = findServerInterval;
    const usage = await readUsage(proc, cgroups, pid);
    if (usage === undefined) {
      pid = undefined;
      before = undefined;
      kept.miss('Unreachable');
      return containerInterval;
    }
    const now = clock.monotonic();
    const { cpuSeconds, ...rest } = usage;
    const cores =
      cpuSeconds === undefined || before === undefined || cpuSeconds < before.cpuSeconds
        ? undefined
        : ((cpuSeconds - before.cpuSeconds) * 1_000) / (now - before.at);
    before = cpuSeconds === undefined ? undefined : { cpuSeconds, at: now };
    kept.put({ ...(cores === undefined ? {} : { cpuCores: cores }), ...rest }, now);
    return containerInterval;
  };

  void (async () => {
    while (!stopped.signal.aborted) {
      const wait = await round().catch((): Milliseconds => {
        kept.miss('Unreadable');
        return findServerInterval;
      });
      await clock.sleep(milliseconds(wait), stopped.signal);
    }
  })();

  return { latest: kept.latest, stop: () => stopped.abort() };
}

const text = async (path: string): Promise<string | undefined> => {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch {
    // Another cgroup version, another container's process, a process that ended: not there is an answer.
    return undefined;
  }
};

const numberIn = (content: string | undefined, scale = 1): number | undefined => {
  const value = content === undefined || content === '' ? Number.NaN : Number(content);
  return Number.isFinite(value) && value >= 0 && value < noLimit ? value * scale : undefined;
};

/** The process that listens on an address, found by its socket. */
async function findListener(proc: string, host: string, port: number): Promise<string | undefined> {
  const inodes = new Set<string>();
  const wanted = new Set([hexAddress(host), '00000000', '0'.repeat(32)].map((address) => `${address}:${hex(port, 4)}`));
  for (const table of [`${proc}/net/tcp`, `${proc}/net/tcp6`]) {
    for (const line of (await text(table))?.split('\n').slice(1) ?? []) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A' && wanted.has(fields[1] ?? '')) inodes.add(`socket:[${fields[9]}]`);
    }
  }
  if (inodes.size === 0) return undefined;
  // The newest first: the server is started after its agent.
  const pids = (await readdir(proc))
    .filter((name) => /^\d+$/.test(name))
    .sort((left, right) => Number(right) - Number(left))
    .slice(0, maxProcesses);
  for (const pid of pids) {
    const descriptors = await readdir(`${proc}/${pid}/fd`).catch((): string[] => []);
    for (const descriptor of descriptors) {
      const link = await readlink(`${proc}/${pid}/fd/${descriptor}`).catch(() => '');
      if (inodes.has(link)) return pid;
    }
  }
  return undefined;
}

const hex = (value: number, width: number): string => value.toString(16).toUpperCase().padStart(width, '0');
const hexAddress = (host: string): string =>
  host
    .split('.')
    .reverse()
    .map((part) => hex(Number(part), 2))
    .join('');

/** Paths by controller: `''` is cgroup v2. */
function cgroupPaths(content: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of content.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined)
      for (const name of controllers.split(',')) paths.set(name, path);
  }
  return paths;
}

async function readUsage(proc: string, cgroups: string, pid: string): Promise<Usage | undefined> {
  const theirs = await text(`${proc}/${pid}/cgroup`);
  if (theirs === undefined) return undefined;
  const ours = await text(`${proc}/self/cgroup`);
  if (theirs !== ours) {
    const paths = cgroupPaths(theirs);
    const usage = (await readVersion2(cgroups, paths.get(''))) ?? (await readVersion1(cgroups, paths));
    if (usage !== undefined) return usage;
  }
  return await readProcess(proc, pid);
}

async function readVersion2(root: string, path: string | undefined): Promise<Usage | undefined> {
  if (path === undefined) return undefined;
  const directory = `${root}${path}`;
  const stat = await text(`${directory}/cpu.stat`);
  const cpuSeconds = numberIn(/^usage_usec (\d+)$/m.exec(stat ?? '')?.[1], 1e-6);
  const memoryBytes = numberIn(await text(`${directory}/memory.current`));
  if (cpuSeconds === undefined && memoryBytes === undefined) return undefined;
  const [quota, period] = (await text(`${directory}/cpu.max`))?.split(' ').map(Number) ?? [];
  return defined({
    cpuSeconds,
    memoryBytes,
    cpuLimitCores: quota !== undefined && period !== undefined && quota / period > 0 ? quota / period : undefined,
    memoryLimitBytes: numberIn(await text(`${directory}/memory.max`)),
  });
}

async function readVersion1(root: string, paths: ReadonlyMap<string, string>): Promise<Usage | undefined> {
  const cpu = paths.get('cpuacct');
  const memory = paths.get('memory');
  const cpuSeconds = cpu === undefined ? undefined : numberIn(await text(`${root}/cpuacct${cpu}/cpuacct.usage`), 1e-9);
  const memoryBytes =
    memory === undefined ? undefined : numberIn(await text(`${root}/memory${memory}/memory.usage_in_bytes`));
  if (cpuSeconds === undefined && memoryBytes === undefined) return undefined;
  const quota = numberIn(await text(`${root}/cpu${cpu}/cpu.cfs_quota_us`));
  const period = numberIn(await text(`${root}/cpu${cpu}/cpu.cfs_period_us`));
  return defined({
    cpuSeconds,
    memoryBytes,
    cpuLimitCores: quota !== undefined && period !== undefined && quota > 0 ? quota / period : undefined,
    memoryLimitBytes: numberIn(await text(`${root}/memory${memory}/memory.limit_in_bytes`)),
  });
}

async function readProcess(proc: string, pid: string): Promise<Usage | undefined> {
  const stat = await text(`${proc}/${pid}/stat`);
  const pages = numberIn((await text(`${proc}/${pid}/statm`))?.split(' ')[1]);
  if (stat === undefined) return undefined;
  // The name may hold blanks and brackets: the fields are counted from its last bracket. 11 and 12 are user and system.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return defined({
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    memoryBytes: pages === undefined ? undefined : pages * pageBytes,
  });
}

const defined = (usage: { [Name in keyof Usage]: Usage[Name] | undefined }): Usage =>
  Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== undefined));
