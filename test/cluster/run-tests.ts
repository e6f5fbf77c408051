// `npm run test:cluster`: the contract tests and the scenarios, against a real Kubernetes. One is started for it, unless
// KUBECONFIG names one; then it must have our images with the tag dev, and what needs a hand on the node is skipped.
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitWith } from '@kubeai/daemon';
import { buildImages, findBuilder } from '../../docker/images.ts';
import { defaultDirectory } from './layout.ts';
import { obstacle, programPlaces, providePrograms } from './programs.ts';
import { type RealCluster, startRealCluster } from './real-cluster.ts';

const name = 'test:cluster';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const say = (line: string) => process.stdout.write(`${line}\n`);
const words = process.argv.slice(2);

const given = process.env['KUBECONFIG'] || undefined;
const places = programPlaces(process.env);
const builder = await findBuilder();
const hindrance =
  (await obstacle(places, process.getuid?.() ?? -1)) ??
  (builder === undefined ? 'neither docker nor buildah builds images here' : undefined);
if (hindrance !== undefined) exitWith(process, name, [{ field: 'this machine', message: `cannot: ${hindrance}` }]);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());

const started = Date.now();
const since = () => `${((Date.now() - started) / 1_000).toFixed(0)} s`;
let cluster: RealCluster | undefined;
try {
  const programs = await providePrograms(places, say);
  const toolDirectory = dirname(programs.kubectl);
  let kubeconfig = given;
  let command = (line: readonly string[]): string[] => [...line];
  if (kubeconfig === undefined) {
    say(`${since()}: starting the cluster`);
    const running = await startRealCluster({
      directory: defaultDirectory,
      port: 6443,
      programs,
      builder: builder!,
      say,
    });
    cluster = running;
    say(`${since()}: the node is ready; building the images`);
    const archives = join(defaultDirectory, 'images');
    const images = await buildImages({ repository, builder: builder!, bases: 'auto', tag: 'dev', archives, say });
    for (const { archive } of images) await running.importImage(archive ?? '');
    kubeconfig = join(defaultDirectory, 'kubeconfig');
    await writeFile(kubeconfig, running.kubeconfig, { mode: 0o600 });
    command = running.inside;
  }
  await mkdir(join(repository, '.build'), { recursive: true });
  say(`${since()}: testing`);
  const code = await run(
    command([
      ...[process.execPath, '--experimental-vm-modules', '--no-warnings'],
      ...[join(repository, 'node_modules/jest/bin/jest.js'), '--config', 'test/cluster/jest.config.mjs', ...words],
    ]),
    {
      ...process.env,
      PATH: `${toolDirectory}:${process.env['PATH'] ?? ''}`,
      KUBECONFIG: kubeconfig,
      CONTRACT_KUBECONFIG: kubeconfig,
      ...(cluster === undefined ? {} : { KUBEAI_CLUSTER_DIRECTORY: defaultDirectory }),
    },
  );
  say(`${since()}: ended with ${code}`);
  process.exitCode = stop.signal.aborted ? 130 : code;
} catch (cause) {
  if (!stop.signal.aborted) complain(cause as NodeJS.ErrnoException);
  process.exitCode = stop.signal.aborted ? 130 : 1;
} finally {
  await cluster?.stop();
}
process.exit();

function complain({ code, message }: NodeJS.ErrnoException): void {
  const text = code === 'EADDRINUSE' ? '127.0.0.1:6443 is in use; is another cluster running?' : message;
  process.stderr.write(`${name}: ${text}\n`);
}

function run([program, ...line]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  stop.signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? '', line, { cwd: repository, env, stdio: 'inherit' });
    stop.signal.addEventListener('abort', () => child.kill('SIGTERM'));
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
