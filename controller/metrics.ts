// What the controller says of itself to Prometheus. Names of controller-runtime where it has one, so that existing
// dashboards work; our own start with kubeai_ and end in their unit. Values that exist anyway are read when scraped.
import { type Decision, type Reason, type ReplicaState, replicaStates, type Snapshot } from '@kubeai/decision';
import type { CallRecord, WorkQueueObserver } from '@kubeai/kube';
import type { Refusal } from '@kubeai/protocol';
import { inSeconds, type Milliseconds } from '@kubeai/units';
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { isMeasured } from './status.ts';

export interface MetricsSources {
  readonly queueLength: () => number;
  readonly isLeader: () => boolean;
  readonly connections: () => number;
  readonly reports: () => { readonly accepted: number; readonly refused: Readonly<Record<Refusal, number>> };
  readonly droppedEvents: () => number;
  readonly droppedJournal: () => number;
  readonly repair: () => {
    /** Pods without an agent, by labelled namespace. */
    readonly missed: ReadonlyMap<string, number>;
    readonly webhookAnswers: boolean;
    readonly restarts: number;
  };
  /** The last decision of each policy. */
  readonly policies: () => Iterable<{
    readonly namespace: string;
    readonly name: string;
    readonly decision: Decision;
    readonly snapshot: Snapshot;
  }>;
}

export interface Metrics {
  readonly registry: Registry;
  readonly queue: WorkQueueObserver;
  called(call: CallRecord): void;
  reconciled(result: 'success' | 'error', took: Milliseconds): void;
  decided(direction: 'up' | 'down', reason: Reason): void;
  /** From the arrival of the newest report to the API server's answer to a growth. */
  reacted(took: Milliseconds): void;
  statusWritten(): void;
  /** Begins to read the sources whenever it is scraped. */
  watch(sources: MetricsSources): void;
}

const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const name = { name: 'policy' };
  const controller = { controller: 'policy' };

  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys added',
    labelNames: ['name'],
    registers,
  }).labels(name);
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys added again after a failure',
    labelNames: ['name'],
    registers,
  }).labels(name);
  const waited = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'Wait before being worked on',
    labelNames: ['name'],
    buckets,
    registers,
  }).labels(name);
  const worked = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'Time worked on',
    labelNames: ['name'],
    buckets,
    registers,
  }).labels(name);
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations by result',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciliations that failed',
    labelNames: ['controller'],
    registers,
  }).labels(controller);
  const times = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Time of a reconciliation',
    labelNames: ['controller'],
    buckets,
    registers,
  }).labels(controller);
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Calls to the API server',
    labelNames: ['method', 'code'],
    registers,
  });
  const requestTimes = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Time of a call to the API server',
    labelNames: ['method'],
    buckets,
    registers,
  });
  const scalings = new Counter({
    name: 'kubeai_scalings_total',
    help: 'Changes of size',
    labelNames: ['direction', 'reason'],
    registers,
  });
  const reactions = new Histogram({
    name: 'kubeai_reaction_seconds',
    help: 'From the newest report to the growth that followed it',
    buckets,
    registers,
  });
  const statusWrites = new Counter({
    name: 'kubeai_status_writes_total',
    help: 'Writes of a policy status',
    registers,
  });

  return {
    registry,
    queue: {
      added: () => adds.inc(),
      retried: () => retries.inc(),
      got: (span) => waited.observe(inSeconds(span)),
      finished: (span) => worked.observe(inSeconds(span)),
    },
    called({ method, code, took }) {
      requests.labels(method, code === 0 ? '<error>' : String(code)).inc();
      requestTimes.labels(method).observe(inSeconds(took));
    },
    reconciled(result, took) {
      reconciles.labels('policy', result).inc();
      if (result === 'error') errors.inc();
      times.observe(inSeconds(took));
    },
    decided: (direction, reason) => scalings.labels(direction, reason).inc(),
    reacted: (took) => reactions.observe(inSeconds(took)),
    statusWritten: () => statusWrites.inc(),
    watch: (sources) => watchSources(registers, sources),
  };
}

