// What Prometheus scrapes: the books' totals and the sources' newest samples, turned into prom-client's families when
// somebody asks, never in the path of a request. A family is a function of the state, so nothing is kept twice.

import type { PodIdentity, Report } from '@kubeai/protocol';
import type { Sketch } from '@kubeai/sketch';
import type { Metric } from 'prom-client';
import Registry from 'prom-client/lib/registry.js';
import { maxValuesPerTurn } from './limits.ts';
import type { PushState } from './push.ts';
import type { Route } from './route.ts';
import type { RouteTotals, Totals } from './traffic.ts';

export interface Exposed {
  readonly pod: PodIdentity;
  readonly totals: () => Totals;
  readonly report: () => Report | undefined;
  readonly push: () => PushState | undefined;
  readonly refused: () => number;
  readonly inFlight: () => number;
  readonly waitingFirstByte: () => number;
  readonly queued: () => number;
  readonly lostLogLines: () => number;
}

const latencyBuckets = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const tokenBuckets = [0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5];

export const contentType = Registry.PROMETHEUS_CONTENT_TYPE;

type Labels = Readonly<Record<string, string | number>>;
interface Value {
  readonly labels?: Labels;
  readonly value: number;
  /** `_bucket`, `_sum` or `_count` of a histogram. */
  readonly suffix?: string;
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly values: readonly Value[];
}

