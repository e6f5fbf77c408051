// Which kinds are served right now: the built-in ones and those that CustomResourceDefinitions add and take away.
import { apiVersionOf, builtInKinds, type ResourceKind } from './resources.ts';

export interface Registry {
  /** Changes whenever the kinds do: discovery and OpenAPI documents are made once per value. */
  version(): number;
  kinds(): readonly ResourceKind[];
  /** By the parts of a URL. */
  at(group: string, version: string, plural: string): ResourceKind | undefined;
  /** By apiVersion and kind, as objects and ownerReferences carry them. */
  of(apiVersion: string, kind: string): ResourceKind | undefined;
  /** By `pods`, `deployments.apps`. */
  named(resource: string): ResourceKind | undefined;
  /** Replaces the kinds that one CRD defines; an empty list takes them away. */
  setCustom(crd: string, kinds: readonly ResourceKind[]): void;
  customKinds(crd: string): readonly ResourceKind[];
}

export function createRegistry(): Registry {
  const custom = new Map<string, readonly ResourceKind[]>();
  let version = 0;
  let kinds: readonly ResourceKind[] = [];
  let byPath = new Map<string, ResourceKind>();
  let byKind = new Map<string, ResourceKind>();
  let byName = new Map<string, ResourceKind>();

  const index = () => {
    version += 1;
    kinds = [...builtInKinds, ...[...custom.values()].flat()];
    byPath = new Map(kinds.map((kind) => [`${kind.group}/${kind.version}/${kind.plural}`, kind]));
    byKind = new Map(kinds.map((kind) => [`${apiVersionOf(kind)}/${kind.kind}`, kind]));
    // The first version of a group is the preferred one.
    byName = new Map(
      [...kinds].reverse().map((kind) => [kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`, kind]),
    );
  };
  index();

  return {
    version: () => version,
    kinds: () => kinds,
    at: (group, apiVersion, plural) => byPath.get(`${group}/${apiVersion}/${plural}`),
    of: (apiVersion, kind) => byKind.get(`${apiVersion}/${kind}`),
    named: (resource) => byName.get(resource),
    setCustom(crd, defined) {
      if (defined.length === 0) custom.delete(crd);
      else custom.set(crd, defined);
      index();
    },
    customKinds: (crd) => custom.get(crd) ?? [],
  };
}
