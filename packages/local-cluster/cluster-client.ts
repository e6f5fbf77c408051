// The API server's interface for code in the same process: the controllers, the kubelet and the service proxy of the
// local cluster. Every call runs the same pipeline as HTTP (defaulting, validation, admission webhooks, 404/409/410/422
// as ApiError) without sockets and without serializing. Objects that come back are frozen and shared with the store:
// copy before changing (`copyOf`). A watch hands over the same shared objects.
import type { KubeObject } from './api-server/kube-object.ts';

export { ApiError, isApiError } from './api-server/api-error.ts';
export { copyOf, type KubeObject, type ObjectMeta, type OwnerReference } from './api-server/kube-object.ts';

/** `pods`, `deployments.apps`, `aiinferenceautoscalerpolicies.kubeai.io`: the plural, and the group unless it is core. */
export type ResourceName = string;

export interface ObjectName {
  readonly name: string;
  /** Left out for cluster-scoped objects. */
  readonly namespace?: string | undefined;
}

export interface Selection {
  /** Left out: all namespaces. */
  readonly namespace?: string | undefined;
  /** As in kubectl: `app=web,tier notin (a,b)`. */
  readonly labelSelector?: string | undefined;
  /** As in kubectl: `spec.nodeName=local`. */
  readonly fieldSelector?: string | undefined;
}

export interface ClusterList<Kind extends KubeObject = KubeObject> {
  readonly items: readonly Kind[];
  /** Start a watch here to miss nothing. */
  readonly resourceVersion: string;
}

export interface WatchEvent<Kind extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly object: Kind;
}

export interface WatchOptions extends Selection {
  /**
   * Events after this version (a list's). Left out: the present objects come first, as ADDED, before `watch` returns.
   * A version that has left the event window throws ApiError 410: list again.
   */
  readonly resourceVersion?: string | undefined;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number | undefined;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan' | undefined;
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string } | undefined;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface PatchOptions {
  readonly type: PatchType;
  readonly subresource?: 'status' | 'scale' | undefined;
  /** For `apply`: take fields from other managers instead of a 409. */
  readonly force?: boolean | undefined;
}

/** An object on its way to the server: the server fills in what the caller leaves out. */
export type Draft = {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name?: string;
    readonly generateName?: string;
    readonly namespace?: string | undefined;
  };
};

export interface TokenRequest {
  readonly audiences?: readonly string[] | undefined;
  readonly expirationSeconds?: number | undefined;
  /** The pod that the token dies with; the TokenReview then names it. */
  readonly pod?: { readonly name: string; readonly uid: string } | undefined;
}

export interface ClusterClient {
  /** Who this client is (`system:kubelet`): it becomes the field manager and the user admission webhooks see. */
  readonly user: string;
  read<Kind extends KubeObject = KubeObject>(resource: ResourceName, name: ObjectName): Promise<Kind>;
  /** Like `read`, with undefined instead of a 404. */
  find<Kind extends KubeObject = KubeObject>(resource: ResourceName, name: ObjectName): Promise<Kind | undefined>;
  list<Kind extends KubeObject = KubeObject>(resource: ResourceName, selection?: Selection): Promise<ClusterList<Kind>>;
  /** apiVersion and kind may be left out: the resource says them. */
  create<Kind extends KubeObject = KubeObject>(resource: ResourceName, object: Draft): Promise<Kind>;
  /** Replaces the object; a resourceVersion in it must be the present one (else 409). Status is not changed. */
  update<Kind extends KubeObject = KubeObject>(resource: ResourceName, object: Draft): Promise<Kind>;
  /** Replaces only the status (and for pods what the real status subresource allows). */
  updateStatus<Kind extends KubeObject = KubeObject>(resource: ResourceName, object: Draft): Promise<Kind>;
  patch<Kind extends KubeObject = KubeObject>(
    resource: ResourceName,
    name: ObjectName,
    patch: unknown,
    options: PatchOptions,
  ): Promise<Kind>;
  /** Resolves when the server has accepted it; finalizers and graceful pod deletion go on afterwards. */
  delete(resource: ResourceName, name: ObjectName, options?: DeleteOptions): Promise<void>;
  /** Calls back in the order of the writes, never re-entrantly from inside `watch` for later events. Returns the stop. */
  watch<Kind extends KubeObject = KubeObject>(
    resource: ResourceName,
    options: WatchOptions,
    onEvent: (event: WatchEvent<Kind>) => void,
  ): () => void;
  /** What `serviceaccounts/NAME/token` answers: a bearer token for the account. */
  issueToken(
    serviceAccount: ObjectName,
    request: TokenRequest,
  ): Promise<{ token: string; expirationTimestamp: string }>;
}
