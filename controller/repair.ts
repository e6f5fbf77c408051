// Finds pods that the webhook has missed, and restarts them where their namespace allows it. What is restarted, and when,
// is decided in repair-plan.ts; everything that can fail is here. A restart is an eviction, so PodDisruptionBudgets hold.
import type { Clock, Log, Timer } from '@kubeai/daemon';
import {
  createReflector,
  type EventRecorder,
  isKubeError,
  type KubeClient,
  type KubeObject,
  type Reflector,
  resources,
} from '@kubeai/kube';
import { elapsed, type Instant } from '@kubeai/units';
import { limits } from './limits.ts';
import type { KnownPod } from './pod-facts.ts';
import {
  type Coverage,
  type CoverageReason,
  candidates,
  coverageOf,
  isWhole,
  mayRestart,
  mustRest,
  noRepairs,
  type RepairPod,
  reasonOf,
  restarted,
  withoutRepaired,
} from './repair-plan.ts';
import type { Targets } from './targets.ts';

export interface Repair {
  /** What is known of the pods of one policy, given by their UIDs. */
  coverageOf(
    namespace: string,
    pods: ReadonlyMap<string, unknown>,
  ): { readonly reason: CoverageReason; readonly missed: number };
  /** For metrics: missed pods by labelled namespace, whether the newest pod was seen, and restarts so far. */
  summary(): {
    readonly missed: ReadonlyMap<string, number>;
    readonly webhookAnswers: boolean;
    readonly restarts: number;
  };
  hasSynced(): boolean;
  /** Begins to look and to restart. Pods and namespaces must have been listed. */
  start(): void;
  stop(): Promise<void>;
}

const consent = 'kubeai.io/repair';
/** The webhook leaves their pods as they are, label or not. */
const systemNamespaces: readonly string[] = ['kube-system', 'kube-public', 'kube-node-lease'];

export function createRepair(options: {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly pods: Reflector<KnownPod>;
  readonly targets: Targets;
  readonly events: EventRecorder;
}): Repair {
  const { client, clock, log, pods, targets, events } = options;
  const namespaces = createReflector({
    client,
    clock,
    log,
    resource: resources.namespaces,
    labelSelector: 'kubeai.io/injection=enabled',
    keep: ({ metadata: { name, resourceVersion, annotations } }: KubeObject): KubeObject => ({
      metadata: {
        name,
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
        annotations: { [consent]: annotations?.[consent] ?? '' },
      },
    }),
  });
  let coverage: Coverage = coverageOf([], []);
  let history = noRepairs;
  let restarts = 0;
  let told = 0;
  // The watch tells of a deletion a moment after it was asked for; until then these pods would seem whole.
  const evicted = new Set<string>();
  const refusedAt = new Map<string, Instant>();
  let timer: Timer | undefined;
  let looking: Promise<void> | undefined;

  const consents = (namespace: string): boolean =>
    namespaces.read({ name: namespace })?.metadata.annotations?.[consent] === 'true';

  function look(): void {
    const present = [...pods.items()].filter(({ facts: { phase } }) => phase !== 'Succeeded' && phase !== 'Failed');
    const uids = new Set(present.map(({ facts }) => facts.uid));
    for (const uid of evicted) if (!uids.has(uid)) evicted.delete(uid);
    for (const [uid, at] of refusedAt)
      if (!uids.has(uid) || elapsed(at, clock.now()) >= limits.repairRefused) refusedAt.delete(uid);
    coverage = coverageOf(
      present.map((pod) => repairPodOf(pod, evicted.has(pod.facts.uid))),
      [...namespaces.items()].map(({ metadata }) => metadata.name).filter((name) => !systemNamespaces.includes(name)),
    );
    history = withoutRepaired(history, coverage);
    const missed = [...coverage.missed.values()].reduce((sum, { length }) => sum + length, 0);
    if (missed !== told)
      log[missed > told ? 'warn' : 'info']('Pods without an agent', {
        pods: missed,
        webhookAnswers: coverage.webhookAnswers,
      });
    told = missed;
  }

  /** The oldest pod that may go now. Deployments and StatefulSets are watched: asking for their size costs no call. */
  async function choose(): Promise<RepairPod | undefined> {
    if (!mayRestart(history, coverage.webhookAnswers, clock.now())) return undefined;
    for (const pod of candidates(coverage, consents)) {
      if (refusedAt.has(pod.uid) || mustRest(history, pod, clock.now())) continue;
      const found = await targets.read({ ...pod.workload!, namespace: pod.namespace });
      if (found.kind === 'found' && isWhole(coverage, pod, found.scale.replicas)) return pod;
    }
    return undefined;
  }

  async function restart(pod: RepairPod): Promise<void> {
    const { namespace, name, uid } = pod;
    try {
      await client.evict({ namespace, name }, uid);
    } catch (cause) {
      if (isKubeError(cause, 404) || isKubeError(cause, 409)) return; // it has gone by itself
      refusedAt.set(uid, clock.now());
      const budget = isKubeError(cause, 429);
      log[budget ? 'info' : 'warn']('A pod without an agent could not be restarted yet', { namespace, name, cause });
      return;
    }
    evicted.add(uid);
    restarts += 1;
    history = restarted(history, coverage, pod, clock.now());
    log.info('Restarted a pod that had no agent', { namespace, name, trials: history.trials });
    const message = `Restarted pod ${name}, which had no agent`;
    events.record({ ...pod.workload!, namespace }, 'Normal', 'RestartedForAgent', message);
  }

  async function turn(): Promise<void> {
    look();
    const pod = await choose();
    if (pod !== undefined) await restart(pod);
  }

  return {
    coverageOf(namespace, ofPolicy) {
      const ofNamespace = coverage.missed.get(namespace);
      if (ofNamespace === undefined) return { reason: 'NamespaceNotLabelled', missed: 0 };
      const missed = ofNamespace.filter(({ uid }) => ofPolicy.has(uid));
      return { reason: reasonOf(missed, coverage, consents(namespace), ofPolicy.size), missed: missed.length };
    },
    summary: () => ({
      missed: new Map([...coverage.missed].map(([namespace, { length }]) => [namespace, length])),
      webhookAnswers: coverage.webhookAnswers,
      restarts,
    }),
    hasSynced: () => namespaces.hasSynced(),
    start() {
      look();
      timer = clock.every(limits.repairEvery, () => {
        looking ??= turn()
          .catch((cause: unknown) =>
            log.warn('Looking for pods without an agent failed and will be repeated', { cause }),
          )
          .finally(() => {
            looking = undefined;
          });
      });
    },
    async stop() {
      timer?.stop();
      namespaces.stop();
      await looking;
    },
  };
}

function repairPodOf({ metadata, facts, injection, workload }: KnownPod, evicted: boolean): RepairPod {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: facts.uid,
    injection,
    workload,
    createdAt: facts.createdAt,
    ready: facts.conditions.some(({ type, status }) => type === 'Ready' && status === 'True'),
    leaving: evicted || facts.deletedAt !== undefined,
  };
}
