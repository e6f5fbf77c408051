// What the real server's own admission plugins do to a pod before any webhook sees it: the service account and its
// token volume (ServiceAccount), tolerations for short node outages (DefaultTolerationSeconds), the priority.
import { forbidden } from './api-error.ts';
import { isObject, type JsonObject, type KubeObject, listAt, valueAt } from './kube-object.ts';
import { type ResourceKind, subjectOf } from './resources.ts';
import type { Store } from './store.ts';

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const suffixLetters = 'bcdfghjklmnpqrstvwxz2456789';

/** Five letters as Kubernetes draws them: no vowels (no words) and no digits that look like letters. */
export const randomSuffix = (): string =>
  Array.from({ length: 5 }, () => suffixLetters[Math.floor(Math.random() * suffixLetters.length)]).join('');

/** Changes the pod in place. Throws a 403 when its service account does not exist. */
export function admitPod(pod: KubeObject, kind: ResourceKind, store: Store): void {
  const spec = pod.spec;
  if (!isObject(spec)) return;
  assignServiceAccount(pod, spec, kind, store);
  if (spec.priority === undefined) spec.priority = 0;
  if (spec.preemptionPolicy === undefined) spec.preemptionPolicy = 'PreemptLowerPriority';
  const tolerations = listAt(spec, 'tolerations');
  for (const key of ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']) {
    const tolerated = tolerations.some(
      (one) => (one.key === key || one.key === undefined) && (one.effect === 'NoExecute' || one.effect === undefined),
    );
    if (!tolerated) tolerations.push({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 });
  }
  spec.tolerations = tolerations;
}

function assignServiceAccount(pod: KubeObject, spec: JsonObject, kind: ResourceKind, store: Store): void {
  if (pod.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return;
  const name = String(spec.serviceAccountName || 'default');
  const namespace = pod.metadata.namespace ?? '';
  const account = store.read('serviceaccounts.', namespace, name);
  if (account === undefined) {
    throw forbidden(
      subjectOf(kind, pod.metadata.name ?? ''),
      `error looking up service account ${namespace}/${name}: serviceaccount "${name}" not found`,
    );
  }
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  if (spec.imagePullSecrets === undefined && Array.isArray(account.imagePullSecrets))
    spec.imagePullSecrets = account.imagePullSecrets;
  const automount = spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true;
  if (automount === true) mountToken(spec);
}

function mountToken(spec: JsonObject): void {
  const containers = [...listAt(spec, 'containers'), ...listAt(spec, 'initContainers')];
  const unmounted = containers.filter(
    (one) => !listAt(one, 'volumeMounts').some(({ mountPath }) => mountPath === tokenPath),
  );
  if (unmounted.length === 0) return;
  const volumes = listAt(spec, 'volumes');
  const present = volumes.find(({ name }) => String(name).startsWith('kube-api-access-'));
  const name = present === undefined ? `kube-api-access-${randomSuffix()}` : String(present.name);
  if (present === undefined) spec.volumes = [...volumes, tokenVolume(name)];
  for (const one of unmounted) {
    one.volumeMounts = [...listAt(one, 'volumeMounts'), { name, readOnly: true, mountPath: tokenPath }];
  }
}

const tokenVolume = (name: string): JsonObject => ({
  name,
  projected: {
    defaultMode: 420,
    sources: [
      { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      {
        downwardAPI: {
          items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
        },
      },
    ],
  },
});

/** Guaranteed: every container limits cpu and memory and requests as much. BestEffort: none asks for anything. */
export function qualityOfService(pod: KubeObject): 'Guaranteed' | 'Burstable' | 'BestEffort' {
  const containers = [...listAt(pod, 'spec', 'containers'), ...listAt(pod, 'spec', 'initContainers')];
  const resources = containers.map((one) => ({
    requests: (valueAt(one, 'resources', 'requests') ?? {}) as JsonObject,
    limits: (valueAt(one, 'resources', 'limits') ?? {}) as JsonObject,
  }));
  const names = ['cpu', 'memory'];
  const asks = ({ requests, limits }: { requests: JsonObject; limits: JsonObject }) =>
    names.some((name) => requests[name] !== undefined || limits[name] !== undefined);
  if (!resources.some(asks)) return 'BestEffort';
  const full = resources.every(({ requests, limits }) =>
    names.every(
      (name) => limits[name] !== undefined && (requests[name] === undefined || requests[name] === limits[name]),
    ),
  );
  return full ? 'Guaranteed' : 'Burstable';
}
