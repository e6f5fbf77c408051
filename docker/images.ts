// `npm run images`: bundles the processes and builds their images with docker or buildah. Where the bases of the
// Dockerfile cannot be pulled, they are made from this machine's own programs, so that no registry is needed.
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stop } from 'esbuild';
import { writeNodeRoot, writeRedirectRoot } from './base-root.ts';
import { bundleProcess, entryPoints, type ProcessName } from './bundle.ts';

const execute = promisify(execFile);

/** The targets of the Dockerfile. */
export const imageNames = [...(Object.keys(entryPoints) as ProcessName[]), 'redirect'] as const;

export type Builder = 'docker' | 'buildah';
/** `pull`: as the Dockerfile names them. `local`: from this machine. `auto`: local where they cannot be pulled. */
export type Bases = 'auto' | 'pull' | 'local';

export interface ImagesOptions {
  readonly repository: string;
  readonly builder: Builder;
  readonly bases: Bases;
  readonly tag: string;
  /** Where each image is written to as an archive that containerd and docker can load; absent: nowhere. */
  readonly archives?: string;
  readonly say: (line: string) => void;
  /** Stops between two steps. */
  readonly signal?: AbortSignal;
}

export interface BuiltImage {
  /** Such as docker.io/kubeai/agent:dev. */
  readonly reference: string;
  readonly bytes: number;
  readonly archive?: string;
}

/** The first of docker and buildah that works here. */
export async function findBuilder(): Promise<Builder | undefined> {
  for (const [builder, words] of [
    ['docker', ['info', '--format', '{{.ServerVersion}}']],
    ['buildah', ['--version']],
  ] as const) {
    const works = await execute(builder, words, { timeout: 20_000 }).then(
      () => true,
      () => false,
    );
    if (works) return builder;
  }
  return undefined;
}

/** Builds every image. Throws what esbuild or the builder finds wrong, and an AbortError when stopped. */
export async function buildImages(options: ImagesOptions): Promise<BuiltImage[]> {
  const { repository, builder, tag, archives, say } = options;
  const directory = await mkdtemp(join(tmpdir(), 'kubeai-images-'));
  try {
    const context = join(directory, 'context');
    await Promise.all(
      (Object.keys(entryPoints) as ProcessName[]).map((name) => bundleProcess(repository, name, context)),
    );
    // Else its process would stay as long as we do.
    await stop();
    const tools = toolsOf(builder);
    const bases = await basesFor(options, tools, directory);
    const built: BuiltImage[] = [];
    for (const name of imageNames) {
      options.signal?.throwIfAborted();
      const reference = `docker.io/kubeai/${name}:${tag}`;
      await tools.build(join(repository, 'docker/Dockerfile'), context, name, reference, bases);
      const bytes = await tools.size(reference);
      say(`${reference}  ${(bytes / 2 ** 20).toFixed(1)} MiB`);
      if (archives === undefined) built.push({ reference, bytes });
      else {
        await mkdir(archives, { recursive: true });
        const archive = join(archives, `${name}.tar`);
        await rm(archive, { force: true });
        await tools.save(reference, archive);
        built.push({ reference, bytes, archive });
      }
    }
    return built;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

export interface PlainImage {
  readonly file: string;
  readonly context: string;
  readonly reference: string;
  readonly archive: string;
}

/** Builds an image that needs no base, and writes it to an archive. */
export async function buildPlainImage(
  builder: Builder,
  { file, context, reference, archive }: PlainImage,
): Promise<void> {
  const tools = toolsOf(builder);
  await tools.build(file, context, undefined, reference, {});
  await rm(archive, { force: true });
  await tools.save(reference, archive);
}

/** How much the agent's image adds to the Node binary in it, in bytes. */
export async function agentOverhead(images: readonly BuiltImage[]): Promise<number> {
  const agent = images.find(({ reference }) => reference.includes('/agent:'));
  if (agent === undefined) throw new Error('the agent image was not built');
  return agent.bytes - (await stat(process.execPath)).size;
}

type BuildArguments = Readonly<Record<string, string>>;

/** Arguments that replace the bases of the Dockerfile; none when those can be pulled. */
async function basesFor({ bases, say }: ImagesOptions, tools: Tools, directory: string): Promise<BuildArguments> {
  if (bases === 'pull' || (bases === 'auto' && (await tools.canPull(defaultNodeBase)))) return {};
  say(`Making the bases from this machine's own Node ${process.version}, shell and nft`);
  const node = 'localhost/kubeai/node-base:local';
  const redirect = 'localhost/kubeai/redirect-base:local';
  await writeNodeRoot(join(directory, 'node'));
  await tools.importRoot(join(directory, 'node'), node);
  await writeRedirectRoot(join(directory, 'redirect'));
  await tools.importRoot(join(directory, 'redirect'), redirect);
  return { NODE_BASE: node, REDIRECT_BASE: redirect };
}

/** As the Dockerfile names it; asked for to learn whether registries can be reached. */
const defaultNodeBase = 'gcr.io/distroless/nodejs24-debian13:nonroot';

interface Tools {
  canPull(reference: string): Promise<boolean>;
  importRoot(root: string, reference: string): Promise<void>;
  build(
    file: string,
    context: string,
    target: string | undefined,
    reference: string,
    bases: BuildArguments,
  ): Promise<void>;
  /** Of the image, unpacked, in bytes. */
  size(reference: string): Promise<number>;
  save(reference: string, archive: string): Promise<void>;
}

/**
 * Runs a command to its end and returns what it printed; throws an Error with what it complained of. In a process group of
 * its own: a builder that Ctrl-C in the terminal reached would leave its containers and mounts behind.
 */
function run(command: string, words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, words, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      stdout += chunk;
    });
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      stderr += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(stdout.trim());
      else reject(new Error(`${command} ${words[0]} ended with ${code}: ${stderr.trim()}`));
    });
  });
}

