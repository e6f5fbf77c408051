// What is asked of Prometheus and what its answer means. Pure. A query that nobody wrote is never cluster-wide: it is
// about the target's own pods, by the labels that every scrape configuration for pods gives (`namespace`, `pod`).
import type { ExternalSample, MissingCause } from '@kubeai/decision';
import type { KnownMetricName, MetricName, MetricTarget } from '@kubeai/policy';
import { type Instant, seconds } from '@kubeai/units';
import { z } from 'zod';

const quantile = (q: number, histogram: string) => (of: string) =>
  `1000 * histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket${of}[1m])))`;

/** Over the agents' own metrics, in the unit of the policy's metric. The others cannot be had from there. */
const defaultQueries: Readonly<Partial<Record<KnownMetricName, (of: string) => string>>> = {
  latencyP99: quantile(0.99, 'kubeai_request_duration_seconds'),
  latencyP95: quantile(0.95, 'kubeai_request_duration_seconds'),
  timeToFirstTokenP99: quantile(0.99, 'kubeai_time_to_first_token_seconds'),
  timeToFirstTokenP95: quantile(0.95, 'kubeai_time_to_first_token_seconds'),
  interTokenLatencyP99: quantile(0.99, 'kubeai_inter_token_seconds'),
  interTokenLatencyP95: quantile(0.95, 'kubeai_inter_token_seconds'),
  concurrency: (of) => `sum(kubeai_requests_in_flight${of})`,
  requestQueueDepth: (of) => `sum(kubeai_queue_length${of})`,
  tokensPerSecond: (of) => `sum(rate(kubeai_generated_tokens_total${of}[1m]))`,
  gpuUtilization: (of) => `avg(kubeai_gpu_utilization_percent${of})`,
  gpuMemory: (of) => `100 * sum(kubeai_gpu_memory_used_bytes${of}) / sum(kubeai_gpu_memory_total_bytes${of})`,
  kvCacheUtilization: (of) => `100 * avg(kubeai_engine_kv_cache_ratio${of})`,
};

/**
 * The PromQL to ask for a metric: its own, else a default over the given pods. Undefined when the metric is not to be
 * asked for, or there is nothing to ask about.
 */
export function queryOf(metric: MetricTarget, namespace: string, pods: readonly string[]): string | undefined {
  if (metric.source === 'agents') return undefined;
  if (metric.prometheusQuery !== undefined) return metric.prometheusQuery;
  const standard = defaultQueries[metric.name as KnownMetricName];
  if (metric.source !== 'prometheus' || standard === undefined || pods.length === 0) return undefined;
  // A backslash in a PromQL string is written twice.
  const names = pods.map((name) => name.replaceAll('.', '\\\\.')).join('|');
  return standard(`{namespace="${namespace}",pod=~"${names}"}`);
}

const point = z.tuple([z.number(), z.string()]);
const answerSchema = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('scalar'), result: point }),
    z.object({ resultType: z.literal('vector'), result: z.array(z.object({ value: point })) }),
    z.object({ resultType: z.literal('matrix') }),
    z.object({ resultType: z.literal('string') }),
  ]),
});

/** What an answer of /api/v1/query says of a metric. Its age is by the sample's own timestamp; negative is the future. */
export function sampleOf(name: MetricName, answer: unknown, now: Instant): ExternalSample {
  const missing = (cause: MissingCause): ExternalSample => ({ kind: 'missing', name, cause });
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) return missing('Refused');
  const { data } = parsed.data;
  if (data.resultType === 'matrix') return missing('SeveralSeries');
  if (data.resultType === 'string') return missing('NotANumber');
  if (data.resultType === 'vector' && data.result.length > 1) return missing('SeveralSeries');
  const sample = data.resultType === 'scalar' ? data.result : data.result[0]?.value;
  if (sample === undefined) return missing('NoSeries');
  const [at, text] = sample;
  return { kind: 'value', name, value: numberOf(text), ageMs: now - seconds(at) };
}

/** As Prometheus writes numbers; infinite ones in its own way. */
function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return text.trim() === '' ? Number.NaN : Number(text);
}
