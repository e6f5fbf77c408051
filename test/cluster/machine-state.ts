// What a cluster could leave on this machine, seen before it starts and after it has ended: a cluster that leaves nothing
// is one whose two pictures are the same. Of processes only ours are seen; everything else is seen whole, because nothing
// in it should change while a cluster runs in namespaces of its own.
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findProgram } from './programs.ts';

/** One line for each thing that is there, starting with what it is. */
export type MachineState = readonly string[];

/**
 * What tells our processes from everybody else's, whoever started them: each has one of these, or the cluster's directory,
 * in its command line or its environment. Those in containers cannot outlive the namespace that they are in.
 */
export type Marks = readonly string[];

/** The variable that a runner sets for itself, so that all its children carry a value that nobody else has. */
export const runVariable = 'KUBEAI_CLUSTER_RUN';

const attemptIntervalMs = 500;

/** Whatever PATH says: two pictures must be taken with the same programs. */
const systemPlaces = { assets: undefined, searchPath: '/usr/sbin:/usr/bin:/sbin:/bin', cache: '' };

const execute = promisify(execFile);
const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
const names = (path: string): Promise<string[]> => readdir(path).catch(() => []);

/** @param directory of the cluster */
export async function machineState(directory: string, marks: Marks): Promise<MachineState> {
  const parts = await Promise.all([
    processes([...marks, directory]),
    mounts(),
    networkNamespaces(),
    interfaces(),
    rules(),
    controlGroups(),
    settings(),
    files(directory),
  ]);
  return parts.flat();
}

/** What is there now and was not before. */
export const difference = (before: MachineState, after: MachineState): string[] =>
  after.filter((line) => !before.includes(line));

/** What stays: the kernel needs a moment to take namespaces and their processes away, and is given it. */
export async function leftBehind(
  before: MachineState,
  look: () => Promise<MachineState>,
  patienceMs = 10_000,
): Promise<string[]> {
  for (let waited = 0; ; waited += attemptIntervalMs) {
    const left = difference(before, await look());
    if (left.length === 0 || waited >= patienceMs) return left;
    await new Promise((resolve) => setTimeout(resolve, attemptIntervalMs));
  }
}

async function processes(marks: Marks): Promise<string[]> {
  const pids = (await names('/proc')).filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid);
  const lines = await Promise.all(
    pids.map(async (pid) => {
      const [command, environment] = await Promise.all(
        ['cmdline', 'environ'].map((file) => text(join('/proc', pid, file))),
      );
      const said = `${command}\n${environment}`;
      return marks.some((mark) => said.includes(mark))
        ? [`process ${pid}: ${command?.replaceAll('\0', ' ').trim()}`]
        : [];
    }),
  );
  return lines.flat();
}

/** The first field of a line is the number of the mount, the fifth is where it is; type and source follow the dash. */
async function mounts(): Promise<string[]> {
  const lines = (await text('/proc/self/mountinfo')).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [number, , , , place] = line.split(' ');
    const [type, source] = line.split(' - ')[1]?.split(' ') ?? [];
    return `mount ${number} of ${type} ${source} at ${place}`;
  });
}

const networkNamespaces = async (): Promise<string[]> =>
  (await names('/run/netns')).map((name) => `network namespace ${name}`);

const interfaces = async (): Promise<string[]> =>
  (await names('/sys/class/net')).map((name) => `network interface ${name}`);

async function rules(): Promise<string[]> {
  const programs = ['iptables', 'ip6tables'].flatMap((name) => [`${name}-nft-save`, `${name}-legacy-save`]);
  const lines = await Promise.all(
    [...programs.map((program) => [program]), ['nft', '--stateless', 'list', 'ruleset']].map(
      async ([program, ...words]) => {
        const path = await findProgram(program!, systemPlaces);
        if (path === undefined) return [];
        const { stdout } = await execute(path, words).catch(() => ({ stdout: 'cannot be read' }));
        const said = stdout.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
        // Counters of packets are no rules.
        return said.map((line) => `${program} rule ${line.replace(/\s*\[\d+:\d+\]/, '').trim()}`);
      },
    ),
  );
  return lines.flat();
}

/** The groups right below each hierarchy; ours are all in one of them. */
async function controlGroups(): Promise<string[]> {
  const root = '/sys/fs/cgroup';
  const hierarchies = await readdir(root, { withFileTypes: true }).catch(() => []);
  const places = ['', ...hierarchies.filter((entry) => entry.isDirectory()).map(({ name }) => name)];
  const lines = await Promise.all(
    places.map(async (place) => {
      const entries = await readdir(join(root, place), { withFileTypes: true });
      return entries
        .filter((entry) => entry.isDirectory())
        .map(({ name }) => `control group ${join(root, place, name)}`);
    }),
  );
  return lines.flat();
}

/** Those that the kubelet and kube-proxy change where nobody keeps them from it. */
async function settings(): Promise<string[]> {
  const paths = ['vm/overcommit_memory', 'kernel/panic', 'kernel/panic_on_oops', 'net/ipv4/ip_forward'];
  return Promise.all(
    paths.map(async (path) => `kernel setting ${path} = ${(await text(join('/proc/sys', path))).trim()}`),
  );
}

async function files(directory: string): Promise<string[]> {
  return (await names(directory)).length === 0 ? [] : [`directory ${directory}`];
}
