// The files of a volume, read from what it names: ConfigMaps, Secrets, the pod itself, a service account's token. Where
// they are written is projected-directory.ts's business.
import { seconds } from '@kubeai/units';
import type { Container, DownwardItem, KeyToPath, Pod, ProjectedSource, Volume } from '../workloads/objects.ts';
import { fieldOf, type PodFacts, resourceOf } from './downward.ts';
import { type ConfigurationSource, MissingConfiguration } from './environment.ts';
import { tokenRenewal } from './limits.ts';

export interface PayloadSource extends ConfigurationSource {
  issueToken(
    pod: Pod,
    request: { audience: string | undefined; expirationSeconds: number | undefined },
  ): Promise<{ token: string; expirationTimestamp: string }>;
  now(): number;
}

export interface Payload {
  readonly files: ReadonlyMap<string, { readonly data: Buffer; readonly mode: number }>;
  /** Milliseconds since the epoch when it must be made again; undefined when only a change of its sources asks for it. */
  readonly renewAt: number | undefined;
}

const defaultFileMode = 0o644;
const defaultTokenSeconds = 3600;

/** Volumes whose content the kubelet writes. */
export const hasPayload = (volume: Volume): boolean =>
  Boolean(volume.configMap ?? volume.secret ?? volume.downwardAPI ?? volume.projected);

/** Throws MissingConfiguration where a source is missing and not optional. */
export async function payloadOf(volume: Volume, facts: PodFacts, source: PayloadSource): Promise<Payload> {
  const { configMap, secret, downwardAPI, projected } = volume;
  const { name, ...options } = configMap ?? {};
  const sources: ProjectedSource[] = projected?.sources ?? [
    ...(configMap ? [{ configMap: { ...options, ...(name === undefined ? {} : { name }) } }] : []),
    ...(secret ? [{ secret: { ...secret, name: secret.secretName ?? '' } }] : []),
    ...(downwardAPI ? [{ downwardAPI }] : []),
  ];
  const mode = (projected ?? configMap ?? secret ?? downwardAPI)?.defaultMode ?? defaultFileMode;
  const files = new Map<string, { data: Buffer; mode: number }>();
  let renewAt: number | undefined;
  for (const one of sources) {
    const { entries, renew } = await entriesOf(one, facts, source);
    for (const [path, data, ownMode] of entries) files.set(path, { data, mode: ownMode ?? mode });
    if (renew !== undefined) renewAt = Math.min(renew, renewAt ?? renew);
  }
  return { files, renewAt };
}

type Entry = readonly [path: string, data: Buffer, mode: number | undefined];

async function entriesOf(
  { configMap, secret, downwardAPI, serviceAccountToken }: ProjectedSource,
  facts: PodFacts,
  source: PayloadSource,
): Promise<{ entries: Entry[]; renew?: number }> {
  const namespace = facts.pod.metadata.namespace ?? '';
  if (configMap) {
    const { name = '' } = configMap;
    const map = await source.configMap(namespace, name);
    const data = map && [
      ...Object.entries(map.data ?? {}).map(([key, text]): [string, Buffer] => [key, Buffer.from(text)]),
      ...decoded(map.binaryData),
    ];
    return { entries: pick(data, configMap, 'configmap', name, namespace) };
  }
  if (secret) {
    const { name = '' } = secret;
    const found = await source.secret(namespace, name);
    return { entries: pick(found && decoded(found.data), secret, 'secret', name, namespace) };
  }
  if (serviceAccountToken) {
    const { audience, path, expirationSeconds = defaultTokenSeconds } = serviceAccountToken;
    const { token, expirationTimestamp } = await source.issueToken(facts.pod, { audience, expirationSeconds });
    const life = Date.parse(expirationTimestamp) - source.now();
    return {
      entries: [[path, Buffer.from(token), undefined]],
      renew: source.now() + Math.max(seconds(1), life * tokenRenewal),
    };
  }
  return { entries: (downwardAPI?.items ?? []).map((item) => downwardEntry(item, facts)) };
}

const decoded = (data: Record<string, string> = {}): [string, Buffer][] =>
  Object.entries(data).map(([key, text]) => [key, Buffer.from(text, 'base64')]);

function pick(
  data: [string, Buffer][] | undefined,
  { items, optional }: { items?: KeyToPath[]; optional?: boolean },
  kind: string,
  name: string,
  namespace: string,
): Entry[] {
  if (data === undefined) {
    if (optional === true) return [];
    throw new MissingConfiguration(`${kind} "${name}" not found`);
  }
  if (items === undefined || items.length === 0) return data.map(([key, bytes]): Entry => [key, bytes, undefined]);
  const byKey = new Map(data);
  return items.flatMap(({ key, path, mode }): Entry[] => {
    const bytes = byKey.get(key);
    if (bytes !== undefined) return [[path, bytes, mode]];
    if (optional === true) return [];
    throw new MissingConfiguration(`references non-existent ${kind} key: ${key} of ${namespace}/${name}`);
  });
}

function downwardEntry({ path, fieldRef, resourceFieldRef, mode }: DownwardItem, facts: PodFacts): Entry {
  const { spec } = facts.pod;
  const named = (container: Container) => container.name === resourceFieldRef?.containerName;
  const container = [...(spec.initContainers ?? []), ...spec.containers].find(named);
  const text = fieldRef ? fieldOf(facts, fieldRef) : resourceFieldRef && resourceOf(facts, container, resourceFieldRef);
  if (text === undefined) throw new MissingConfiguration(`downward API item ${path} names no known field`);
  return [path, Buffer.from(text), mode];
}
