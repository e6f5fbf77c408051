// What is asked of Prometheus and what its answer means. Pure. A query that nobody wrote is never cluster-wide: it is
// about the target's own pods, by the labels that every scrape configuration for pods gives (`namespace`, `pod`).
import type { ExternalSample, MissingCause } from '@kubeai/decision';
import type { KnownMetricName, MetricName, MetricTarget } from '@kubeai/policy';
import { type Instant, inSeconds, type Milliseconds, seconds } from '@kubeai/units';
import { z } from 'zod';

/** `of` selects the target's own pods; `span` is what rates are taken over, such as `1m`. */
type Query = (of: string, span: string) => string;

const inFlight: Query = (of) => `sum(kubeai_requests_in_flight${of})`;

/** Without any request a percentile is NaN, which would hold an idle target at its size for ever: then it is 0. */
const quantile =
  (q: number, histogram: string): Query =>
  (of, span) =>
    `(1000 * histogram_quantile(${q}, sum by (le) (rate(${histogram}_bucket${of}[${span}]))) >= 0) or ${inFlight(of, span)} == 0`;

const share =
  (used: string, most: string): Query =>
  (of) =>
    `100 * avg(sum by (pod) (${used}${of}) / sum by (pod) (${most}${of}))`;

/**
 * Over the agents' own metrics, in the unit of the policy's metric. Work is not among them: what a token costs is learned
 * from the reports of single replicas.
 */
const defaultQueries: Readonly<Partial<Record<KnownMetricName, Query>>> = {
  latencyP99: quantile(0.99, 'kubeai_request_duration_seconds'),
  latencyP95: quantile(0.95, 'kubeai_request_duration_seconds'),
  timeToFirstTokenP99: quantile(0.99, 'kubeai_time_to_first_token_seconds'),
  timeToFirstTokenP95: quantile(0.95, 'kubeai_time_to_first_token_seconds'),
  interTokenLatencyP99: quantile(0.99, 'kubeai_inter_token_seconds'),
  interTokenLatencyP95: quantile(0.95, 'kubeai_inter_token_seconds'),
  concurrency: inFlight,
  requestQueueDepth: (of) => `sum(kubeai_queue_length${of})`,
  tokensPerSecond: (of, span) => `sum(rate(kubeai_generated_tokens_total${of}[${span}]))`,
  gpuUtilization: (of) => `avg(max by (pod) (kubeai_gpu_utilization_percent${of}))`,
  gpuMemory: share('kubeai_gpu_memory_used_bytes', 'kubeai_gpu_memory_total_bytes'),
  kvCacheUtilization: (of) => `100 * avg(kubeai_engine_kv_cache_ratio${of})`,
  cpuUtilization: share('kubeai_container_cpu_cores', 'kubeai_container_cpu_limit_cores'),
  memoryUtilization: share('kubeai_container_memory_bytes', 'kubeai_container_memory_limit_bytes'),
};

/** The label by which the answer to a default query tells its two numbers apart. */
const tellsLabel = 'kubeai_tells';

/**
 * The PromQL to ask for a metric: its own, else a default over the given pods, which also asks how many of them were
 * scraped. Undefined when the metric is not to be asked for, or there is nothing to ask about.
 * @param every how often it is asked, which is taken for the interval of scraping too
 */
export function queryOf(
  metric: MetricTarget,
  {
    namespace,
    pods,
    every,
  }: { readonly namespace: string; readonly pods: readonly string[]; readonly every: Milliseconds },
): string | undefined {
  if (metric.source === 'agents') return undefined;
  if (metric.prometheusQuery !== undefined) return metric.prometheusQuery;
  const standard = defaultQueries[metric.name as KnownMetricName];
  if (metric.source !== 'prometheus' || standard === undefined || pods.length === 0) return undefined;
  // A backslash in a PromQL string is written twice.
  const names = pods.map((name) => name.replaceAll('.', '\\\\.')).join('|');
  const of = `{namespace="${namespace}",pod=~"${names}"}`;
  // A rate needs two samples, of which one may be missed.
  const span = `${Math.max(60, Math.ceil(4 * inSeconds(every)))}s`;
  const named = (tells: string, query: string) => `label_replace(${query}, "${tellsLabel}", "${tells}", "", "")`;
  const scraped = `(count(kubeai_requests_in_flight${of}) or vector(0))`;
  return `${named('value', standard(of, span))} or ${named('pods', scraped)}`;
}

const point = z.tuple([z.number(), z.string()]);
const answerSchema = z.object({
  status: z.literal('success'),
  data: z.discriminatedUnion('resultType', [
    z.object({ resultType: z.literal('scalar'), result: point }),
    z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()).default({}), value: point })),
    }),
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
  const isCount = ({ metric }: { readonly metric: Readonly<Record<string, string>> }) => metric[tellsLabel] === 'pods';
  const series = data.resultType === 'scalar' ? [{ value: data.result }] : data.result.filter((each) => !isCount(each));
  if (series.length > 1) return missing('SeveralSeries');
  const sample = series[0]?.value;
  if (sample === undefined) return missing('NoSeries');
  const [at, text] = sample;
  const scraped = data.resultType === 'vector' ? data.result.find(isCount) : undefined;
  return {
    kind: 'value',
    name,
    value: numberOf(text),
    ageMs: now - seconds(at),
    ...(scraped === undefined ? {} : { pods: countOf(scraped.value[1]) }),
  };
}

/** No count is as none. */
const countOf = (text: string): number => (numberOf(text) >= 0 ? Math.floor(numberOf(text)) : 0);

/** As Prometheus writes numbers; infinite ones in its own way. */
function numberOf(text: string): number {
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return text.trim() === '' ? Number.NaN : Number(text);
}
