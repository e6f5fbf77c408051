// `pods/NAME/log`: which container is meant, and where its output comes from. The output itself belongs to whoever runs
// the containers; it registers a provider.
import { badRequest } from './api-error.ts';
import { type KubeObject, listAt } from './kube-object.ts';

export interface PodLogRequest {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  readonly follow: boolean;
  /** The output of the run before the present one. */
  readonly previous: boolean;
  readonly timestamps: boolean;
  readonly tailLines: number | undefined;
  readonly sinceSeconds: number | undefined;
  readonly sinceTime: string | undefined;
  readonly limitBytes: number | undefined;
}

/**
 * Yields the output as it comes; ends when it ends, or when the signal aborts (the client has left).
 * Throws an ApiError where there is nothing to show (`previous terminated container "x" in pod "y" not found`: 400).
 */
export type PodLogProvider = (request: PodLogRequest, signal: AbortSignal) => AsyncIterable<string | Uint8Array>;

const flag = (query: URLSearchParams, name: string) => ['true', '1'].includes(query.get(name) ?? '');

function whole(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw badRequest(`${name}: Invalid value: ${text}: must be a non-negative integer`);
  return value;
}

/** The request that a query string makes. Throws a 400 where the container is unclear or unknown. */
export function podLogRequest(pod: KubeObject, query: URLSearchParams): PodLogRequest {
  const names = (field: string) => listAt(pod, 'spec', field).map(({ name }) => String(name));
  const containers = names('containers');
  const init = names('initContainers');
  const asked = query.get('container') ?? '';
  if (asked === '' && containers.length + init.filter(() => containers.length > 1).length > 1) {
    const more = init.length > 0 ? ` or one of the init containers: [${init.join(' ')}]` : '';
    throw badRequest(
      `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${containers.join(' ')}]${more}`,
    );
  }
  const container = asked === '' ? (containers[0] ?? '') : asked;
  if (![...containers, ...init].includes(container))
    throw badRequest(`container ${container} is not valid for pod ${pod.metadata.name}`);
  return {
    namespace: pod.metadata.namespace ?? '',
    pod: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    container,
    follow: flag(query, 'follow'),
    previous: flag(query, 'previous'),
    timestamps: flag(query, 'timestamps'),
    tailLines: whole(query, 'tailLines'),
    sinceSeconds: whole(query, 'sinceSeconds'),
    sinceTime: query.get('sinceTime') ?? undefined,
    limitBytes: whole(query, 'limitBytes'),
  };
}
