// The world around `decide`: what it looks at, and what becomes of its answer. Everything that can fail is here.
import type { Clock, Log } from '@kubeai/daemon';
import {
  createSignalFold,
  type Decision,
  type DecisionRecord,
  emptyHistory,
  type History,
  ledgerOf,
  type SignalFold,
  type Snapshot,
  stateOf,
} from '@kubeai/decision';
import { type EventRecorder, isKubeError, type KubeClient, nameOf, resources } from '@kubeai/kube';
import type { Policy, PolicyStatus } from '@kubeai/policy';
import type { Report } from '@kubeai/protocol';
import { elapsed, type Instant, milliseconds } from '@kubeai/units';
import { createAlgorithmPlugins } from './algorithm-plugin.ts';
import { announceConditions, announceScaling } from './announcements.ts';
import { type Blocked, conditionsOf, conditionsWhenBlocked, injectedCondition } from './conditions.ts';
import { createForesight, type Foresight } from './foresight.ts';
import { createGpuBudgets } from './gpu-budgets.ts';
import type { Journal } from './journal.ts';
import { limits } from './limits.ts';
import { createMemory, type Memory } from './memory.ts';
import type { Metrics } from './metrics.ts';
import type { PodIndex } from './pod-index.ts';
import type { PolicyBook, PolicyEntry } from './policy-book.ts';
import { createPrometheusSource } from './prometheus-source.ts';
import type { Repair } from './repair.ts';
import { statusOf, statusWhenBlocked, summaryOf, telling, worthWriting } from './status.ts';
import { fieldManager, type TargetState, type Targets } from './targets.ts';

/** A policy that can be looked at. */
export interface Subject {
  readonly key: string;
  readonly entry: PolicyEntry;
  readonly policy: Policy;
  readonly memory: Memory;
  readonly fold: SignalFold;
}

export interface Observed {
  readonly found: TargetState & { kind: 'found' };
  readonly snapshot: Snapshot;
  /** As it was before the decision. */
  readonly history: History;
}

export interface Outcome {
  /** The moment that was decided for. */
  readonly now: Instant;
  readonly decision: Decision;
  readonly history: History;
}

export interface World {
  /** `invalid` when it cannot be used as it is written. */
  readPolicy(key: string): Subject | { readonly invalid: PolicyEntry } | 'deleted';
  /** Throws when the API server cannot be asked. */
  observe(subject: Subject): Promise<Observed | Blocked>;
  /** Scales, and tells everybody. Throws when the API server refuses. */
  apply(subject: Subject, observed: Observed, outcome: Outcome): Promise<void>;
  /** Says why nothing can be decided. */
  block(entry: PolicyEntry, blocked: Blocked): Promise<void>;
  forget(key: string): void;
  now(): Instant;
  /** Takes a report in; false when no such pod is known. */
  accept(report: Report, receivedAt: Instant): boolean;
  memories(): ReadonlyMap<string, Memory>;
  /** Asks nobody any more. */
  stop(): Promise<void>;
  /** Writes what has not been written yet, before an orderly end. */
  flush(): Promise<void>;
}

export interface WorldOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly policies: PolicyBook;
  readonly targets: Targets;
  readonly pods: PodIndex;
  readonly repair: Repair;
  readonly events: EventRecorder;
  readonly journal: Journal;
  readonly metrics: Metrics;
  /** Where Prometheus is, for policies that name none. */
  readonly prometheusUrl: string | undefined;
  /** GPUs by the name of a budget. */
  readonly gpuBudgets: ReadonlyMap<string, number>;
  /** Where modules of algorithms may lie. */
  readonly pluginDirectory: string | undefined;
  /** Something new is known of a policy; `step` when its load has clearly risen. */
  readonly reported: (key: string, step: boolean) => void;
}

