// What the server says about itself: groups, versions, resources and their verbs, in the plain form and in the
// aggregated one (one answer instead of one a group) that kubectl prefers.
import type { Registry } from './registry.ts';
import { apiVersionOf, type ResourceKind } from './resources.ts';

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const partVerbs = ['get', 'patch', 'update'];

interface Subresource {
  readonly name: string;
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

export function subresourcesOf(kind: ResourceKind): Subresource[] {
  const own = { group: kind.group, version: kind.version };
  const parts: Subresource[] = kind.subresources.map(({ name, kind: of, group, version }) => ({
    name,
    kind: of,
    group: group ?? own.group,
    version: version ?? own.version,
    verbs:
      name === 'log'
        ? ['get']
        : ['eviction', 'token', 'binding'].includes(name)
          ? ['create']
          : name === 'finalize'
            ? ['update']
            : partVerbs,
  }));
  if (kind.scale) parts.push({ name: 'scale', kind: 'Scale', group: 'autoscaling', version: 'v1', verbs: partVerbs });
  if (kind.status) parts.push({ name: 'status', kind: kind.kind, ...own, verbs: partVerbs });
  return parts;
}

/** Groups in the order of the table, each with its versions in theirs. */
export function groupsOf(registry: Registry): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const { group, version } of registry.kinds()) {
    const versions = groups.get(group) ?? [];
    if (!versions.includes(version)) versions.push(version);
    groups.set(group, versions);
  }
  return groups;
}

const kindsOf = (registry: Registry, group: string, version: string) =>
  registry.kinds().filter((kind) => kind.group === group && kind.version === version);

const groupDocument = (group: string, versions: readonly string[]) => {
  const named = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }));
  return { name: group, versions: named, preferredVersion: named[0] };
};

export const coreVersions = (address: string) => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }],
});

export const groupList = (registry: Registry) => ({
  kind: 'APIGroupList',
  apiVersion: 'v1',
  groups: [...groupsOf(registry)]
    .filter(([group]) => group !== '')
    .map(([group, versions]) => groupDocument(group, versions)),
});

/** One group; undefined when there is none of that name. */
export function groupOf(registry: Registry, group: string) {
  const versions = groupsOf(registry).get(group);
  return versions && { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group, versions) };
}

/** The resources of one version; undefined when there is none. */
export function resourceList(registry: Registry, group: string, version: string) {
  const kinds = kindsOf(registry, group, version);
  if (kinds.length === 0) return undefined;
  const resources = kinds.flatMap((kind) => [
    {
      name: kind.plural,
      singularName: kind.singular,
      namespaced: kind.namespaced,
      kind: kind.kind,
      verbs: kind.review ? ['create'] : verbs,
      ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
      ...(kind.categories.length > 0 && { categories: kind.categories }),
      ...(!kind.review && { storageVersionHash: Buffer.from(kind.storage).toString('base64').slice(0, 11) }),
    },
    ...subresourcesOf(kind).map((part) => ({
      name: `${kind.plural}/${part.name}`,
      singularName: '',
      namespaced: kind.namespaced,
      ...(part.group !== kind.group && { group: part.group, version: part.version }),
      kind: part.kind,
      verbs: part.verbs,
    })),
  ]);
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: apiVersionOf({ group, version }), resources };
}

/** Everything at once. `core` tells /api (the group without a name) from /apis. */
export function aggregated(registry: Registry, core: boolean, version: 'v2' | 'v2beta1') {
  const groups = [...groupsOf(registry)].filter(([group]) => (group === '') === core);
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(([group, versions]) => ({
      metadata: { name: group, creationTimestamp: null },
      versions: versions.map((name) => ({
        version: name,
        freshness: 'Current',
        resources: kindsOf(registry, group, name).map((kind) => ({
          resource: kind.plural,
          responseKind: { group, version: name, kind: kind.kind },
          scope: kind.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: kind.singular,
          verbs: kind.review ? ['create'] : verbs,
          ...(kind.shortNames.length > 0 && { shortNames: kind.shortNames }),
          ...(kind.categories.length > 0 && { categories: kind.categories }),
          subresources: subresourcesOf(kind).map((part) => ({
            subresource: part.name,
            responseKind: { group: part.group, version: part.version, kind: part.kind },
            verbs: part.verbs,
          })),
        })),
      })),
    })),
  };
}
