// Which resource a kind is, and whether it can be scaled, as the API server itself says. This is what lets a policy
// scale anything with a /scale subresource without our knowing its kind.
import type { Clock } from '@kubeai/daemon';
import { elapsed, type Instant } from '@kubeai/units';
import { isKubeError, type KubeClient } from './kube-client.ts';
import { discoveryAge, discoveryRetry } from './limits.ts';
import { groupPath, type Resource } from './resource.ts';

export interface DiscoveredResource extends Resource {
  readonly scalable: boolean;
}

export interface Discovery {
  /** The resource of a kind such as `apps/v1` `Deployment`; undefined when the server has no such kind. */
  find(apiVersion: string, kind: string): Promise<DiscoveredResource | undefined>;
}

interface ResourceList {
  readonly resources: readonly { readonly name: string; readonly kind: string; readonly namespaced: boolean }[];
}

export function createDiscovery(client: KubeClient, clock: Clock): Discovery {
  const lists = new Map<string, { readonly at: Instant; readonly list: Promise<ResourceList> }>();

  const fetchList = async (group: string, version: string): Promise<ResourceList> => {
    try {
      return (await client.get(groupPath(group, version))) as ResourceList;
    } catch (cause) {
      if (isKubeError(cause, 404)) return { resources: [] };
      throw cause;
    }
  };
  const listOf = (apiVersion: string, group: string, version: string, oldest: number): Promise<ResourceList> => {
    const known = lists.get(apiVersion);
    if (known !== undefined && elapsed(known.at, clock.now()) < oldest) return known.list;
    const list = fetchList(group, version);
    lists.set(apiVersion, { at: clock.now(), list });
    list.catch(() => lists.delete(apiVersion));
    return list;
  };

  return {
    async find(apiVersion, kind) {
      const slash = apiVersion.indexOf('/');
      const group = slash === -1 ? '' : apiVersion.slice(0, slash);
      const version = apiVersion.slice(slash + 1);
      for (const oldest of [discoveryAge, discoveryRetry]) {
        const { resources } = await listOf(apiVersion, group, version, oldest);
        const found = resources.find((entry) => entry.kind === kind && !entry.name.includes('/'));
        if (found === undefined) continue;
        const scalable = resources.some((entry) => entry.name === `${found.name}/scale`);
        return { group, version, plural: found.name, kind, namespaced: found.namespaced, scalable };
      }
      return undefined;
    },
  };
}
