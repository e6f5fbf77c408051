// From a container's specification to a command of this machine: which program, with which environment, where.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { ClusterClient } from '../cluster-client.ts';
import type { Container, Pod, Service } from '../workloads/objects.ts';
import { type Launch, StartError } from './child.ts';
import { UnknownImage } from './container.ts';
import type { PodFacts } from './downward.ts';
import { type ConfigurationSource, environmentOf } from './environment.ts';
import { expand } from './expansion.ts';
import { commandOf, type ImageTable, imageName } from './image-table.ts';
import { type Mount, pathRewriter } from './mount-paths.ts';

const accountPath = '/var/run/secrets/kubernetes.io/serviceaccount';

export interface LaunchHost {
  readonly client: ClusterClient;
  readonly images: ImageTable;
  readonly source: ConfigurationSource;
  /** Where the API server listens, for the kubeconfig of pods with a service account. */
  readonly serverUrl: string;
  /** Where programs are looked for. */
  readonly searchPath: string;
  /** What every container's environment holds beside what its pod says. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Throws UnknownImage, MissingConfiguration or StartError. `directory` is the pod's own. */
export async function launchOf(
  container: Container,
  facts: PodFacts,
  mounts: readonly Mount[],
  directory: string,
  host: LaunchHost,
): Promise<Launch> {
  const { pod, podIP } = facts;
  const name = imageName(container.image ?? '');
  const image = host.images[name];
  if (image === undefined) {
    const known = Object.keys(host.images).sort().join(', ');
    throw new UnknownImage(`no process of this machine stands in for the image "${name}"; known are ${known}`);
  }
  const command = commandOf(image, container);
  if (command === undefined) {
    const program = container.command?.[0] ?? '';
    throw new StartError(
      `exec: "${program}": executable file not found in $PATH: the image "${name}" runs only its own program here`,
    );
  }
  const given = await environmentOf(container, facts, await servicesFor(pod, host), host.source);
  const home = join(directory, 'root', container.name);
  const basic = new Map(
    Object.entries({
      PATH: host.searchPath,
      HOME: home,
      TMPDIR: home,
      HOSTNAME: pod.spec.hostname ?? pod.metadata.name,
      POD_IP: podIP,
      ...host.environment,
      ...image.environment,
    }),
  );
  const known = new Map([...basic, ...given]);
  // Names are resolved first and paths rewritten once, at the end: a rewritten path may contain a mount path again.
  const rewrite = pathRewriter(mounts);
  const environment = new Map(basic);
  for (const [variable, value] of given) environment.set(variable, rewrite(value));
  const account = mounts.find(({ mountPath }) => mountPath.replace(/\/$/, '') === accountPath);
  if (account !== undefined && !given.has('KUBECONFIG')) {
    environment.set(
      'KUBECONFIG',
      await writeKubeconfig(account.directory, join(home, 'kubeconfig'), pod, host.serverUrl),
    );
  }
  const workingDir = rewrite(container.workingDir ?? '');
  await mkdir(home, { recursive: true });
  return {
    command: command.map((word) => rewrite(expand(word, known))),
    environment,
    directory: workingDir !== (container.workingDir ?? '') ? workingDir : join(home, workingDir),
  };
}

async function servicesFor(pod: Pod, { client }: LaunchHost): Promise<Service[]> {
  const { namespace } = pod.metadata;
  const { items } = await client.list<Service>('services', { namespace });
  const own = pod.spec.enableServiceLinks === false ? [] : items;
  const api = await client.find<Service>('services', { name: 'kubernetes', namespace: 'default' });
  return api === undefined || own.some(({ metadata }) => metadata.uid === api.metadata.uid) ? [...own] : [api, ...own];
}

/** The token stays in its file, where it is renewed; a client reads it from there. */
async function writeKubeconfig(account: string, path: string, pod: Pod, server: string): Promise<string> {
  const name = 'local';
  const user = pod.spec.serviceAccountName ?? 'default';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority': join(account, 'ca.crt') } }],
    users: [{ name: user, user: { tokenFile: join(account, 'token') } }],
    contexts: [{ name, context: { cluster: name, user, namespace: pod.metadata.namespace } }],
    'current-context': name,
  };
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, stringify(config), { mode: 0o600 });
  return path;
}
