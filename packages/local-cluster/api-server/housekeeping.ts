// What the controllers of a real control plane keep in every cluster, and clients take for granted: the default service
// account and the root certificate in each namespace, the kinds of a CRD and the conditions that say they are served.
import { randomUUID } from 'node:crypto';
import type { Instant } from '@kubeai/units';
import { definitionStatus, kindsOf } from './custom-resources.ts';
import { crdFinalizer } from './garbage-collection.ts';
import { createKeyedQueue } from './keyed-queue.ts';
import { equal, type KubeObject } from './kube-object.ts';
import type { Pipeline } from './pipeline.ts';
import type { Registry } from './registry.ts';
import { type Caller, targetOf, timestamp } from './request.ts';
import type { ResourceKind } from './resources.ts';
import type { ServerLog } from './server-log.ts';
import type { Store } from './store.ts';

const definitions = 'customresourcedefinitions.apiextensions.k8s.io';
const systemNamespaces = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const controller: Caller = {
  user: { username: 'system:kube-controller-manager', groups: ['system:masters', 'system:authenticated'] },
  agent: 'kube-controller-manager',
  warn: () => undefined,
};

export interface Housekeeping {
  /** Resolves when the system namespaces are there with all that belongs in them. */
  readonly ready: Promise<void>;
  stop(): void;
}

export function keepHouse(
  store: Store,
  registry: Registry,
  pipeline: Pipeline,
  rootCertificate: string,
  now: () => Instant,
  log: ServerLog,
): Housekeeping {
  const kindNamed = (name: string): ResourceKind => {
    const kind = registry.named(name);
    if (kind === undefined) throw new Error(`the table of kinds lacks ${name}`);
    return kind;
  };
  // Written straight into the store, so that whoever has created a namespace can create a pod in it in the next breath.
  const furnish = (namespace: string): void => {
    if (store.read('namespaces.', '', namespace)?.metadata.deletionTimestamp !== undefined) return;
    const own = (name: string) => ({ name, namespace, uid: randomUUID(), creationTimestamp: timestamp(now()) });
    store.add('serviceaccounts.', { kind: 'ServiceAccount', apiVersion: 'v1', metadata: own('default') });
    const data = { 'ca.crt': rootCertificate };
    store.add('configmaps.', { kind: 'ConfigMap', apiVersion: 'v1', metadata: own('kube-root-ca.crt'), data });
  };
  const establish = async (name: string): Promise<void> => {
    const crd = store.read(definitions, '', name);
    if (crd === undefined || crd.metadata.deletionTimestamp !== undefined) return;
    const target = targetOf(kindNamed('customresourcedefinitions.apiextensions.k8s.io'), '', name);
    const status = definitionStatus(crd, registry, timestamp(now()));
    if (!equal(status, crd.status))
      await pipeline.update(controller, { ...target, subresource: 'status' }, { ...crd, status }, {});
    const { finalizers = [] } = crd.metadata;
    if (finalizers.includes(crdFinalizer)) return;
    await pipeline.patch(
      controller,
      target,
      { how: 'merge', patch: { metadata: { finalizers: [...finalizers, crdFinalizer] } } },
      {},
    );
  };

  const queue = createKeyedQueue(establish, (key, cause) =>
    log.warn('Failed to keep house', { key, cause: String(cause) }),
  );

  const define = (crd: KubeObject): void => {
    const accepted = definitionStatus(crd, registry, '').acceptedNames as { kind: string };
    const kinds = accepted.kind === '' ? [] : kindsOf(crd);
    registry.setCustom(crd.metadata.name, kinds);
    const rules = new Set(kinds.flatMap((kind) => kind.custom?.schema.unsupportedRules ?? []));
    if (rules.size > 0) log.warn('Left CEL rules to a real API server', { crd: crd.metadata.name, rules: [...rules] });
    queue.add(crd.metadata.name);
  };

  store.onWrite((storage, { type, object, previous }) => {
    if (storage === 'namespaces.' && type === 'ADDED') furnish(object.metadata.name);
    // Clients that delete the root certificate or the default account get them back, as on a real cluster.
    else if (
      type === 'DELETED' &&
      ((storage === 'configmaps.' && object.metadata.name === 'kube-root-ca.crt') ||
        (storage === 'serviceaccounts.' && object.metadata.name === 'default'))
    ) {
      furnish(object.metadata.namespace ?? '');
    }
    if (storage !== definitions) return;
    if (type === 'DELETED') registry.setCustom(object.metadata.name, []);
    else if (!equal(object.spec, previous?.spec)) define(object);
  });

  const ready = (async () => {
    const kind = kindNamed('namespaces');
    for (const name of systemNamespaces)
      await pipeline.create(controller, targetOf(kind, '', ''), { metadata: { name } }, {});
  })();
  return { ready, stop: queue.stop };
}
