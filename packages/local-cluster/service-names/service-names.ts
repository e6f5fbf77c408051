// What cluster DNS is in a cluster: pods find Services by name. There is no name server here; the names stand in one file,
// as in /etc/hosts, and Node programs that run as containers are told to look there first (resolver.cjs). Programs in
// other languages know only addresses.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ClusterClient } from '../cluster-client.ts';
import { keyOf, type Service } from '../workloads/objects.ts';

export interface ServiceNames {
  /** What a container's environment needs for its Node programs to know the names. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): void;
}

const resolver = fileURLToPath(new URL('resolver.cjs', import.meta.url));

/** Keeps the names of all Services in a file of `directory`, from now until stopped. */
export function startServiceNames(client: ClusterClient, directory: string): ServiceNames {
  const file = join(directory, 'service-names.json');
  const addresses = new Map<string, string>();
  const write = () => {
    const names = [...addresses].flatMap(([key, address]) => namesOf(key).map((name) => [name, address]));
    writeFileSync(`${file}.new`, JSON.stringify(Object.fromEntries(names)));
    renameSync(`${file}.new`, file); // readers see the old names or the new ones, never half of them
  };
  write();
  const stop = client.watch<Service>('services', {}, ({ type, object }) => {
    const key = keyOf(object);
    const address = object.spec.clusterIP ?? '';
    if (type === 'DELETED' || address === '' || address === 'None') addresses.delete(key);
    else if (addresses.get(key) === address) return;
    else addresses.set(key, address);
    write();
  });
  return {
    environment: { LOCAL_CLUSTER_SERVICE_NAMES: file, NODE_OPTIONS: `--require=${JSON.stringify(resolver)}` },
    stop,
  };
}

/** `web.default.svc` and `web.default.svc.cluster.local`; shorter names would depend on who asks. */
function namesOf(key: string): string[] {
  const [namespace, name] = key.split('/');
  return [`${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`];
}
