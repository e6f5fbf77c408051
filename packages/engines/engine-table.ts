// Which series of which engine says what: one table, an engine a block, a signal a row. Engines rename their series, so
// a row lists every name that was seen, newest first; the first one that has a known value counts, which also keeps a
// page that writes both the old and the new name from being counted twice.
//
// Names stand here in canonical form: a colon is an underscore (exporters and OTel collectors rewrite it), and the
// `ray_` that Ray Serve puts before a replica's series is gone.

/** One series or several, and how they become one number. Numbers are sums over series unless `fold` says otherwise. */
export interface Row {
  readonly series: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  /** Factor to the unit that the field's name states. */
  readonly scale?: number;
  /** `max`: of ratios, the fullest rank counts, since it is the one that preempts first. */
  readonly fold?: 'sum' | 'max';
  /** Added where it is known, for an engine that keeps one kind of number in two places. */
  readonly plus?: Row;
  /** Read where this row knows nothing, for an engine that moved a number under other labels. */
  readonly or?: Row;
}

/** Signals that every engine is asked for. Tokens and requests are cumulative, histograms are in seconds. */
export interface EngineRows {
  readonly waiting?: Row;
  readonly running?: Row;
  readonly swapped?: Row;
  readonly maxRunning?: Row;
  readonly kvCacheRatio?: Row;
  /** Used and maximum, for an engine that gives no ratio. */
  readonly kvCacheParts?: { readonly used: Row; readonly of: Row };
  readonly promptTokens?: Row;
  readonly generatedTokens?: Row;
  readonly requestsSucceeded?: Row;
  readonly requestsFailed?: Row;
  readonly timeToFirstToken?: Row;
  readonly interTokenLatency?: Row;
  readonly timePerOutputToken?: Row;
  readonly requestLatency?: Row;
  readonly queueTime?: Row;
  /** What only this engine says, under the name that `more` of a reading carries. */
  readonly more?: Readonly<Record<string, Row>>;
  /** The same for histograms, in the unit that the engine publishes. */
  readonly moreHistograms?: Readonly<Record<string, Row>>;
}

export interface EngineEntry extends EngineRows {
  /** A page belongs to the first engine of the table of which it shows one of these names or prefixes (`…_`). */
  readonly seenBy: readonly string[];
}

const row = (...series: string[]): Row => ({ series });
const fullest = (...series: string[]): Row => ({ series, fold: 'max' });
/** The series of one label value; the TensorRT-LLM backend tells its numbers apart by labels, not by names. */
const labelled = (label: string, value: string, ...series: string[]): Row => ({ series, labels: { [label]: value } });
const request = (type: string) =>
  labelled('request_type', type, 'nv_trt_llm_request_metrics', 'nv_trt_llm_request_statistics');
const block = (type: string) =>
  labelled('kv_cache_block_type', type, 'nv_trt_llm_kv_cache_block_metrics', 'nv_trt_llm_kv_cache_block_statistics');

/** Dynamo's frontend, which had another prefix until the summer of 2025. */
const frontend = (name: string) => [`dynamo_frontend_${name}`, `nv_llm_http_service_${name}`];

/** What vLLM called things, and everybody who took its names over, under a prefix of their own. */
const likeVllm = (prefix: string): EngineRows => ({
  waiting: row(`${prefix}num_requests_waiting`, `${prefix}num_requests_waiting_by_reason`),
  running: row(`${prefix}num_requests_running`),
  swapped: row(`${prefix}num_requests_swapped`),
  maxRunning: row(`${prefix}num_request_max`),
  kvCacheRatio: fullest(`${prefix}kv_cache_usage_perc`, `${prefix}gpu_cache_usage_perc`),
  promptTokens: row(`${prefix}prompt_tokens_total`, `${prefix}prompt_tokens`),
  generatedTokens: row(`${prefix}generation_tokens_total`, `${prefix}generation_tokens`),
  requestsSucceeded: row(`${prefix}request_success_total`, `${prefix}request_success`),
  requestsFailed: row(`${prefix}request_failure_total`),
  timeToFirstToken: row(`${prefix}time_to_first_token_seconds`),
  interTokenLatency: row(`${prefix}inter_token_latency_seconds`),
  timePerOutputToken: row(`${prefix}time_per_output_token_seconds`, `${prefix}request_time_per_output_token_seconds`),
  requestLatency: row(`${prefix}e2e_request_latency_seconds`),
  queueTime: row(`${prefix}request_queue_time_seconds`, `${prefix}time_in_queue_requests`),
  more: { preemptions: row(`${prefix}num_preemptions_total`, `${prefix}num_preemptions`) },
});

