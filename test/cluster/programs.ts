// The programs of a real cluster: found where they are, or built from the Go modules that go.mod pins. Built ones are
// kept outside the checkout, by version, with Go's own build cache beside them: a second build takes seconds.
import { execFile, type SpawnOptions, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Builder } from '../../docker/images.ts';

const here = dirname(fileURLToPath(import.meta.url));

/** Built from Go modules: where the module lies, and the package of each program. */
const built = {
  'kube-apiserver': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-apiserver' },
  'kube-controller-manager': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-controller-manager' },
  'kube-scheduler': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-scheduler' },
  kubelet: { module: '.', package: 'k8s.io/kubernetes/cmd/kubelet' },
  'kube-proxy': { module: '.', package: 'k8s.io/kubernetes/cmd/kube-proxy' },
  kubectl: { module: '.', package: 'k8s.io/kubernetes/cmd/kubectl' },
  pause: { module: '.', package: 'kubeai.io/test/cluster/pause' },
  helm: { module: 'helm', package: 'helm.sh/helm/v4/cmd/helm' },
} as const;

/** Taken from the machine: what a distribution packages. */
const installed = [
  'etcd',
  'containerd',
  'containerd-shim-runc-v2',
  'runc',
  'ctr',
  'iptables',
  'nft',
  'ip',
  'unshare',
  'nsenter',
  // One of the plugins that give pods their network; the others lie beside it.
  'ptp',
] as const;
const pluginDirectories = ['/usr/lib/cni', '/opt/cni/bin'];

export type BuiltProgram = keyof typeof built;
export type InstalledProgram = (typeof installed)[number];
/** Where each program lies. */
export type Programs = Readonly<Record<BuiltProgram | InstalledProgram, string>>;

export const builtPrograms = Object.keys(built) as BuiltProgram[];

/** The Kubernetes version of go.mod, such as v1.36.3: the one place that names it. */
export async function kubernetesVersion(): Promise<string> {
  const text = await readFile(join(here, 'go.mod'), 'utf8');
  const version = /^require k8s\.io\/kubernetes (v\S+)$/m.exec(text)?.[1];
  if (version === undefined) throw new Error('go.mod requires no k8s.io/kubernetes');
  return version;
}

export interface ProgramPlaces {
  /** Searched first, for the programs that are in it (KUBEBUILDER_ASSETS). */
  readonly assets: string | undefined;
  readonly searchPath: string;
  readonly cache: string;
}

/** Reads the places from an environment. */
export function programPlaces(environment: NodeJS.ProcessEnv): ProgramPlaces {
  const cacheHome = environment['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return {
    assets: environment['KUBEBUILDER_ASSETS'] || undefined,
    searchPath: [environment['PATH'] ?? '', '/usr/sbin', '/sbin', ...pluginDirectories].join(delimiter),
    cache: join(cacheHome, 'kubeai-autoscaler/kubernetes'),
  };
}

/** Where a program lies, without building it. */
export async function findProgram(name: string, places: ProgramPlaces): Promise<string | undefined> {
  const searched = places.searchPath.split(delimiter).filter((directory) => directory !== '');
  const directories = [
    ...(places.assets === undefined ? [] : [places.assets]),
    // What is judged must be of our version; for helm, whatever version people have.
    ...(name in built ? [join(places.cache, await kubernetesVersion())] : []),
    ...(name in built && name !== 'helm' ? [] : searched),
  ];
  for (const directory of directories) {
    const path = join(directory, name);
    const runs = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runs) return path;
  }
  return undefined;
}

/** What keeps a real cluster from running here, in one line that names the way out; undefined when nothing does. */
export async function obstacle(
  places: ProgramPlaces,
  uid: number,
  builder: Builder | undefined,
): Promise<string | undefined> {
  if (process.platform !== 'linux') return `a real cluster needs Linux, not ${process.platform}`;
  if (uid !== 0) return 'a real cluster needs root, for namespaces and containers; run it with sudo';
  const missing: string[] = [];
  for (const name of installed) if ((await findProgram(name, places)) === undefined) missing.push(name);
  if (missing.length > 0) {
    const packages = 'containerd runc containernetworking-plugins etcd-server iptables nftables iproute2 util-linux';
    return `${missing.join(', ')} not found; on Debian: apt-get install --no-install-recommends ${packages}`;
  }
  const refused = await runCommand((await findProgram('unshare', places)) ?? '', namespaceProbe).then(
    () => undefined,
    (cause: Error) => cause.message,
  );
  if (refused !== undefined)
    return `root may not make namespaces and mounts here, as in a plain container (${refused})`;
  if (builder === undefined) return 'neither docker nor buildah builds images here; on Debian: apt-get install buildah';
  return obstacleToBuilding(builtPrograms, places);
}

/** Mounts something in namespaces of its own, as the cluster will. */
const namespaceProbe = ['--mount', '--pid', '--net', '--fork', 'mount', '--types', 'tmpfs', 'probe', '/mnt'];