/** Renders everything in the text format; between the families of a long page requests pass. */
export async function renderMetrics(exposed: Exposed): Promise<string> {
  const registry = new Registry();
  let text = '';
  let values = 0;
  for (const family of families(exposed)) {
    if (family.values.length === 0) continue;
    registry.registerMetric(metricOf(family));
    text += `${await registry.getSingleMetricAsString(family.name)}\n`;
    values += family.values.length;
    if (values < maxValuesPerTurn) continue;
    values = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return text;
}

/** prom-client renders whatever answers `get`: an object spares it, and us, a second set of counters. */
function metricOf({ name, help, type, values }: Family): Metric {
  const get = () => ({
    name,
    help,
    type,
    values: values.map(({ labels = {}, value, suffix = '' }) => ({ labels, value, metricName: name + suffix })),
  });
  return { name, get } as unknown as Metric;
}

function* families(exposed: Exposed): Generator<Family> {
  const totals = exposed.totals();
  const report = exposed.report();
  const push = exposed.push();
  const perRoute = (pick: (totals: RouteTotals, route: Route) => readonly Value[]): Value[] =>
    [...totals.routes].flatMap(([route, each]) =>
      pick(each, route).map((value) => ({ ...value, labels: { route, ...value.labels } })),
    );
  const counter = (name: string, help: string, values: readonly Value[]): Family => ({
    name,
    help,
    type: 'counter',
    values,
  });
  const gauge = (name: string, help: string, values: readonly Value[]): Family => ({
    name,
    help,
    type: 'gauge',
    values,
  });
  const one = (value: number | undefined, labels?: Labels): Value[] =>
    value === undefined ? [] : [labels === undefined ? { value } : { value, labels }];
  const histogram = (
    name: string,
    help: string,
    pick: (totals: RouteTotals) => Sketch,
    buckets: readonly number[],
  ): Family => ({
    name,
    help,
    type: 'histogram',
    values: perRoute((each) => histogramValues(pick(each), buckets)),
  });
  const { engine, gpu, container, host } = report ?? {};

  yield gauge('kubeai_agent_info', 'Which pod this agent measures; always 1.', one(1, { ...exposed.pod }));
  yield counter(
    'kubeai_requests_total',
    'Requests answered to the end, by route and status class.',
    perRoute(({ statuses }) => [...statuses].map(([status, value]) => ({ value, labels: { status } }))),
  );
  yield counter(
    'kubeai_requests_failed_total',
    'Requests the model server broke off or did not accept.',
    perRoute((each) => one(each.failed)),
  );
  yield counter(
    'kubeai_requests_aborted_total',
    'Requests whose client went away first.',
    perRoute((each) => one(each.aborted)),
  );
  yield counter(
    'kubeai_requests_rejected_total',
    'Requests turned away by the concurrency limit.',
    perRoute((each) => one(each.rejected)),
  );
  yield histogram(
    'kubeai_request_duration_seconds',
    'From the head of a request to the last byte of its answer; errors left out.',
    (each) => each.latencyMs,
    latencyBuckets,
  );
  yield histogram(
    'kubeai_time_to_first_byte_seconds',
    'From the head of a request to the first byte of its answer.',
    (each) => each.timeToFirstByteMs,
    latencyBuckets,
  );
  yield histogram(
    'kubeai_time_to_first_token_seconds',
    'From the head of a request to the first output of a stream.',
    (each) => each.timeToFirstTokenMs,
    latencyBuckets,
  );
  yield histogram(
    'kubeai_inter_token_seconds',
    'Between two outputs of one stream.',
    (each) => each.interTokenMs,
    tokenBuckets,
  );
  yield gauge(
    'kubeai_requests_in_flight',
    'Requests without their whole answer; probes left out.',
    // Where requests do not pass us, zero would be an invention.
    one(report?.unobserved === true ? undefined : exposed.inFlight()),
  );
  yield gauge(
    'kubeai_requests_waiting_first_byte',
    'Requests without the first byte of an answer; probes left out.',
    one(exposed.waitingFirstByte()),
  );
  yield gauge('kubeai_requests_queued', 'Requests held back by the concurrency limit.', one(exposed.queued()));
  yield counter('kubeai_prompt_tokens_total', 'Prompt tokens, where answers told.', one(totals.promptTokens));
  yield counter(
    'kubeai_generated_tokens_total',
    'Tokens sent to clients, told or counted.',
    one(totals.generatedTokens),
  );
  yield counter('kubeai_connections_total', 'Connections accepted.', one(totals.connections));
  yield gauge('kubeai_connections_open', 'Connections open now.', one(totals.openConnections));
  yield counter(
    'kubeai_connections_refused_total',
    'Connections that the model server did not accept.',
    one(exposed.refused()),
  );
  yield counter(
    'kubeai_connections_unobserved_total',
    'Connections that passed on without being measured, by reason.',
    [...totals.unobserved].map(([reason, value]) => ({ value, labels: { reason } })),
  );
  yield gauge(
    'kubeai_queue_length',
    'Requests that wait for a place, by the source that says so.',
    one(report?.queue.length, { source: report?.queue.source ?? '' }),
  );
  yield gauge(
    'kubeai_engine_requests_waiting',
    "The engine's own queue.",
    one(engine?.waiting, { engine: engine?.name ?? '' }),
  );
  yield gauge(
    'kubeai_engine_requests_running',
    'Requests the engine works on.',
    one(engine?.running, { engine: engine?.name ?? '' }),
  );
  yield gauge(
    'kubeai_engine_kv_cache_ratio',
    'Share of the KV cache in use.',
    one(engine?.kvCacheRatio, { engine: engine?.name ?? '' }),
  );
  yield gauge(
    'kubeai_gpu_utilization_percent',
    'Share of time in which a kernel ran, by device.',
    (gpu?.devices ?? []).flatMap((device) => one(device.utilizationPercent, gpuLabels(gpu!.source, device))),
  );
  yield gauge(
    'kubeai_gpu_memory_used_bytes',
    'GPU memory in use, by device.',
    (gpu?.devices ?? []).flatMap((device) => one(device.memoryUsedBytes, gpuLabels(gpu!.source, device))),
  );
  yield gauge(
    'kubeai_gpu_memory_total_bytes',
    'GPU memory, by device.',
    (gpu?.devices ?? []).flatMap((device) => one(device.memoryTotalBytes, gpuLabels(gpu!.source, device))),
  );
  yield gauge(
    'kubeai_gpu_mark',
    'What makes GPU numbers mean less than they say; 1 where it holds.',
    (gpu?.marks ?? []).map((mark) => ({ value: 1, labels: { mark } })),
  );
  yield gauge('kubeai_container_cpu_cores', 'CPU of the model server.', one(container?.cpuCores));
  yield gauge(
    'kubeai_container_cpu_limit_cores',
    'CPU it may use; absent without a limit.',
    one(container?.cpuLimitCores),
  );
  yield gauge('kubeai_container_memory_bytes', 'Memory of the model server.', one(container?.memoryBytes));
  yield gauge(
    'kubeai_container_memory_limit_bytes',
    'Memory it may use; absent without a limit.',
    one(container?.memoryLimitBytes),
  );
  yield gauge('kubeai_host_cpu_ratio', 'Share of all cores of the node in use.', one(host?.cpuRatio));
  yield gauge('kubeai_host_memory_used_bytes', 'Memory of the node in use.', one(host?.memoryUsedBytes));
  yield gauge(
    'kubeai_sample_age_seconds',
    'Age of the newest sample of each source.',
    Object.entries({ engine, gpu, container, host }).flatMap(([source, sample]) =>
      one(sample && sample.ageMs / 1_000, { source }),
    ),
  );
  yield gauge(
    'kubeai_sample_absent',
    'Sources that say nothing, with the reason; 1 where it holds.',
    Object.entries(report?.absent ?? {}).map(([source, reason]) => ({ value: 1, labels: { source, reason } })),
  );
  yield counter('kubeai_log_lines_lost_total', 'Log lines that could not be written.', one(exposed.lostLogLines()));
  yield gauge('kubeai_push_connected', '1 while the controller is connected.', one(push && Number(push.connected)));
  yield gauge('kubeai_push_kept_reports', 'Reports that wait for an acknowledgement.', one(push?.kept));
  yield counter('kubeai_push_accepted_total', 'Reports the controller took.', one(push?.accepted));
  yield counter('kubeai_push_refused_total', 'Reports the controller refused.', one(push?.refused));
  yield counter('kubeai_push_dropped_total', 'Reports that became too old before they arrived.', one(push?.dropped));
  yield counter(
    'kubeai_push_connections_total',
    'Connections to the controller that were tried.',
    one(push?.connections),
  );
}

const gpuLabels = (source: string, device: { readonly index?: number; readonly uuid?: string }): Labels => ({
  source,
  gpu: device.index ?? '',
  uuid: device.uuid ?? '',
});

function histogramValues(sketch: Sketch, buckets: readonly number[]): Value[] {
  if (sketch.count === 0) return [];
  return [
    ...buckets.map((le) => ({ value: sketch.countAtMost(le * 1_000), labels: { le }, suffix: '_bucket' })),
    { value: sketch.count, labels: { le: '+Inf' }, suffix: '_bucket' },
    { value: sketch.sum / 1_000, suffix: '_sum' },
    { value: sketch.count, suffix: '_count' },
  ];
}