/** TGI's names, which LightLLM took over; Python's client ends counters in `_total`. */
const likeTgi = (prefix: string): EngineRows => ({
  waiting: row(`${prefix}queue_size`),
  running: row(`${prefix}batch_current_size`),
  promptTokens: row(`${prefix}request_input_length_sum`),
  generatedTokens: row(`${prefix}request_generated_tokens_sum`),
  requestsSucceeded: row(`${prefix}request_success`, `${prefix}request_success_total`),
  requestsFailed: row(`${prefix}request_failure`, `${prefix}request_failure_total`),
  timePerOutputToken: row(`${prefix}request_mean_time_per_token_duration`),
  requestLatency: row(`${prefix}request_duration`),
  queueTime: row(`${prefix}request_queue_duration`),
  more: {
    batchSize: row(`${prefix}batch_current_size`),
    requests: row(`${prefix}request_count`, `${prefix}request_count_total`),
  },
  moreHistograms: { inferenceDuration: row(`${prefix}request_inference_duration`) },
});

const triton: EngineRows = {
  requestsSucceeded: row('nv_inference_request_success'),
  requestsFailed: row('nv_inference_request_failure'),
  more: {
    pendingRequestCount: row('nv_inference_pending_request_count'),
    requestDurationMicroseconds: row('nv_inference_request_duration_us'),
    queueDurationMicroseconds: row('nv_inference_queue_duration_us'),
    gpuUtilizationRatio: fullest('nv_gpu_utilization'),
    gpuMemoryUsedBytes: row('nv_gpu_memory_used_bytes'),
    gpuMemoryTotalBytes: row('nv_gpu_memory_total_bytes'),
    powerWatts: row('nv_gpu_power_usage'),
  },
};

/** Names of vLLM without its prefix. One alone could be anybody's: of these engines a page must show two of them. */
export const bareNames: readonly string[] = [
  'num_requests_running',
  'num_requests_waiting',
  'gpu_cache_usage_perc',
  'kv_cache_usage_perc',
  'npu_cache_usage_perc',
];
export const bareEngines: readonly string[] = ['mindie', 'nim'];
/** These pass another engine's page through: one series of it says that it runs inside. */
export const hosts: readonly string[] = ['triton', 'dynamo', 'kserve', 'ray-serve'];

