// Whether the cluster knows native sidecars: init containers with `restartPolicy: Always`, on by default since 1.29.
import type { Log } from '@kubeai/daemon';
import type { KubeClient } from '@kubeai/kube';

export interface KubernetesVersion {
  readonly major: number;
  readonly minor: number;
}

/** `1.29`, `v1.29.3`, or what /version answers (`"29+"` for a minor on some clouds). */
export function parseKubernetesVersion(text: string): KubernetesVersion | undefined {
  const [, major, minor] = /^v?(\d{1,3})\.(\d{1,4})(?:[.+-].*)?\+?$/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

export const hasNativeSidecars = ({ major, minor }: KubernetesVersion): boolean =>
  major > 1 || (major === 1 && minor >= 29);

/** What the API server says of itself; undefined when it does not answer in the usual way. */
export function versionOf(answer: unknown): KubernetesVersion | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const { major, minor } = answer as { major?: unknown; minor?: unknown };
  return parseKubernetesVersion(`${String(major)}.${String(minor)}`);
}

/** Whether to inject native sidecars, for a version given by flag or, with `auto`, that of the API server. */
export async function nativeSidecarsIn(client: Pick<KubeClient, 'get'>, flag: string, log: Log): Promise<boolean> {
  const version = flag === 'auto' ? versionOf(await client.get('/version')) : parseKubernetesVersion(flag);
  if (version !== undefined) return hasNativeSidecars(version);
  log.warn('The API server does not tell its version; taking it for 1.29 or later (see --kubernetes-version)');
  return true;
}
