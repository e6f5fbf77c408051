// `npm run cluster:real`: a real Kubernetes to play with, with our images on its nodes.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exitWith, onOutputLost, portOption, readCommandLine } from '@kubeai/daemon';
import { z } from 'zod';
import { type Builder, findBuilder } from '../../docker/images.ts';
import { runWithoutTrace } from './cluster-run.ts';
import { defaultDirectory } from './layout.ts';
import { machineState } from './machine-state.ts';
import { startPreparedCluster } from './prepared-cluster.ts';
import { kubernetesVersion, obstacle, programPlaces, providePrograms } from './programs.ts';
import { removeRealCluster } from './real-cluster.ts';

const name = 'cluster:real';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

const options = readCommandLine(
  {
    name,
    summary: 'Runs a real Kubernetes on this machine, in namespaces of its own: control plane, two nodes, containers.',
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
      untilStdinCloses: {
        describe: 'End when standard input is closed: for programs that start a cluster and may be killed',
        schema: z.stringbool().default(false),
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
const builder = await findBuilder();
const hindrance = await obstacle(places, process.getuid?.() ?? -1, builder);
if (hindrance !== undefined || builder === undefined) {
  exitWith(process, name, [{ field: 'this machine', message: `cannot: ${hindrance}` }]);
}

if (action === 'stop') {
  await removeRealCluster(directory);
  process.exit(0);
}
// Who started us may be gone; what is to be ended must be ended all the same.
onOutputLost(process, name, () => process.kill(process.pid, 'SIGTERM'));
const look = (mark: string) => machineState(directory, [mark]);
const code = await runWithoutTrace({ name, directory, look }, process, async (signal) => {
  if (action === 'build') await providePrograms(places, say, signal);
  else await runUntilStopped(signal, builder);
  return 0;
});
process.exit(code);

async function runUntilStopped(signal: AbortSignal, builder: Builder): Promise<void> {
  const { port, images } = options;
  const interrupted = new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve('interrupted'));
    if (options.untilStdinCloses) process.stdin.resume().once('close', () => process.kill(process.pid, 'SIGTERM'));
  });
  say(`Starting Kubernetes ${await kubernetesVersion()}`);
  const kubeconfig = resolve(options.kubeconfig);
  const cluster = await startPreparedCluster({ places, builder, directory, port, kubeconfig, images, say, signal });
  try {
    say(`The cluster is up: https://127.0.0.1:${port}, two nodes`);
    say('');
    say(`  export KUBECONFIG=${kubeconfig}`);
    say(`  ${cluster.programs.kubectl} get pods --all-namespaces`);
    say('');
    say('Pods and Services can be reached from inside its network:');
    say('');
    say(`  ${cluster.inside(['bash']).join(' ')}`);
    say('');
    say('Ctrl-C ends it and everything in it.');
    const end = await Promise.race([interrupted, cluster.ended]);
    if (!signal.aborted) throw new Error(`the cluster ended early: ${end}`);
    say('Ending it');
  } finally {
    await cluster.stop();
  }
}