// Order matters: what passes another engine's page through (Dynamo, Triton, KServe) comes after the engine itself.
export const engineTable = {
  vllm: { seenBy: ['vllm_'], ...likeVllm('vllm_') },
  sglang: {
    seenBy: ['sglang_'],
    ...likeVllm('sglang_'),
    // A decode worker keeps in a queue of their own those for whose cache it has no room yet. Those whose cache is on its way
    // (`decode_transfer`) wait for the prefill worker, and those that wait there for this one are counted here already.
    waiting: {
      ...row('sglang_num_queue_reqs', 'sglang_num_requests_waiting'),
      plus: row('sglang_num_decode_prealloc_queue_reqs'),
    },
    running: row('sglang_num_running_reqs', 'sglang_num_requests_running'),
    maxRunning: row('sglang_max_running_requests'),
    kvCacheRatio: fullest('sglang_token_usage'),
    queueTime: row('sglang_queue_time_seconds', 'sglang_request_queue_time_seconds'),
    more: {
      // Percent in 2024, a ratio since: handed on as written.
      cacheHitRate: fullest('sglang_cache_hit_rate'),
      usedTokens: row('sglang_num_used_tokens'),
      requests: row('sglang_num_requests_total'),
      generationThroughput: row('sglang_gen_throughput'),
    },
  },
  lmdeploy: {
    seenBy: ['lmdeploy_'],
    ...likeVllm('lmdeploy_'),
    interTokenLatency: row('lmdeploy_inter_token_latency_seconds', 'lmdeploy_iter_token_latency'),
    requestsFailed: row('lmdeploy_num_requests_failed'),
    // Those that have no handle of the engine yet; they come before its own queue.
    more: { apiWaiting: row('lmdeploy_num_api_requests_waiting') },
  },
  'trtllm-serve': {
    seenBy: ['trtllm_'],
    ...likeVllm('trtllm_'),
    requestsFailed: row('trtllm_request_error_total', 'trtllm_request_failed_total'),
    maxRunning: row('trtllm_max_num_active_requests'),
    // Paused: their cache was given up, and they wait to come back.
    swapped: row('trtllm_num_paused_requests'),
    kvCacheRatio: fullest('trtllm_kv_cache_utilization'),
    kvCacheParts: { used: row('trtllm_kv_cache_used_blocks'), of: row('trtllm_kv_cache_max_blocks') },
    more: {
      cacheHitRate: fullest('trtllm_kv_cache_hit_rate'),
      kvBlocksUsed: row('trtllm_kv_cache_used_blocks'),
      kvBlocksFree: row('trtllm_kv_cache_free_blocks'),
      kvBlocksMax: row('trtllm_kv_cache_max_blocks'),
    },
  },
  'triton-tensorrt-llm': {
    seenBy: ['nv_trt_llm_'],
    ...triton,
    // In-flight batching takes requests from Triton at once, so Triton's own pending count says nothing about a queue;
    // the backend of 2023 does not count its waiting requests.
    waiting: request('waiting'),
    running: request('scheduled'),
    maxRunning: request('max'),
    kvCacheRatio: { ...block('fraction'), fold: 'max' },
    kvCacheParts: { used: block('used'), of: block('max') },
    generatedTokens: labelled('v1_specific_metric', 'total_generation_tokens', 'nv_trt_llm_v1_metrics'),
    more: {
      ...triton.more,
      scheduled: request('scheduled'),
      context: request('context'),
      active: request('active'),
      max: request('max'),
      kvBlocksUsed: block('used'),
      kvBlocksFree: block('free'),
      kvBlocksMax: block('max'),
    },
  },
  triton: {
    seenBy: ['nv_inference_'],
    ...triton,
    waiting: row('nv_inference_pending_request_count'),
    timeToFirstToken: { series: ['nv_inference_first_response_histogram_ms'], scale: 1e-3 },
  },
  dynamo: {
    seenBy: ['dynamo_frontend_', 'dynamo_component_', 'nv_llm_http_service_'],
    waiting: row('dynamo_frontend_stage_requests', 'dynamo_frontend_queued_requests'),
    running: row(
      'dynamo_frontend_active_requests',
      ...frontend('inflight_requests'),
      // A worker's, whose page has no frontend.
      'dynamo_component_inflight_requests',
    ),
    // A ratio in spite of its name.
    kvCacheRatio: fullest(
      'dynamo_component_gpu_cache_usage_percent',
      'dynamo_component_kvstats_gpu_cache_usage_percent',
    ),
    generatedTokens: row('dynamo_frontend_output_tokens_total', ...frontend('output_sequence_tokens_sum')),
    promptTokens: row('dynamo_frontend_input_tokens_total', ...frontend('input_sequence_tokens_sum')),
    requestsSucceeded: {
      ...labelled('status', 'success', ...frontend('requests_total')),
      or: row('dynamo_frontend_request_success_count'),
    },
    requestsFailed: {
      ...labelled('status', 'error', ...frontend('requests_total')),
      or: row('dynamo_component_errors_total'),
    },
    timeToFirstToken: row(...frontend('time_to_first_token_seconds')),
    interTokenLatency: row(...frontend('inter_token_latency_seconds')),
    requestLatency: row(...frontend('request_duration_seconds'), 'dynamo_component_request_duration_seconds'),
    more: {
      inflight: row(...frontend('inflight_requests'), 'dynamo_frontend_active_requests'),
      queued: row('dynamo_frontend_queued_requests', 'dynamo_frontend_stage_requests'),
      disconnected: row('dynamo_frontend_disconnected_clients'),
    },
    moreHistograms: {
      inputTokens: row(...frontend('input_sequence_tokens')),
      outputTokens: row(...frontend('output_sequence_tokens')),
    },
  },
  tgi: { seenBy: ['tgi_'], ...likeTgi('tgi_') },
  lightllm: {
    seenBy: ['lightllm_'],
    ...likeTgi('lightllm_'),
    running: row('lightllm_num_running_reqs', 'lightllm_batch_current_size'),
    // Paused: put back to make room for others.
    swapped: row('lightllm_batch_pause_size'),
    timeToFirstToken: row('lightllm_request_first_token_duration'),
    queueTime: row('lightllm_request_queue_duration', 'lightllm_request_queue_duration_bucket'),
  },
  tei: {
    seenBy: ['te_queue_size', 'te_request_', 'te_batch_', 'te_embed_'],
    waiting: row('te_queue_size'),
    requestsSucceeded: row('te_request_success'),
    requestsFailed: row('te_request_failure'),
    requestLatency: row('te_request_duration'),
    queueTime: row('te_request_queue_duration'),
    more: { requests: row('te_request_count') },
    moreHistograms: { inferenceDuration: row('te_request_inference_duration') },
  },
  'llama.cpp': {
    seenBy: ['llamacpp_'],
    waiting: row('llamacpp_requests_deferred'),
    running: row('llamacpp_requests_processing'),
    kvCacheRatio: fullest('llamacpp_kv_cache_usage_ratio'),
    promptTokens: row('llamacpp_prompt_tokens_total'),
    generatedTokens: row('llamacpp_tokens_predicted_total'),
  },
  torchserve: {
    seenBy: ['ts_inference_', 'ts_queue_latency_', 'QueueTime', 'PredictionTime', 'WorkerThreadTime'],
    more: {
      requests: row('ts_inference_requests_total'),
      inferenceLatencyMicrosecondsTotal: row('ts_inference_latency_microseconds'),
      queueLatencyMicrosecondsTotal: row('ts_queue_latency_microseconds'),
      queueTimeMilliseconds: fullest('QueueTime'),
    },
  },
  aphrodite: { seenBy: ['aphrodite_'], ...likeVllm('aphrodite_') },
  fastdeploy: { seenBy: ['fastdeploy_'], ...likeVllm('fastdeploy_') },
  // These two publish vLLM's names bare; see `bareEngines`.
  mindie: {
    seenBy: ['npu_cache_usage_perc', 'request_received_total'],
    ...likeVllm(''),
    kvCacheRatio: fullest('npu_cache_usage_perc'),
    requestsFailed: row('request_failed_total'),
  },
  nim: { seenBy: bareNames, ...likeVllm('') },
  kserve: {
    seenBy: ['request_predict_seconds', 'request_predict_seconds_', 'request_preprocess_seconds_'],
    requestLatency: row('request_predict_seconds'),
  },
  'ray-serve': {
    seenBy: ['serve_deployment_', 'serve_replica_', 'serve_num_'],
    waiting: row('serve_deployment_queued_queries'),
    running: row('serve_replica_processing_queries', 'serve_num_ongoing_requests_at_replicas'),
    requestLatency: { series: ['serve_deployment_processing_latency_ms'], scale: 1e-3 },
  },
} as const satisfies Record<string, EngineEntry>;

export type EngineName = keyof typeof engineTable;
