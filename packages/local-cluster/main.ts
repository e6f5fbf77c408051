// `npm run cluster`: a cluster to play with. Says how to reach it, and when it ends everything in it ends.
import { once } from 'node:events';
import { access, constants, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  createLog,
  exitWith,
  logLevelOption,
  onOutputLost,
  onShutdown,
  portOption,
  readCommandLine,
} from '@kubeai/daemon';
import { seconds } from '@kubeai/units';
import { z } from 'zod';
import { startLocalCluster } from './cluster.ts';
import { buildImages } from './images.ts';
import { makeDirectory } from './make-directory.ts';

const name = 'cluster';
const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

const options = readCommandLine(
  {
    name,
    summary: 'Runs a Kubernetes cluster in this process: pods become processes of this machine.',
    options: {
      port: {
        describe: 'Port of the API server on 127.0.0.1; 0 for any free one',
        value: 'PORT',
        fallback: '6443',
        schema: portOption(6443),
      },
      kubeconfig: {
        describe: 'Where the kubeconfig is written',
        value: 'FILE',
        fallback: '.build/kubeconfig of the repository',
        schema: z.string().min(1, 'must name a file').default(join(repository, '.build/kubeconfig')),
      },
      gpus: {
        describe: 'GPUs that the node offers to the scheduler',
        value: 'N',
        fallback: '8',
        schema: z
          .string()
          .regex(/^\d{1,4}$/, 'must be a whole number below 10000')
          .transform(Number)
          .default(8),
      },
      kubernetesVersion: {
        describe:
          'The Kubernetes version to be like: what the API server says it is, and whether it has native sidecars',
        value: 'VERSION',
        fallback: '1.36',
        schema: z
          .string()
          .regex(/^v?1\.\d{1,3}(\.\d{1,3})?$/, 'must look like 1.36 or v1.36.2')
          .default('1.36'),
      },
      dataDir: {
        describe: 'Where the files and logs of pods lie',
        value: 'DIR',
        fallback: 'a temporary directory, removed at the end',
        schema: z.string().min(1, 'must name a directory').optional(),
      },
      untilStdinCloses: {
        describe: 'End when standard input is closed: for programs that start a cluster and may be killed',
        schema: z.stringbool().default(false),
      },
      logLevel: {
        describe: 'What is logged to stderr, as JSON lines: debug, info, warn, error or silent',
        value: 'LEVEL',
        fallback: 'warn',
        schema: logLevelOption('warn'),
      },
    },
    epilogue: `Images are a table of local programs (packages/local-cluster/images.ts). Limits on CPU and memory are not
enforced; requests count when pods are placed. Node programs find Services by
name (NAME.NAMESPACE.svc); there is no DNS for others.
Ctrl-C ends the cluster and every process in it.`,
  },
  process,
);

const say = (line: string) => process.stdout.write(`${line}\n`);
const log = createLog({ level: options.logLevel, name: 'local-cluster', destination: 2 });
const kubeconfigPath = resolve(options.kubeconfig);
const starting = start();
const shutdown = onShutdown(process, { deadline: seconds(10), log }, async () => {
  say('Ending every pod');
  await (await starting).stop();
});
if (options.untilStdinCloses) process.stdin.resume().once('close', () => shutdown.begin('standard input closed', 0));
onOutputLost(process, name, (code) => shutdown.begin('nobody takes the output any more', code));
process.on('uncaughtException', (cause) => {
  log.error('Something was not handled', { cause });
  shutdown.begin('uncaught exception', 1);
});

try {
  const { url } = await starting;
  say(`The cluster is up at ${url}: Kubernetes ${options.kubernetesVersion}, one node, ${options.gpus} GPUs`);
  say('');
  say(`  export KUBECONFIG=${kubeconfigPath}`);
  say('  kubectl get pods --all-namespaces');
  say('');
  say('Ctrl-C ends it and everything in it.');
} catch (cause) {
  explain(cause as NodeJS.ErrnoException);
}

async function start() {
  const { dataDir, port, kubernetesVersion, gpus } = options;
  // What can be wrong with the flags shows before the slow part begins.
  if (dataDir !== undefined) await makeDirectory(resolve(dataDir));
  await makeDirectory(dirname(kubeconfigPath));
  await tryFile(kubeconfigPath);
  await tryPort(port);
  say('Bundling the processes');
  const images = await buildImages(repository);
  say('Starting the API server, the controllers and the node');
  return startLocalCluster({
    images,
    port,
    kubernetesVersion,
    kubeconfigPath,
    nodes: [{ name: 'local', gpus }],
    log,
    ...(dataDir === undefined ? {} : { directory: resolve(dataDir) }),
    ...(process.env['PATH'] === undefined ? {} : { searchPath: process.env['PATH'] }),
  });
}

/** Throws unless the file could be written. Leaves none: somebody may be waiting for it to appear. */
async function tryFile(path: string): Promise<void> {
  const present = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'ENOENT') throw cause;
  });
  if (present?.isDirectory()) throw Object.assign(new Error('It is a directory'), { code: 'EISDIR', path });
  await access(dirname(path), constants.W_OK);
}

async function tryPort(port: number): Promise<void> {
  const server = createServer();
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  server.close();
}

/** One line that names what is wrong and the way out, where we know it. */
function explain(cause: NodeJS.ErrnoException): never {
  const { code, message, path = '' } = cause;
  if (code === 'EADDRINUSE') {
    const way = 'give another one, or 0 for any free one';
    return exitWith(process, name, [
      { field: '--port', message: `${options.port} is in use by another process; ${way}` },
    ]);
  }
  const unwritable =
    path !== '' && ['EACCES', 'EPERM', 'ENOENT', 'ENOTDIR', 'EISDIR', 'EROFS', 'EEXIST'].includes(code ?? '');
  if (unwritable && (path.startsWith(kubeconfigPath) || kubeconfigPath.startsWith(path))) {
    return exitWith(process, name, [
      { field: '--kubeconfig', message: `${kubeconfigPath} cannot be written (${code})` },
    ]);
  }
  if (unwritable && options.dataDir !== undefined && path.includes(options.dataDir)) {
    return exitWith(process, name, [
      { field: '--data-dir', message: `${options.dataDir} cannot be written (${code})` },
    ]);
  }
  process.stderr.write(`${name}: ${message}\n`);
  return process.exit(1);
}
