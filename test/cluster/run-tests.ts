// `npm run test:cluster`: the contract tests and the scenarios, against a real Kubernetes. One is started for it, and must
// leave nothing behind; unless KUBECONFIG names one: then it must have our images with the tag dev, and what needs a hand on
// the node is skipped.
import { spawn, spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitWith, onOutputLost } from '@kubeai/daemon';
import { findBuilder } from '../../docker/images.ts';
import { runWithoutTrace } from './cluster-run.ts';
import { defaultDirectory } from './layout.ts';
import { machineState } from './machine-state.ts';
import { startPreparedCluster } from './prepared-cluster.ts';
import { buildPrograms, obstacle, obstacleToBuilding, programPlaces } from './programs.ts';

const name = 'test:cluster';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const say = (line: string) => process.stdout.write(`${line}\n`);
const words = process.argv.slice(2);
const jest = [
  process.execPath,
  '--experimental-vm-modules',
  '--no-warnings',
  join(repository, 'node_modules/jest/bin/jest.js'),
  '--config',
  'test/cluster/jest.config.mjs',
] as const;
// What is started must be ended, whoever reads along.
onOutputLost(process, name, () => process.kill(process.pid, 'SIGTERM'));
refuseWrongWords();

const given = process.env['KUBECONFIG'] || undefined;
const clients = ['kubectl', 'helm'] as const;
const places = programPlaces(process.env);
const builder = await findBuilder();
const hindrance =
  given === undefined
    ? await obstacle(places, process.getuid?.() ?? -1, builder)
    : await obstacleToBuilding(clients, places);
if (hindrance !== undefined) exitWith(process, name, [{ field: 'this machine', message: `cannot: ${hindrance}` }]);

const started = Date.now();
const since = () => `${((Date.now() - started) / 1_000).toFixed(0)} s`;
await mkdir(join(repository, '.build'), { recursive: true });
const code = await (given === undefined
  ? runWithoutTrace(
      { name, directory: defaultDirectory, look: (mark) => machineState(defaultDirectory, [mark]) },
      process,
      testOwnCluster,
    )
  : runWithoutTrace({ name, look: async () => [] }, process, (signal) => testGivenCluster(given, signal)));
say(`${since()}: ended with ${code}`);
process.exit(code);

async function testOwnCluster(signal: AbortSignal): Promise<number> {
  const kubeconfig = join(defaultDirectory, 'kubeconfig');
  say(`${since()}: starting the cluster`);
  const cluster = await startPreparedCluster({
    ...{ places, builder: builder!, directory: defaultDirectory, port: 6443, kubeconfig, images: true, say, signal },
  });
  try {
    const more = { KUBECONFIG: kubeconfig, KUBEAI_CLUSTER_DIRECTORY: defaultDirectory };
    return await runTests(cluster.inside, cluster.programs, more, signal);
  } finally {
    await cluster.stop();
  }
}

async function testGivenCluster(kubeconfig: string, signal: AbortSignal): Promise<number> {
  const programs = await buildPrograms(clients, places, say, signal);
  return runTests((line) => [...line], programs, { KUBECONFIG: kubeconfig }, signal);
}

/** Runs jest, by whatever leads into the cluster's network; resolves with its exit code. */
function runTests(
  inside: (command: readonly string[]) => string[],
  { kubectl, helm }: Readonly<Record<(typeof clients)[number], string>>,
  more: NodeJS.ProcessEnv & { readonly KUBECONFIG: string },
  signal: AbortSignal,
): Promise<number> {
  signal.throwIfAborted();
  say(`${since()}: testing`);
  const [program = '', ...line] = inside([...jest, ...words]);
  const env = {
    ...process.env,
    PATH: [dirname(kubectl), dirname(helm), process.env['PATH'] ?? ''].join(delimiter),
    CONTRACT_KUBECONFIG: more.KUBECONFIG,
    ...more,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(program, line, { cwd: repository, env, stdio: 'inherit' });
    signal.addEventListener('abort', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** Words are jest's, so jest is asked what it makes of them, before a minute has gone into a cluster. */
function refuseWrongWords(): void {
  const [program, ...line] = jest;
  const { status, stdout, stderr } = spawnSync(program, [...line, '--listTests', ...words], {
    cwd: repository,
    encoding: 'utf8',
  });
  if (status !== 0) {
    process.stderr.write(stderr);
    process.exit(2);
  }
  if (stdout.trim() === '') exitWith(process, name, [{ field: words.join(' '), message: 'matches no test' }]);
  if (stdout.startsWith('/')) return;
  // Help, or a version.
  process.stdout.write(stdout);
  process.exit(0);
}
