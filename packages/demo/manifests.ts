// Applies manifests the way `kubectl apply --server-side -f` does, so that a demonstration needs no kubectl.
import { readFile } from 'node:fs/promises';
import type { Clock } from '@kubeai/daemon';
import { createDiscovery, type Discovery, type KubeClient, type KubeObject, keyOf } from '@kubeai/kube';
import { parseAllDocuments } from 'yaml';

export type Manifest = KubeObject & { readonly apiVersion: string; readonly kind: string };

const fieldManager = 'kubeai-demo';

/** Every object in the files, in order. Throws an Error that names the file and what is wrong with it. */
export async function readManifests(files: readonly string[]): Promise<Manifest[]> {
  const lists = await Promise.all(files.map(readManifestFile));
  return lists.flat();
}

async function readManifestFile(file: string): Promise<Manifest[]> {
  const documents = parseAllDocuments(await readFile(file, 'utf8'));
  const list = Array.isArray(documents) ? documents : [];
  for (const document of list) {
    const error = document.errors[0];
    if (error !== undefined) throw new Error(`${file}: ${error.message.split('\n')[0]}`);
  }
  return list.map((document) => document.toJS() as Manifest | null).filter((object) => object !== null);
}

/** Applies in order. Throws the API server's refusal, with the object's name before it. */
export async function applyManifests(client: KubeClient, clock: Clock, manifests: readonly Manifest[]): Promise<void> {
  // Looked up anew each time: a kind may be defined by the manifests themselves.
  const discovery = createDiscovery(client, clock);
  for (const manifest of manifests) await applyManifest(client, discovery, manifest);
}

async function applyManifest(client: KubeClient, discovery: Discovery, manifest: Manifest): Promise<void> {
  const name = `${manifest.kind} ${keyOf(manifest.metadata)}`;
  const resource = await discovery.find(manifest.apiVersion, manifest.kind);
  if (resource === undefined) throw new Error(`${name}: the cluster has no ${manifest.apiVersion} ${manifest.kind}`);
  try {
    await client.patch(resource, manifest.metadata, manifest, { kind: 'apply', fieldManager, force: true });
  } catch (cause) {
    throw new Error(`${name} was refused: ${(cause as Error).message}`, { cause });
  }
}
