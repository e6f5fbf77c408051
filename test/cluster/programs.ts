// The programs of a real cluster: found where they are, or built from the Go modules that go.mod pins. Built ones are
// kept outside the checkout, by version, with Go's own build cache beside them: a second build takes seconds.
import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

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
] as const;

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
    searchPath: `${environment['PATH'] ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`,
    cache: join(cacheHome, 'kubeai-autoscaler/kubernetes'),
  };
}

/** Where a program lies, without building it. */
export async function findProgram(name: string, places: ProgramPlaces): Promise<string | undefined> {
  const cached = name in built ? [join(places.cache, await kubernetesVersion())] : [];
  // What we build is taken at our version or from the assets; some other version on the path would judge differently.
  const directories = [
    ...(places.assets === undefined ? [] : [places.assets]),
    ...(name in built ? cached : places.searchPath.split(delimiter).filter((directory) => directory !== '')),
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
export async function obstacle(places: ProgramPlaces, uid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return `a real cluster needs Linux, not ${process.platform}`;
  if (uid !== 0) return 'a real cluster needs root, for namespaces and containers; run it with sudo';
  const missing: string[] = [];
  for (const name of installed) if ((await findProgram(name, places)) === undefined) missing.push(name);
  if (missing.length > 0) {
    const packages = 'containerd runc containernetworking-plugins etcd-server iptables nftables iproute2 util-linux';
    return `${missing.join(', ')} not found; on Debian: apt-get install --no-install-recommends ${packages}`;
  }
  const unbuilt: string[] = [];
  for (const name of builtPrograms) if ((await findProgram(name, places)) === undefined) unbuilt.push(name);
  if (unbuilt.length > 0 && (await findProgram('go', places)) === undefined) {
    return `${unbuilt.join(', ')} must be built, and there is no go; install Go 1.26 or name a directory that holds them in KUBEBUILDER_ASSETS`;
  }
  return undefined;
}

/** Finds every program, building what is missing. Throws what the Go tool finds wrong. */
export async function providePrograms(places: ProgramPlaces, say: (line: string) => void): Promise<Programs> {
  const found: Record<string, string> = {};
  for (const name of installed) found[name] = (await findProgram(name, places)) ?? '';
  const missing: BuiltProgram[] = [];
  for (const name of builtPrograms) {
    const path = await findProgram(name, places);
    if (path === undefined) missing.push(name);
    else found[name] = path;
  }
  for (const module of new Set(missing.map((name) => built[name].module))) {
    const names = missing.filter((name) => built[name].module === module);
    say(
      `Building ${names.join(', ')} ${await kubernetesVersion()} (the first time: a quarter of an hour on two cores)`,
    );
    Object.assign(found, await build(module, names, places));
  }
  return found as Programs;
}

async function build(module: string, names: readonly BuiltProgram[], places: ProgramPlaces) {
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
  await inherit('go', ['build', '-trimpath', '-o', `${fresh}/`, '-ldflags', flags.join(' '), ...packages], {
    cwd: join(here, module),
    env: { ...process.env, CGO_ENABLED: '0', GOFLAGS: '', GOCACHE: join(places.cache, 'go-build') },
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

function inherit(command: string, words: readonly string[], options: { cwd: string; env: NodeJS.ProcessEnv }) {
  return new Promise<void>((resolve, reject) => {
    const child = spawn(command, words, { ...options, stdio: ['ignore', 'inherit', 'inherit'] });
    child.once('error', reject);
    child.once('exit', (code, signal) =>
      code === 0 ? resolve() : reject(new Error(`${command} ${words[0]} ended with ${code ?? signal}`)),
    );
  });
}

/** Runs a command to its end and returns what it printed; throws an Error with its last words when it fails. */
export async function runCommand(command: string, words: readonly string[], input?: string): Promise<string> {
  const execute = promisify(execFile);
  const running = execute(command, words, { maxBuffer: 2 ** 26 });
  if (input !== undefined) running.child.stdin?.end(input);
  try {
    return (await running).stdout;
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string };
    throw new Error(`${command} ${words.join(' ')}: ${stderr?.trim() || message}`, { cause });
  }
}