/** What keeps programs from being built here; undefined when nothing does, or when they are there. */
export async function obstacleToBuilding(
  names: readonly BuiltProgram[],
  places: ProgramPlaces,
): Promise<string | undefined> {
  const unbuilt: string[] = [];
  for (const name of names) if ((await findProgram(name, places)) === undefined) unbuilt.push(name);
  if (unbuilt.length === 0) return undefined;
  const reason = `${unbuilt.join(', ')} must be built with Go 1.26, or be in the directory that KUBEBUILDER_ASSETS names`;
  if ((await findProgram('go', places)) === undefined) return `${reason}; there is no go`;
  // In this directory go takes the version that go.mod asks for, or says why it cannot.
  const complaint = await runCommand('go', ['-C', here, 'env', 'GOVERSION']).then(
    (version) => (Number(/^go1\.(\d+)/.exec(version)?.[1] ?? 0) >= 26 ? undefined : `this is ${version.trim()}`),
    (cause: Error) => cause.message,
  );
  return complaint === undefined ? undefined : `${reason}; ${complaint}`;
}

/** What a machine lacks that only shows on the way: nothing of ours is wrong. */
export class MachineCannot extends Error {}

/** Finds every program, building what is missing. Throws what the Go tool finds wrong, and an AbortError when stopped. */
export async function providePrograms(
  places: ProgramPlaces,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Programs> {
  const entries = await Promise.all(installed.map(async (name) => [name, (await findProgram(name, places)) ?? '']));
  const own = Object.fromEntries(entries) as Record<InstalledProgram, string>;
  return { ...own, ...(await buildPrograms(builtPrograms, places, say, signal)) };
}

/** The same for some of those that we build. */
export async function buildPrograms<Name extends BuiltProgram>(
  names: readonly Name[],
  places: ProgramPlaces,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Readonly<Record<Name, string>>> {
  const found: Record<string, string> = {};
  const missing: BuiltProgram[] = [];
  for (const name of names) {
    const path = await findProgram(name, places);
    if (path === undefined) missing.push(name);
    else found[name] = path;
  }
  for (const module of new Set(missing.map((name) => built[name].module))) {
    const together = missing.filter((name) => built[name].module === module);
    say(`Building ${together.join(', ')} (the first time: a quarter of an hour on two cores)`);
    Object.assign(found, await build(module, together, places, signal));
  }
  return found as Record<Name, string>;
}

async function build(module: string, names: readonly BuiltProgram[], places: ProgramPlaces, signal: AbortSignal) {
  const version = await kubernetesVersion();
  const target = join(places.cache, version);
  // Programs appear in the target only when whole: a build that is stopped leaves nothing to be mistaken for one.
  const fresh = join(places.cache, `${version}.building`);
  await mkdir(fresh, { recursive: true });
  await mkdir(target, { recursive: true });
  const [, major = '', minor = ''] = /^v(\d+)\.(\d+)/.exec(version) ?? [];
  const variable = 'k8s.io/component-base/version';
  const stamp = { gitVersion: version, gitMajor: major, gitMinor: minor };
  const flags = ['-s', '-w', ...Object.entries(stamp).map(([key, value]) => `-X ${variable}.${key}=${value}`)];
  const packages = names.map((name) => built[name].package);
  await runCommand('go', ['-C', join(here, module), 'list', '-deps', ...packages], undefined, signal).catch((cause) => {
    signal.throwIfAborted();
    const reason = (cause as Error).message.trim().split('\n').at(-1);
    throw new MachineCannot(`the Go modules cannot be had: ${reason}`, { cause });
  });
  await inherit('go', ['build', '-trimpath', '-o', `${fresh}/`, '-ldflags', flags.join(' '), ...packages], {
    cwd: join(here, module),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOCACHE: join(places.cache, 'go-build') },
    // At this one Go ends the compilers it has started.
    killSignal: 'SIGINT',
    signal,
  });
  const entries = await Promise.all(
    names.map(async (name) => {
      await rename(join(fresh, name), join(target, name));
      return [name, join(target, name)];
    }),
  );
  await rm(fresh, { recursive: true, force: true });
  return Object.fromEntries(entries) as Record<string, string>;
}

function inherit(command: string, words: readonly string[], options: SpawnOptions) {
  return new Promise<void>((resolve, reject) => {
    const child = spawn(command, words, { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${words[0]} ended with ${code ?? signal}`)),
    );
  });
}

/** Runs a command to its end and returns what it printed; throws an Error with its last words when it fails. */
export async function runCommand(
  command: string,
  words: readonly string[],
  input?: string,
  signal?: AbortSignal,
): Promise<string> {
  const execute = promisify(execFile);
  const running = execute(command, words, { maxBuffer: 2 ** 26, ...(signal === undefined ? {} : { signal }) });
  if (input !== undefined) running.child.stdin?.end(input);
  try {
    return (await running).stdout;
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    throw new Error(`${command} ${words.join(' ')}: ${stderr?.trim() || message}`, { cause });
  }
}
