// The /metrics page, under the names, labels and buckets of vLLM v1 (read from a page of March 2026), so that whatever
// reads a real engine reads this one. Gauges are looked up when somebody scrapes; only tokens and ended requests are
// counted as they happen.
import { elapsed, inSeconds } from '@kubeai/units';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { EngineState, Sequence, Step } from './engine.ts';

export interface EngineMetrics {
  /** Takes in what one step brought. */
  step(step: Step): void;
  /** A request whose client went away. */
  aborted(): void;
  /** The page in Prometheus text format. */
  render(): Promise<string>;
  readonly contentType: string;
}

/** Buckets, in seconds except for the counts. */
const buckets = {
  firstToken: [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2_560,
  ],
  gap: [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80],
  request: [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1_920, 7_680],
  tokens: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000],
  stepTokens: [1, 8, 16, 32, 64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384],
} as const;

export function createMetrics(
  served: { readonly model: string; readonly kvBlocks: number; readonly blockTokens: number },
  state: () => EngineState,
): EngineMetrics {
  const registry = new Registry();
  registry.setDefaultLabels({ engine: '0', model_name: served.model });
  const registers = [registry];

  const gauge = (name: string, help: string, read: (state: EngineState) => number) =>
    new Gauge({
      name: `vllm:${name}`,
      help,
      registers,
      collect() {
        this.set(read(state()));
      },
    });
  const counter = (name: string, help: string) => new Counter({ name: `vllm:${name}`, help, registers });
  const histogram = (name: string, help: string, edges: readonly number[]) =>
    new Histogram({ name: `vllm:${name}`, help, buckets: [...edges], registers });

  gauge('num_requests_running', 'Number of requests in model execution batches.', ({ running }) => running);
  gauge('num_requests_waiting', 'Number of requests waiting to be processed.', ({ waiting }) => waiting);
  gauge('kv_cache_usage_perc', 'KV-cache usage. 1 means 100 percent usage.', ({ kvUsage }) => kvUsage);
  new Counter({
    name: 'vllm:num_preemptions_total',
    help: 'Cumulative number of preemption from the engine.',
    registers,
    collect() {
      this.reset();
      this.inc(state().preemptions);
    },
  });
  const promptTokens = counter('prompt_tokens_total', 'Number of prefill tokens processed.');
  const generationTokens = counter('generation_tokens_total', 'Number of generation tokens processed.');
  const ended = new Counter({
    name: 'vllm:request_success_total',
    help: 'Count of successfully processed requests.',
    labelNames: ['finished_reason'],
    registers,
  });
  for (const finished_reason of ['stop', 'length', 'abort', 'error']) ended.inc({ finished_reason }, 0);

  const prompt = histogram('request_prompt_tokens', 'Number of prefill tokens processed.', buckets.tokens);
  const generation = histogram('request_generation_tokens', 'Number of generation tokens processed.', buckets.tokens);
  const maxTokens = histogram(
    'request_params_max_tokens',
    'Histogram of the max_tokens request parameter.',
    buckets.tokens,
  );
  const stepTokens = histogram(
    'iteration_tokens_total',
    'Histogram of number of tokens per engine_step.',
    buckets.stepTokens,
  );
  const firstToken = histogram(
    'time_to_first_token_seconds',
    'Histogram of time to first token in seconds.',
    buckets.firstToken,
  );
  const gap = histogram('inter_token_latency_seconds', 'Histogram of inter-token latency in seconds.', buckets.gap);
  const perToken = histogram(
    'request_time_per_output_token_seconds',
    'Histogram of time_per_output_token_seconds per request.',
    buckets.gap,
  );
  const whole = histogram(
    'e2e_request_latency_seconds',
    'Histogram of e2e request latency in seconds.',
    buckets.request,
  );
  const phase = (name: string, word: string) =>
    histogram(`request_${name}_time_seconds`, `Histogram of time spent in ${word} phase for request.`, buckets.request);
  const queue = phase('queue', 'WAITING');
  const inference = phase('inference', 'RUNNING');
  const prefill = phase('prefill', 'PREFILL');
  const decode = phase('decode', 'DECODE');

  new Gauge({
    name: 'vllm:cache_config_info',
    help: 'Information of the LLMEngine CacheConfig',
    labelNames: ['block_size', 'num_gpu_blocks'],
    registers,
  }).set({ block_size: String(served.blockTokens), num_gpu_blocks: String(served.kvBlocks) }, 1);

  function observeEnd(sequence: Sequence): void {
    const { arrivedAt, scheduledAt, firstTokenAt, lastTokenAt } = sequence;
    const decoding = inSeconds(elapsed(firstTokenAt!, lastTokenAt!));
    ended.inc({ finished_reason: 'length' });
    prompt.observe(sequence.promptTokens);
    generation.observe(sequence.generated);
    maxTokens.observe(sequence.maxTokens);
    whole.observe(inSeconds(elapsed(arrivedAt, lastTokenAt!)));
    queue.observe(inSeconds(elapsed(arrivedAt, scheduledAt!)));
    inference.observe(inSeconds(elapsed(scheduledAt!, lastTokenAt!)));
    prefill.observe(inSeconds(elapsed(scheduledAt!, firstTokenAt!)));
    decode.observe(decoding);
    if (sequence.generated > 1) perToken.observe(decoding / (sequence.generated - 1));
  }

  return {
    step({ endedAt, tokens, emissions }) {
      stepTokens.observe(tokens);
      generationTokens.inc(emissions.length);
      for (const { sequence, previousTokenAt, finished } of emissions) {
        if (previousTokenAt === undefined) {
          promptTokens.inc(sequence.promptTokens);
          firstToken.observe(inSeconds(elapsed(sequence.arrivedAt, endedAt)));
        } else gap.observe(inSeconds(elapsed(previousTokenAt, endedAt)));
        if (finished) observeEnd(sequence);
      }
    },
    aborted: () => ended.inc({ finished_reason: 'abort' }),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  };
}
