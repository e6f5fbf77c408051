// A real Kubernetes on this machine: control plane, two nodes, containers. Everything runs in namespaces of its own
// (processes, mounts, network), so that stopping it is killing one process; what cannot be fenced in that way, a few
// kernel settings and the control groups, is written down before and put back after.
import { type ChildProcess, spawn } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Builder, buildPlainImage } from '../../docker/images.ts';
import type { InsideOptions } from './inside.ts';
import { clusterName, layout, nodes, pauseImage } from './layout.ts';
import { type Forward, forward } from './network-socket.ts';
import { MachineCannot, type Programs, runCommand } from './programs.ts';

const here = dirname(fileURLToPath(import.meta.url));
const repository = join(here, '../..');

export interface RealClusterOptions {
  readonly directory: string;
  /** Of the API server, inside and on this machine's 127.0.0.1. */
  readonly port: number;
  readonly programs: Programs;
  readonly builder: Builder;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface RealCluster {
  /** Good inside and outside of the cluster's network. */
  readonly kubeconfig: string;
  /** The words that run a command inside, where pods and Services can be reached. */
  inside(words: readonly string[]): string[];
  /** Makes the images in an archive known to the nodes. */
  importImage(archive: string): Promise<void>;
  /** Resolves with the last words when the cluster has ended, for whatever reason. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** Kernel settings that the kubelet changes for the whole machine. */
const settings = ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops'] as const;

interface Machine {
  readonly settings: Readonly<Record<string, string>>;
  /** The process whose end is the end of everything inside. */
  readonly pid?: number;
}

const readyLimitMs = 240_000;

/**
 * Starts the cluster; resolves when its nodes are ready. Rejects when one is running already, when something does not start,
 * or when it is stopped meanwhile (AbortError); then nothing of it is left.
 */
export async function startRealCluster(options: RealClusterOptions): Promise<RealCluster> {
  const { directory, port, programs, builder, signal } = options;
  await removeDeadCluster(directory);
  await mkdir(directory, { recursive: true });
  const paths = layout(directory);
  const machine: Machine = { settings: await readSettings() };
  await writeFile(paths.machine, JSON.stringify(machine));
  let relay: Forward | undefined;
  try {
    await makeControlGroups();
    const door = await openPort(port, paths.networkSocket);
    relay = door;
    const pauseArchive = await packPause(directory, programs, builder);
    const inside: InsideOptions = { directory, port, programs, pauseArchive };
    const child = spawn(
      programs.unshare,
      [
        ...['--mount', '--pid', '--net', '--uts', '--ipc', '--fork', '--kill-child', '--mount-proc'],
        ...[process.execPath, '--no-warnings', '--import', join(repository, 'scripts/typescript.mjs')],
        ...[join(here, 'inside.ts'), JSON.stringify(inside)],
      ],
      // A process group of its own: Ctrl-C reaches us, and we end it. Its standard input ends when we do.
      { cwd: repository, stdio: ['pipe', 'pipe', 'pipe'], detached: true },
    );
    await writeFile(paths.machine, JSON.stringify({ ...machine, pid: child.pid }));
    const words = keepWords(child, options.say);
    const ended = new Promise<string>((resolve) => child.once('close', () => resolve(words())));
    const stop = async () => {
      child.kill('SIGKILL');
      await ended;
      await door.close();
      await removeRealCluster(directory);
    };
    try {
      await ready(child, ended, signal);
    } catch (cause) {
      await stop();
      throw cause;
    }
    const first = await firstProcess(child);
    return {
      kubeconfig: await readFile(paths.adminKubeconfig, 'utf8'),
      inside: (command) => [
        programs.nsenter,
        `--target=${first}`,
        '--mount',
        '--pid',
        '--net',
        `--wdns=${repository}`,
        '--',
        ...command,
      ],
      async importImage(archive) {
        const words = ['--namespace', 'k8s.io', 'image', 'import', '--no-unpack', archive];
        const sockets = nodes.map(({ name }) => paths.containerdSocket(name));
        await Promise.all(sockets.map((socket) => runCommand(programs.ctr, ['--address', socket, ...words])));
      },
      ended,
      stop,
    };
  } catch (cause) {
    await relay?.close();
    await removeRealCluster(directory);
    throw cause;
  }
}

/** The port of the API server is the same inside and outside, so that one kubeconfig is good for both. */
async function openPort(port: number, socketPath: string): Promise<Forward> {
  try {
    return await forward(socketPath, { host: '127.0.0.1', port }, port);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new Error(`port ${port} of 127.0.0.1 is in use; npm run cluster:real -- --port N takes another one`, {
      cause,
    });
  }
}

/** Removes what is left of a cluster that was killed. Throws when it is running. */
export async function removeDeadCluster(directory: string): Promise<void> {
  const machine = await readMachine(directory);
  if (machine === undefined) return;
  if (machine.pid !== undefined && (await isOurs(machine.pid, directory))) {
    throw new MachineCannot(`a cluster is running already (process ${machine.pid}); npm run cluster:real stop ends it`);
  }
  await removeRealCluster(directory);
}

async function readMachine(directory: string): Promise<Machine | undefined> {
  const text = await readFile(layout(directory).machine, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Machine);
}

/** Ends what a cluster in this directory left behind, whatever became of the process that started it. */
export async function removeRealCluster(directory: string): Promise<void> {
  const machine = await readMachine(directory);
  if (machine !== undefined) {
    if (machine.pid !== undefined && (await isOurs(machine.pid, directory))) {
      process.kill(machine.pid, 'SIGKILL');
      await until(async () => !(await isOurs(machine.pid ?? 0, directory)));
    }
    for (const [name, value] of Object.entries(machine.settings)) await writeFile(join('/proc/sys', name), value);
  }
  await until(removeControlGroups);
  await rm(directory, { recursive: true, force: true, maxRetries: 10 });
}

/** Process numbers are used again; only one that names our directory is ours. */
async function isOurs(pid: number, directory: string): Promise<boolean> {
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return words.includes('unshare') && words.includes(directory);
}

async function readSettings(): Promise<Record<string, string>> {
  const entries = await Promise.all(
    settings.map(async (name) => [name, (await readFile(join('/proc/sys', name), 'utf8')).trim()] as const),
  );
  return Object.fromEntries(entries);
}

const groupRoot = '/sys/fs/cgroup';

/** The places of our control group: one a hierarchy in version 1, one at all in version 2. */
async function controlGroups(): Promise<string[]> {
  const entries = await readdir(groupRoot, { withFileTypes: true });
  const unified = entries.some(({ name }) => name === 'cgroup.controllers');
  if (unified) return [join(groupRoot, clusterName)];
  // Links name the same hierarchy twice.
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(groupRoot, name, clusterName));
}

async function makeControlGroups(): Promise<void> {
  for (const path of await controlGroups()) {
    for (const { name } of nodes) await mkdir(join(path, name), { recursive: true });
  }
}

/** Removes our groups, children first; false while a process that is ending holds one. */
async function removeControlGroups(): Promise<boolean> {
  const removed = await Promise.all((await controlGroups()).map(removeGroup));
  return removed.every((done) => done);
}

async function removeGroup(path: string): Promise<boolean> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return true;
  for (const entry of entries) if (entry.isDirectory()) await removeGroup(join(path, entry.name));
  return rmdir(path).then(
    () => true,
    () => false,
  );
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    if (await holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** The image of the sandbox container, as an archive. */
async function packPause(directory: string, programs: Programs, builder: Builder): Promise<string> {
  const context = join(directory, 'pause-image');
  await mkdir(context, { recursive: true });
  await copyFile(programs.pause, join(context, 'pause'));
  const archive = join(directory, 'pause.tar');
  await buildPlainImage(builder, { file: join(here, 'pause/Dockerfile'), context, reference: pauseImage, archive });
  return archive;
}

/** Passes on what the cluster complains of, and remembers its last line. */
function keepWords(child: ChildProcess, say: (line: string) => void): () => string {
  let last = 'it said nothing';
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      last = line;
      say(line);
    });
  }
  return () => last;
}

async function ready(child: ChildProcess, ended: Promise<string>, signal: AbortSignal): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      void ended.then((words) => reject(new Error(`the cluster did not start: ${words}`)));
      timer = setTimeout(
        () => reject(new Error(`the cluster was not ready after ${readyLimitMs / 1_000} s`)),
        readyLimitMs,
      );
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (signal.aborted) reject(signal.reason);
    });
  } finally {
    clearTimeout(timer);
  }
}

/** The process that `unshare` started: the first one of the namespaces. */
async function firstProcess(child: ChildProcess): Promise<number> {
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  return Number(children.trim().split(' ')[0]);
}