const succeeds = (command: string, words: readonly string[], timeout: number): Promise<boolean> =>
  execute(command, words, { timeout }).then(
    () => true,
    () => false,
  );

const targetOf = (target: string | undefined): string[] => (target === undefined ? [] : ['--target', target]);

const argumentsOf = (bases: BuildArguments): string[] =>
  Object.entries(bases).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`]);

function toolsOf(builder: Builder): Tools {
  return builder === 'docker' ? dockerTools : buildahTools;
}

const pullTimeout = 120_000;

const dockerTools: Tools = {
  canPull: (reference) => succeeds('docker', ['pull', '--quiet', reference], pullTimeout),
  async importRoot(root, reference) {
    const archive = `${root}.tar`;
    await run('tar', ['--create', '--file', archive, '--directory', root, '--owner=0', '--group=0', '.']);
    await run('docker', ['import', archive, reference]);
  },
  async build(file, context, target, reference, bases) {
    const words = ['build', '--file', file, ...targetOf(target), '--tag', reference, ...argumentsOf(bases), context];
    await run('docker', words);
  },
  size: async (reference) => Number(await run('docker', ['image', 'inspect', '--format', '{{.Size}}', reference])),
  save: async (reference, archive) => void (await run('docker', ['save', '--output', archive, reference])),
};

const buildahTools: Tools = {
  canPull: (reference) => succeeds('buildah', ['pull', '--quiet', reference], pullTimeout),
  async importRoot(root, reference) {
    const container = await run('buildah', ['from', 'scratch']);
    try {
      await run('buildah', ['copy', '--quiet', '--chown', '0:0', container, root, '/']);
      await run('buildah', ['commit', '--quiet', container, reference]);
    } finally {
      await run('buildah', ['rm', container]);
    }
  },
  async build(file, context, target, reference, bases) {
    const pull = Object.keys(bases).length > 0 ? ['--pull-never'] : [];
    await run('buildah', [
      ...['bud', '--quiet', '--isolation', 'chroot', ...pull, '--file', file, ...targetOf(target)],
      ...['--tag', reference, ...argumentsOf(bases), context],
    ]);
  },
  async size(reference) {
    const container = await run('buildah', ['from', '--pull-never', reference]);
    try {
      const root = await run('buildah', ['mount', container]);
      const [bytes = ''] = (await run('du', ['--summarize', '--bytes', root])).split('\t');
      return Number(bytes);
    } finally {
      await run('buildah', ['rm', container]);
    }
  },
  save: async (reference, archive) =>
    void (await run('buildah', ['push', '--quiet', reference, `oci-archive:${archive}:${reference}`])),
};