function watchSources(registers: Registry[], sources: MetricsSources): void {
  const gauge = (name: string, help: string, read: () => number, labels: Readonly<Record<string, string>> = {}) => {
    new Gauge({
      name,
      help,
      labelNames: Object.keys(labels),
      registers,
      collect() {
        this.labels(labels).set(read());
      },
    });
  };
  gauge('workqueue_depth', 'Keys waiting', sources.queueLength, { name: 'policy' });
  gauge('leader_election_master_status', 'Whether this replica leads', () => Number(sources.isLeader()), {
    name: 'kubeai-controller',
  });
  gauge('kubeai_agents_connected', 'Agents that report now', sources.connections);

  const total = (name: string, help: string, labelNames: string[], read: (counter: Counter<string>) => void) => {
    new Counter({
      name,
      help,
      labelNames,
      registers,
      collect() {
        this.reset();
        read(this);
      },
    });
  };
  total(
    'kubeai_reports_total',
    'Reports by outcome: Accepted, or the reason of their refusal',
    ['outcome'],
    (counter) => {
      const { accepted, refused } = sources.reports();
      counter.labels('Accepted').inc(accepted);
      for (const [reason, count] of Object.entries(refused)) counter.labels(reason).inc(count);
    },
  );
  total('kubeai_dropped_total', 'Events and journal lines that were not written', ['what'], (counter) => {
    counter.labels('event').inc(sources.droppedEvents());
    counter.labels('journal').inc(sources.droppedJournal());
  });
  gauge('kubeai_webhook_answers', 'Whether the newest pod of the labelled namespaces was seen by the webhook', () =>
    Number(sources.repair().webhookAnswers),
  );
  total('kubeai_repairs_total', 'Pods restarted because they had no agent', [], (counter) =>
    counter.inc(sources.repair().restarts),
  );
  new Gauge({
    name: 'kubeai_pods_without_agent',
    help: 'Pods of labelled namespaces that the webhook has not looked at',
    labelNames: ['namespace'],
    registers,
    collect() {
      this.reset();
      for (const [namespace, count] of sources.repair().missed) this.labels(namespace).set(count);
    },
  });
  watchPolicies(registers, sources);
}

/** The present state of each policy. Labels are names and closed lists only. */
function watchPolicies(registers: Registry[], { policies }: MetricsSources): void {
  const labelNames = ['namespace', 'policy'];
  const each = (
    name: string,
    help: string,
    more: string[],
    set: (gauge: Gauge<string>, labels: string[], of: PolicyNow) => void,
  ) => {
    new Gauge({
      name,
      help,
      labelNames: [...labelNames, ...more],
      registers,
      collect() {
        this.reset();
        for (const policy of policies()) set(this, [policy.namespace, policy.name], policy);
      },
    });
  };
  type PolicyNow = ReturnType<MetricsSources['policies']> extends Iterable<infer One> ? One : never;

  // States without replicas are left out, except the one that everybody divides by: thousands of policies are scraped here.
  each('kubeai_replicas', 'Replicas by state', ['state'], (gauge, labels, { snapshot }) => {
    const { counts } = snapshot.ledger;
    for (const state of replicaStates as readonly ReplicaState[]) {
      if (counts[state] > 0 || state === 'serving') gauge.labels(...labels, state).set(counts[state]);
    }
  });
  each('kubeai_desired_replicas', 'Replicas the last decision wants', [], (gauge, labels, { decision }) => {
    gauge.labels(...labels).set(decision.replicas);
  });
  each(
    'kubeai_forecast_replicas',
    'Replicas that the load is foreseen to need, where prediction is on or observed',
    [],
    (gauge, labels, { snapshot }) => {
      if (snapshot.forecast !== undefined) gauge.labels(...labels).set(snapshot.forecast.replicas);
    },
  );
  each(
    'kubeai_forecast_score',
    'Score of the forecast against "as now"; it may be followed below 1',
    [],
    (gauge, labels, { snapshot }) => {
      if (snapshot.forecast !== undefined) gauge.labels(...labels).set(snapshot.forecast.score);
    },
  );
  each(
    'kubeai_signal',
    'A metric of the policy in its own unit (milliseconds, percent, a count or a rate)',
    ['metric'],
    (gauge, labels, { snapshot }) => {
      for (const signal of snapshot.signals) {
        if (isMeasured(signal)) gauge.labels(...labels, signal.name).set(signal.value!);
      }
    },
  );
  each(
    'kubeai_signal_state',
    '1 for the state that a metric is in',
    ['metric', 'state'],
    (gauge, labels, { snapshot }) => {
      for (const { name, state } of snapshot.signals) gauge.labels(...labels, name, state).set(1);
    },
  );
  each('kubeai_decision_reason', '1 for the reason of the last decision', ['reason'], (gauge, labels, { decision }) => {
    gauge.labels(...labels, decision.reason).set(1);
  });
}
