// `npm run cluster:real`: a real Kubernetes to play with, with our images on its node.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitWith, portOption, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { buildImages, findBuilder } from '../../docker/images.ts';
import { defaultDirectory } from './layout.ts';
import { kubernetesVersion, obstacle, programPlaces, providePrograms } from './programs.ts';
import { removeRealCluster, startRealCluster } from './real-cluster.ts';

const name = 'cluster:real';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

const options = readCommandLine(
  {
    name,
    summary: 'Runs a real Kubernetes on this machine, in namespaces of its own: control plane, one node, containers.',
    operands: [
      { name: 'ACTION', describe: 'start (the default), build (only the programs), or stop', required: false },
    ],
    options: {
      port: {
        describe: 'Port of the API server on 127.0.0.1',
        value: 'PORT',
        fallback: '6443',
        schema: portOption(6443),
      },
      kubeconfig: {
        describe: 'Where the kubeconfig is written',
        value: 'FILE',
        fallback: '.build/kubeconfig-real of the repository',
        schema: z.string().min(1).default(join(repository, '.build/kubeconfig-real')),
      },
      directory: {
        describe: 'Where everything of the cluster lies, until it is stopped',
        value: 'DIR',
        fallback: defaultDirectory,
        schema: z.string().min(1).default(defaultDirectory),
      },
      images: {
        describe: 'Build our images and load them into the node',
        value: 'true|false',
        fallback: 'true',
        schema: z.stringbool({ error: 'must be true or false' }).default(true),
      },
    },
    epilogue: `The programs are built from the Go modules that test/cluster/go.mod pins, and kept under XDG_CACHE_HOME; those
in KUBEBUILDER_ASSETS are taken first. Exits 2 with one line where a real cluster cannot run. Ctrl-C ends everything
in it; \`npm run cluster:real stop\` ends what a killed one left behind.`,
  },
  process,
);

const say = (line: string) => process.stdout.write(`${line}\n`);
const directory = resolve(options.directory);
const [action = 'start', ...more] = options.operands;
if (more.length > 0 || !['start', 'build', 'stop'].includes(action)) {
  exitWith(process, name, [{ field: [action, ...more].join(' '), message: 'is no action; start, build or stop are' }]);
}

const places = programPlaces(process.env);
const hindrance = await obstacle(places, process.getuid?.() ?? -1);
if (hindrance !== undefined) exitWith(process, name, [{ field: 'this machine', message: `cannot: ${hindrance}` }]);

try {
  if (action === 'stop') await removeRealCluster(directory);
  else {
    const programs = await providePrograms(places, say);
    if (action === 'start') await runUntilStopped(programs);
  }
} catch (cause) {
  const { code, message, stderr } = cause as NodeJS.ErrnoException & { stderr?: string };
  if (code === 'EADDRINUSE') {
    exitWith(process, name, [{ field: '--port', message: `${options.port} is in use; give another one` }]);
  }
  process.stderr.write(`${name}: ${stderr?.trim() || message}\n`);
  process.exit(1);
}

async function runUntilStopped(programs: Awaited<ReturnType<typeof providePrograms>>): Promise<void> {
  const builder = await findBuilder();
  if (builder === undefined) {
    exitWith(process, name, [
      { field: 'this machine', message: 'cannot: neither docker nor buildah builds images here' },
    ]);
  }
  const interrupted = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve(signal));
  });
  say(`Starting Kubernetes ${await kubernetesVersion()}`);
  const starting = startRealCluster({ directory, port: options.port, programs, builder, say });
  // Stopping early waits for the start: it takes seconds, and half a cluster cannot be stopped in order.
  const cluster = await starting;
  try {
    if (options.images) {
      const archives = join(directory, 'images');
      const images = await buildImages({ repository, builder, bases: 'auto', tag: 'dev', archives, say });
      for (const { archive } of images) await cluster.importImage(archive ?? '');
    }
    const kubeconfig = resolve(options.kubeconfig);
    await mkdir(dirname(kubeconfig), { recursive: true });
    await writeFile(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
    say(`The cluster is up: https://127.0.0.1:${options.port}, one node`);
    say('');
    say(`  export KUBECONFIG=${kubeconfig}`);
    say(`  ${programs.kubectl} get pods --all-namespaces`);
    say('');
    say('Pods and Services can be reached from inside its network:');
    say('');
    say(`  ${cluster.inside(['bash']).join(' ')}`);
    say('');
    say('Ctrl-C ends it and everything in it.');
    const end = await Promise.race([interrupted, cluster.ended]);
    if (end !== 'SIGINT' && end !== 'SIGTERM') throw new Error(`the cluster ended early: ${end}`);
    say('Ending it');
    process.exitCode = end === 'SIGINT' ? 130 : 0;
  } finally {
    await cluster.stop();
  }
  process.exit();
}
