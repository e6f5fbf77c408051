// The controller's loops: what is watched, what puts a policy into the queue, and who works it off. One object, so that
// main.ts and the tests start the very same thing.
import type { Clock, Log, Timer } from '@kubeai/daemon';
import { lookIn, lookWithoutReport } from '@kubeai/decision';
import {
  createDiscovery,
  createEventRecorder,
  createReflector,
  createWorkQueue,
  type KubeClient,
  resources,
  workOff,
} from '@kubeai/kube';
import { type Milliseconds, milliseconds, seconds } from '@kubeai/units';
import { createIngest, type Ingest } from './ingest.ts';
import { createJournal } from './journal.ts';
import { limits } from './limits.ts';
import type { Memory } from './memory.ts';
import type { Metrics } from './metrics.ts';
import { type KnownPod, type KubePod, knownPod } from './pod-facts.ts';
import { createPodIndex } from './pod-index.ts';
import { createPolicyBook, type HorizontalPodAutoscaler, type PolicyBook, type PolicyObject } from './policy-book.ts';
import { reconcile } from './reconcile.ts';
import { createRepair, type Repair } from './repair.ts';
import { createTargets } from './targets.ts';
import { createTokenReviews } from './token-reviews.ts';
import { createWorld } from './world.ts';

export interface ControllerOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How often each policy is looked at. */
  readonly tick: Milliseconds;
  readonly journal?: string | undefined;
  /** For policies that name none. */
  readonly prometheusUrl?: string | undefined;
  /** GPUs by the name of a budget. */
  readonly gpuBudgets?: ReadonlyMap<string, number> | undefined;
  /** Where modules of algorithms may lie; without it none is run. */
  readonly pluginDirectory?: string | undefined;
}

export interface Controller {
  readonly ingest: Ingest;
  readonly policies: PolicyBook;
  readonly repair: Repair;
  memories(): ReadonlyMap<string, Memory>;
  /** What has not been listed yet; undefined once the world is known. */
  unsynced(): string | undefined;
  /** Begins to decide and to scale, once the world is known. */
  start(): Promise<void>;
  queueLength(): number;
  droppedEvents(): number;
  droppedJournal(): number;
  /** Takes no more work, finishes what is under way and writes what was not written. */
  stop(): Promise<void>;
}

export async function createController(options: ControllerOptions): Promise<Controller> {
  const { client, clock, log, metrics, tick } = options;
  const queue = createWorkQueue<string>({
    clock,
    mostWait: seconds(10),
    observer: metrics.queue,
  });
  // Looks follow the reports; the timer is for targets whose agents are silent.
  const lookedAt = new Map<string, Milliseconds>();
  const ticks = new Map<string, Timer>();
  let leading = false;
  const look = (key: string) => {
    if (leading) queue.add(key);
  };

  const watch = { client, clock, log };
  const discovery = createDiscovery(client, clock);
  const autoscalerKind = await discovery.find('autoscaling/v2', 'HorizontalPodAutoscaler');
  const autoscalers =
    autoscalerKind === undefined
      ? undefined
      : createReflector<HorizontalPodAutoscaler>({ ...watch, resource: resources.horizontalPodAutoscalers });
  const policyObjects = createReflector<PolicyObject>({ ...watch, resource: resources.policies });
  const podObjects = createReflector<KnownPod>({
    ...watch,
    resource: resources.pods,
    keep: (pod) => knownPod(pod as KubePod),
  });
  const policies = createPolicyBook(policyObjects, autoscalers, look);
  const targets = createTargets({
    ...watch,
    discovery,
    changed: (target) => {
      for (const key of policies.claimants(target)) look(key);
    },
  });
  const pods = createPodIndex(podObjects, look, (uid) => ingest.forget(uid));
  const events = createEventRecorder({ client, clock, log, component: 'kubeai-controller' });
  const repair = createRepair({ ...watch, pods: podObjects, targets, events });
  const journal = createJournal(options.journal, log);

  const world = createWorld({
    client,
    clock,
    log,
    policies,
    targets,
    pods,
    repair,
    events,
    journal,
    metrics,
    prometheusUrl: options.prometheusUrl,
    gpuBudgets: options.gpuBudgets ?? new Map(),
    pluginDirectory: options.pluginDirectory,
    reported(key, step) {
      const now = clock.monotonic();
      const due = lookIn(milliseconds(now - (lookedAt.get(key) ?? Number.NEGATIVE_INFINITY)), tick, step);
      if (due === 0) {
        lookedAt.set(key, now);
        look(key);
      } else if (due !== undefined && leading) queue.addAfter(key, due);
    },
  });
  const ingest = createIngest({ tokens: createTokenReviews(client, clock), clock, log, accept: world.accept });

  async function work(key: string): Promise<void> {
    const began = clock.monotonic();
    let result: 'success' | 'error' = 'error';
    lookedAt.set(key, began);
    ticks.get(key)?.stop();
    ticks.delete(key);
    try {
      await reconcile(key, world);
      result = 'success';
      if (policies.read(key) === undefined) lookedAt.delete(key);
      else
        ticks.set(
          key,
          clock.after(lookWithoutReport(tick), () => look(key)),
        );
    } finally {
      metrics.reconciled(result, milliseconds(clock.monotonic() - began));
    }
  }

  const sources = { policies: policyObjects, pods: podObjects, ...(autoscalers && { autoscalers }) };
  const unsynced = (): string | undefined => {
    const missing = Object.entries(sources).find(([, reflector]) => !reflector.hasSynced());
    if (missing !== undefined) return missing[0];
    if (!repair.hasSynced()) return 'namespaces';
    return targets.hasSynced() ? undefined : 'targets';
  };
  let working: Promise<void> | undefined;

  return {
    ingest,
    policies,
    repair,
    memories: world.memories,
    unsynced,
    async start() {
      while (unsynced() !== undefined) await clock.sleep(milliseconds(20));
      leading = true;
      repair.start();
      for (const key of policies.keys()) queue.add(key);
      working = workOff(queue, limits.workers, work, (key, cause) => {
        log.warn('Looking at a policy failed and will be repeated', { policy: key, cause });
      });
    },
    queueLength: () => queue.length(),
    droppedEvents: () => events.dropped(),
    droppedJournal: () => journal.dropped(),
    async stop() {
      for (const timer of ticks.values()) timer.stop();
      queue.shutDown();
      await working;
      ingest.stop();
      await repair.stop();
      await world.stop();
      for (const reflector of Object.values(sources)) reflector.stop();
      targets.stop();
      if (leading) await world.flush();
      await Promise.all([events.flush(), journal.flush()]);
    },
  };
}