export function createWorld(options: WorldOptions): World {
  const { client, clock, events, journal, log, metrics, pods, policies, repair, targets } = options;
  const memories = new Map<string, Memory>();
  const budgets = createGpuBudgets(options.gpuBudgets, policies);
  const plugins = createAlgorithmPlugins(clock, options.pluginDirectory);
  const prometheus = createPrometheusSource({
    client,
    clock,
    log,
    url: options.prometheusUrl,
    deliver: (key, sample, receivedAt) => memories.get(key)?.folding?.fold.acceptExternal(sample, receivedAt),
  });

  function memoryOf(entry: PolicyEntry): Memory {
    const known = memories.get(entry.key);
    // A policy deleted and made again under its name starts afresh.
    if (known !== undefined && known.uid === (entry.object.metadata.uid ?? '')) return known;
    const memory = createMemory(entry, memories.size < limits.trails);
    memories.set(entry.key, memory);
    return memory;
  }

  /** Where a changed policy asks for other metrics, what was measured for the old ones is measured anew, within seconds. */
  function foldOf(memory: Memory, policy: Policy): SignalFold {
    const { folding } = memory;
    if (folding?.policy === policy) return folding.fold;
    const same = folding !== undefined && JSON.stringify(folding.policy.metrics) === JSON.stringify(policy.metrics);
    const fold = same ? folding.fold : createSignalFold(policy);
    memory.folding = { policy, fold };
    return fold;
  }

  function foresightOf(memory: Memory, policy: Policy): Foresight | undefined {
    if (policy.prediction.mode === 'Off') memory.foresight = undefined;
    else memory.foresight ??= createForesight(memory.season);
    return memory.foresight;
  }

  /** Sets the size, or says in the status why not. False when somebody else has set another one meanwhile. */
  async function scale(subject: Subject, { snapshot, found }: Observed, { decision, now }: Outcome): Promise<boolean> {
    const { key, entry, policy, memory } = subject;
    const summary = summaryOf(decision, snapshot.signals, now);
    const target = { ...policy.target, namespace: policy.namespace };
    try {
      if ((await targets.scale(target, found, decision.replicas)) === 'changed') return false;
    } catch (cause) {
      await block(entry, { obstacle: 'ScaleFailed', message: (cause as Error).message });
      throw cause;
    }
    const direction = decision.replicas > decision.current ? 'up' : 'down';
    metrics.decided(direction, decision.reason);
    const reportAt = memory.load.newestAt();
    if (direction === 'up' && reportAt !== undefined) metrics.reacted(elapsed(reportAt, clock.now()));
    log.info('Scaled the target', {
      policy: nameOf(key),
      target: policy.target,
      from: decision.current,
      to: decision.replicas,
      reason: decision.reason,
      message: summary.message,
    });
    announceScaling(events, entry, summary);
    memory.trail?.addEvent({ ...summary, at: now });
    return true;
  }

  function keepRecord({ key, policy, memory }: Subject, observed: Observed, { decision, now }: Outcome): void {
    const last = memory.last?.decision;
    const alike = last?.reason === decision.reason && decision.replicas === decision.current;
    if (alike && elapsed(memory.journalledAt, now) < limits.journalRepeat) return;
    memory.journalledAt = now;
    const { snapshot, history } = observed;
    const record: DecisionRecord = { now, policy, snapshot, history, decision };
    journal.write({ key, ...record });
  }

  /** Writes the status when it is worth it. A failure is not worth a retry of the whole look: the next one writes. */
  async function publish(entry: PolicyEntry, memory: Memory, next: PolicyStatus, now: Instant): Promise<void> {
    announceConditions(events, entry, memory.announced, next, now);
    memory.status = next;
    const told = telling(next);
    if (told !== memory.told) {
      memory.told = told;
      memory.toldSince = now;
    }
    const steadyFor = elapsed(memory.toldSince, now);
    if (worthWriting(memory.written, next, memory.writtenAt, steadyFor, now)) await writeStatus(entry.key, memory, now);
  }

  async function writeStatus(key: string, memory: Memory, now: Instant): Promise<void> {
    const status = memory.status;
    try {
      // The whole status at once: whatever is no longer known must not stay behind.
      await client.patch(resources.policies, nameOf(key), [{ op: 'add', path: '/status', value: status }], {
        kind: 'json',
        subresource: 'status',
        fieldManager,
      });
      memory.written = status;
      memory.writtenAt = now;
      metrics.statusWritten();
    } catch (cause) {
      if (!isKubeError(cause, 404)) log.warn('Status could not be written', { policy: nameOf(key), cause });
    }
  }

  async function block(entry: PolicyEntry, blocked: Blocked): Promise<void> {
    const now = clock.now();
    const generation = entry.object.metadata.generation ?? 0;
    const memory = memoryOf(entry);
    if (blocked.obstacle !== 'ScaleFailed') budgets.noteNothing(entry.key);
    memory.last = undefined;
    memory.load.decided();
    const conditions = conditionsWhenBlocked(blocked, generation);
    await publish(entry, memory, statusWhenBlocked(memory.status, generation, conditions, now), now);
  }

  return {
    readPolicy(key) {
      const entry = policies.read(key);
      if (entry === undefined) return 'deleted';
      if (entry.policy === undefined) return { invalid: entry };
      const { policy } = entry;
      const memory = memoryOf(entry);
      return { key, entry, policy, memory, fold: foldOf(memory, policy) };
    },

    async observe({ key, entry, policy, memory, fold }) {
      const conflict = policies.conflictOf(entry);
      if (conflict !== undefined) return { obstacle: 'Conflict', message: conflict };
      const found = await targets.read({ ...policy.target, namespace: policy.namespace });
      if (found.kind === 'absent') return { obstacle: 'TargetNotFound', message: found.message };
      if (found.kind === 'notScalable') return { obstacle: 'TargetNotScalable', message: found.message };

      const now = clock.now();
      const { replicas, selector } = found.scale;
      const group = pods.follow(key, policy.namespace, selector);
      const facts = group.facts();
      prometheus.follow(key, policy, () => {
        const serving = group.facts().filter((pod) => stateOf(pod) === 'serving');
        return serving.map(({ name }) => name);
      });
      const history = memory.history ?? emptyHistory(replicas, now);
      const ledger = ledgerOf(replicas, facts, history, now);
      const { signals, traffic } = fold.fold(facts, now);
      const horizon = policy.prediction.horizon ?? milliseconds(ledger.startupP90Ms);
      const forecast = foresightOf(memory, policy)?.forecast(horizon, now);
      const snapshot = { replicas, ledger, signals, traffic, ...(forecast === undefined ? {} : { forecast }) };
      const plugin = await plugins.ask(policy, snapshot);
      const gpuReplicas = budgets.mostReplicas(key, policy, replicas);
      return {
        found,
        history,
        snapshot: {
          ...snapshot,
          ...(gpuReplicas === undefined ? {} : { gpuReplicas }),
          ...(plugin === undefined ? {} : { plugin }),
        },
      };
    },

    async apply(subject, observed, outcome) {
      const { key, entry, policy, memory } = subject;
      const { decision, history, now } = outcome;
      const allowed = budgets.mostReplicas(key, policy, decision.current) ?? Number.POSITIVE_INFINITY;
      if (decision.replicas > Math.max(allowed, decision.current)) {
        log.info('Another policy took the GPUs at the same moment', { policy: nameOf(key) });
        return;
      }
      budgets.note(key, decision);
      if (decision.replicas !== decision.current && !(await scale(subject, observed, outcome))) {
        log.info('Somebody else changed the size at the same moment', { policy: nameOf(key) });
        return;
      }
      // Only now: a decision that could not be put in force is made again from the same history.
      memory.history = history;
      memory.foresight?.record(decision, now);
      memory.load.decided();
      const { snapshot } = observed;
      keepRecord(subject, observed, outcome);
      memory.last = { decision, snapshot, summary: summaryOf(decision, snapshot.signals, now) };
      memory.trail?.add(snapshot, decision, now);
      const coverage = repair.coverageOf(policy.namespace, pods.podsOf(key));
      const conditions = [
        ...conditionsOf({ policy, decision, signals: snapshot.signals }),
        injectedCondition(coverage.reason, coverage.missed, policy.generation),
      ];
      const season = memory.foresight?.season();
      const status = statusOf(memory.status, { policy, snapshot, decision, history, season, conditions }, now);
      await publish(entry, memory, status, now);
    },

    block,

    forget(key) {
      memories.delete(key);
      budgets.forget(key);
      pods.unfollow(key);
      prometheus.unfollow(key);
    },

    now: () => clock.now(),

    accept(report, receivedAt) {
      const owners = pods.ownersOf(report.pod.uid);
      if (owners === undefined) return false;
      for (const key of owners) {
        const memory = memories.get(key);
        if (memory?.folding === undefined) continue;
        memory.folding.fold.accept(report, receivedAt);
        options.reported(key, memory.load.add(report, receivedAt));
      }
      return true;
    },

    memories: () => memories,

    async stop() {
      prometheus.stop();
      await plugins.stop();
    },

    async flush() {
      const now = clock.now();
      const unwritten = [...memories].filter(([, memory]) => memory.written !== memory.status);
      await Promise.all(unwritten.map(([key, memory]) => writeStatus(key, memory, now)));
    },
  };
}
