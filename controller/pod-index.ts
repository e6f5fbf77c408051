// Which pods belong to which target, kept up to date as pods come and go, so that neither a report nor a decision has to
// search. A pod may belong to several targets (a mistake, but not ours to hide).

import type { PodFacts } from '@kubeai/decision';
import { labelSelector, type Reflector } from '@kubeai/kube';
import type { KnownPod } from './pod-facts.ts';

/** The pods of one target. */
export interface PodGroup {
  readonly namespace: string;
  readonly selector: string;
  /** By UID. */
  readonly pods: ReadonlyMap<string, PodFacts>;
  /** Facts of all its pods; the same array until one changes. */
  facts(): readonly PodFacts[];
}

export interface PodIndex {
  /** Follows the pods of a selector under a name of the caller's; the same name again replaces the selector. */
  follow(owner: string, namespace: string, selector: string): PodGroup;
  unfollow(owner: string): void;
  /** The pods that this owner follows, by UID. */
  podsOf(owner: string): ReadonlyMap<string, PodFacts>;
  /** Who follows this pod; undefined when there is no such pod. */
  ownersOf(uid: string): readonly string[] | undefined;
}

interface Group {
  readonly namespace: string;
  readonly selector: string;
  readonly matches: (labels: Readonly<Record<string, string>> | undefined) => boolean;
  readonly pods: Map<string, PodFacts>;
  cached: readonly PodFacts[] | undefined;
}

/**
 * @param changed told about every change of a followed pod, with its owners
 * @param gone told when a pod has disappeared
 */
export function createPodIndex(
  reflector: Reflector<KnownPod>,
  changed: (owner: string) => void,
  gone: (uid: string) => void,
): PodIndex {
  const groups = new Map<string, Group>();
  const byNamespace = new Map<string, Set<string>>();
  const owners = new Map<string, string[]>();

  const place = (pod: KnownPod) => {
    const uid = pod.facts.uid;
    const before = owners.get(uid) ?? [];
    const now: string[] = [];
    for (const owner of byNamespace.get(pod.metadata.namespace ?? '') ?? []) {
      const group = groups.get(owner)!;
      if (!group.matches(pod.metadata.labels)) continue;
      group.pods.set(uid, pod.facts);
      group.cached = undefined;
      now.push(owner);
    }
    owners.set(uid, now);
    for (const owner of before) if (!now.includes(owner)) drop(owner, uid);
    for (const owner of now) changed(owner);
  };
  const drop = (owner: string, uid: string) => {
    const group = groups.get(owner);
    if (group === undefined || !group.pods.delete(uid)) return;
    group.cached = undefined;
    changed(owner);
  };

  reflector.subscribe({
    upsert(pod, old) {
      // A pod of the same name that replaced another between two looks (a StatefulSet's) is another pod.
      if (old !== undefined && old.facts.uid !== pod.facts.uid) this.remove(old);
      place(pod);
    },
    remove(pod) {
      const uid = pod.facts.uid;
      for (const owner of owners.get(uid) ?? []) drop(owner, uid);
      owners.delete(uid);
      gone(uid);
    },
  });

  const unfollow = (owner: string) => {
    const group = groups.get(owner);
    if (group === undefined) return;
    groups.delete(owner);
    byNamespace.get(group.namespace)?.delete(owner);
    if (byNamespace.get(group.namespace)?.size === 0) byNamespace.delete(group.namespace);
    for (const uid of group.pods.keys()) {
      owners.set(
        uid,
        (owners.get(uid) ?? []).filter((other) => other !== owner),
      );
    }
  };

  const faceOf = (group: Group): PodGroup => ({
    namespace: group.namespace,
    selector: group.selector,
    pods: group.pods,
    facts() {
      group.cached ??= [...group.pods.values()];
      return group.cached;
    },
  });

  return {
    follow(owner, namespace, selector) {
      const present = groups.get(owner);
      if (present?.namespace === namespace && present.selector === selector) return faceOf(present);
      unfollow(owner);
      // An empty selector would select every pod of the namespace; no target means that.
      const matches = selector === '' ? () => false : labelSelector(selector);
      const group: Group = { namespace, selector, matches, pods: new Map(), cached: undefined };
      groups.set(owner, group);
      const inNamespace = byNamespace.get(namespace) ?? new Set();
      byNamespace.set(namespace, inNamespace.add(owner));
      for (const pod of reflector.items()) if ((pod.metadata.namespace ?? '') === namespace) place(pod);
      return faceOf(group);
    },
    unfollow,
    podsOf: (owner) => groups.get(owner)?.pods ?? new Map(),
    ownersOf: (uid) => owners.get(uid),
  };
}
