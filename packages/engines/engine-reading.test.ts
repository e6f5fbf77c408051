import { expect, test } from '@jest/globals';
import { type EngineReading, queueLengthOf, readEngine, readPrometheusAnswer } from './index.ts';
import { readPage } from './prometheus-answer.ts';

function reading(page: string): EngineReading {
  const answer = readEngine(page);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value;
}

test.each<[string, string, Partial<EngineReading>]>([
  [
    'vLLM v1',
    'vllm:num_requests_waiting{engine="0"} 2\nvllm:num_requests_running{engine="0"} 3\nvllm:kv_cache_usage_perc{engine="0"} 0.5\nvllm:generation_tokens_total 9\nvllm:generation_tokens_created 1.7e9',
    { engine: 'vllm', waiting: 2, running: 3, kvCacheRatio: 0.5, generatedTokens: 9 },
  ],
  [
    'early v1 with both names of a gauge',
    'vllm:gpu_cache_usage_perc 0.4\nvllm:kv_cache_usage_perc 0.5\nvllm:num_requests_running 1',
    { engine: 'vllm', kvCacheRatio: 0.5 },
  ],
  [
    'vLLM whose page was cut down to why its requests wait',
    'vllm:num_requests_waiting_by_reason{reason="capacity"} 2\nvllm:num_requests_waiting_by_reason{reason="deferred"} 1',
    { engine: 'vllm', waiting: 3 },
  ],
  [
    'vLLM in Ray',
    'ray_vllm:num_requests_waiting{ReplicaId="x"} 4\nray_serve_num_http_requests 1',
    { engine: 'vllm', waiting: 4 },
  ],
  ['vLLM behind a collector that rewrites colons', 'vllm_num_requests_waiting 4', { engine: 'vllm', waiting: 4 }],
  [
    'old SGLang',
    'sglang:num_requests_waiting 5\nsglang:num_requests_running 6\nsglang:token_usage 0.1',
    {
      engine: 'sglang',
      waiting: 5,
      running: 6,
      kvCacheRatio: 0.1,
    },
  ],
  [
    'LMDeploy',
    'lmdeploy:num_requests_waiting 1\nlmdeploy:gpu_cache_usage_perc 0.2',
    { engine: 'lmdeploy', waiting: 1, kvCacheRatio: 0.2 },
  ],
  [
    'trtllm-serve until 1.2, without prefix',
    'request_success_total{engine_type="undefined",model_name="m"} 3\ne2e_request_latency_seconds_count{engine_type="undefined",model_name="m"} 3\ne2e_request_latency_seconds_sum{engine_type="undefined",model_name="m"} 6',
    { engine: 'trtllm-serve', requestsSucceeded: 3, requestLatency: { count: 3, sum: 6, buckets: [] } },
  ],
  [
    'SGLang of 2024, with another label for the model',
    'sglang:num_requests_running{name="m"} 2',
    { engine: 'sglang', models: ['m'], running: 2 },
  ],
  [
    'the worker of Dynamo, whose requests failed',
    'dynamo_component_errors_total{error_type="generate"} 2\ndynamo_component_request_duration_seconds_count 7\ndynamo_component_request_duration_seconds_sum 14',
    { engine: 'dynamo', requestsFailed: 2, requestLatency: { count: 7, sum: 14, buckets: [] } },
  ],
  [
    'trtllm-serve',
    'trtllm_num_requests_waiting 7\ntrtllm_kv_cache_utilization 0.3\ntrtllm_max_num_active_requests 64',
    { engine: 'trtllm-serve', waiting: 7, kvCacheRatio: 0.3, maxRunning: 64 },
  ],
  [
    'the first page of trtllm-serve, whose names began with the language',
    'pytrtllm:num_requests_running 2\npytrtllm:request_failed_total 3',
    { engine: 'trtllm-serve', running: 2, requestsFailed: 3 },
  ],
  [
    'SGLang beside one stray series of vLLM',
    'sglang:num_running_reqs 2\nsglang:num_queue_reqs 1\nvllm:num_requests_running 9',
    { engine: 'sglang', running: 2, waiting: 1 },
  ],
  [
    'vLLM inside of Triton, of which one series is left',
    'nv_inference_count 5\nnv_inference_request_success 5\nvllm:num_requests_running 9',
    { engine: 'vllm', running: 9 },
  ],
  [
    'trtllm-serve that has paused requests, and counts blocks',
    'trtllm_num_requests_waiting 7\ntrtllm_num_paused_requests 2\ntrtllm_kv_cache_used_blocks 40\ntrtllm_kv_cache_max_blocks 100',
    { engine: 'trtllm-serve', waiting: 7, swapped: 2, kvCacheRatio: 0.4 },
  ],
  [
    'SGLang that counts the time in its queue',
    'sglang:num_queue_reqs 0\nsglang:queue_time_seconds_count 4\nsglang:queue_time_seconds_sum 0.5',
    { engine: 'sglang', waiting: 0, queueTime: { count: 4, sum: 0.5, buckets: [] } },
  ],
  [
    'SGLang that only decodes, and has no room yet for the caches of seven',
    'sglang:num_queue_reqs 2\nsglang:num_decode_prealloc_queue_reqs 7\nsglang:num_decode_transfer_queue_reqs 1',
    { engine: 'sglang', waiting: 9 },
  ],
  [
    'TensorRT-LLM in Triton of 2023',
    'nv_trt_llm_request_statistics{model="m",request_type="scheduled"} 2\nnv_trt_llm_kv_cache_block_statistics{kv_cache_block_type="used"} 3\nnv_trt_llm_kv_cache_block_statistics{kv_cache_block_type="max"} 12\nnv_inference_pending_request_count 0',
    { engine: 'triton-tensorrt-llm', running: 2, kvCacheRatio: 0.25 },
  ],
  [
    'Triton',
    'nv_inference_pending_request_count{model="a"} 1\nnv_inference_pending_request_count{model="b"} 2',
    {
      engine: 'triton',
      waiting: 3,
      models: ['a', 'b'],
    },
  ],
  [
    'NIM',
    'num_requests_running 1\nnum_requests_waiting 0\ngpu_cache_usage_perc 0.1',
    { engine: 'nim', running: 1, waiting: 0 },
  ],
  [
    'MindIE, whose names are as bare',
    'num_requests_running 1\nnum_requests_waiting 4\nnpu_cache_usage_perc 0.5\nrequest_failed_total 2',
    { engine: 'mindie', running: 1, waiting: 4, kvCacheRatio: 0.5, requestsFailed: 2 },
  ],
  [
    "Aphrodite, which has vLLM's names under its own",
    'aphrodite:num_requests_running 1\naphrodite:num_requests_waiting 3',
    { engine: 'aphrodite', running: 1, waiting: 3 },
  ],
  [
    "LightLLM, which has TGI's",
    'lightllm_queue_size 3.0\nlightllm_batch_current_size 8.0\nlightllm_batch_pause_size 1.0\nlightllm_request_success_total 40.0\nlightllm_request_generated_tokens_sum 900.0',
    { engine: 'lightllm', waiting: 3, swapped: 1, running: 8, requestsSucceeded: 40, generatedTokens: 900 },
  ],
  [
    'FastDeploy, which has them, too',
    'fastdeploy:num_requests_running 2.0\nfastdeploy:num_requests_waiting 0.0\nfastdeploy:gpu_cache_usage_perc 0.25',
    { engine: 'fastdeploy', running: 2, waiting: 0, kvCacheRatio: 0.25 },
  ],
  [
    'Dynamo of today',
    'dynamo_frontend_stage_requests{stage="route"} 1\ndynamo_frontend_stage_requests{stage="prefill"} 2\ndynamo_frontend_active_requests 9\ndynamo_frontend_requests_total{status="success"} 4\ndynamo_frontend_requests_total{status="error"} 1',
    {
      engine: 'dynamo',
      waiting: 3,
      running: 9,
      requestsSucceeded: 4,
      requestsFailed: 1,
    },
  ],
  [
    'Dynamo of early 2025',
    'nv_llm_http_service_inflight_requests{model="m"} 4\nnv_llm_http_service_requests_total{status="success"} 40\nnv_llm_http_service_time_to_first_token_seconds_count 40\nnv_llm_http_service_time_to_first_token_seconds_sum 4',
    { engine: 'dynamo', running: 4, requestsSucceeded: 40, timeToFirstToken: { count: 40, sum: 4, buckets: [] } },
  ],
  [
    'Dynamo worker by itself',
    'dynamo_component_inflight_requests{dynamo_endpoint="generate"} 3\ndynamo_component_kvstats_gpu_cache_usage_percent{dp_rank="0"} 0.25',
    { engine: 'dynamo', running: 3, kvCacheRatio: 0.25 },
  ],
  [
    'Dynamo worker of 2026',
    'dynamo_component_inflight_requests{dynamo_endpoint="generate"} 3\ndynamo_component_gpu_cache_usage_percent 0.5',
    { engine: 'dynamo', running: 3, kvCacheRatio: 0.5 },
  ],
  [
    'vLLM in Triton',
    'vllm:num_requests_waiting{model="m",version="1"} 2\nnv_inference_pending_request_count{model="m"} 0',
    { engine: 'vllm', waiting: 2, models: ['m'] },
  ],
  [
    'Dynamo worker, which passes its engine through',
    'dynamo_component_requests_total 4\nvllm:num_requests_waiting 1',
    { engine: 'vllm', waiting: 1 },
  ],
  [
    'TGI',
    'tgi_queue_size 3\ntgi_batch_current_size 4\ntgi_request_generated_tokens_sum 50\ntgi_request_generated_tokens_count 5',
    {
      engine: 'tgi',
      waiting: 3,
      running: 4,
      generatedTokens: 50,
    },
  ],
  ['TEI', 'te_queue_size 2\nte_request_count 10', { engine: 'tei', waiting: 2 }],
  [
    'llama.cpp of 2024',
    'llamacpp:requests_deferred 1\nllamacpp:kv_cache_usage_ratio 0.75',
    { engine: 'llama.cpp', waiting: 1, kvCacheRatio: 0.75 },
  ],
  [
    'KServe',
    'request_predict_seconds_count{model_name="m"} 2\nrequest_predict_seconds_sum{model_name="m"} 4',
    {
      engine: 'kserve',
      requestLatency: { count: 2, sum: 4, buckets: [] },
    },
  ],
  ['Ray Serve', 'ray_serve_deployment_queued_queries{application="a"} 8', { engine: 'ray-serve', waiting: 8 }],
])('%s is known by its series', (_what, page, expected) => {
  expect(reading(page)).toMatchObject(expected);
});

test('what the 2023 backend does not count is absent, though Triton has a count of its own', () => {
  const page = 'nv_trt_llm_request_statistics{request_type="scheduled"} 2\nnv_inference_pending_request_count 0';
  expect(reading(page)).not.toHaveProperty('waiting');
});

test('requests add up over models and engines, and the fullest cache counts', () => {
  const page = `vllm:num_requests_waiting{model_name="a",engine="0"} 1
vllm:num_requests_waiting{model_name="a",engine="1"} 2
vllm:num_requests_waiting{model_name="b",engine="0"} 3
vllm:kv_cache_usage_perc{engine="0"} 0.2
vllm:kv_cache_usage_perc{engine="1"} 0.9`;
  expect(reading(page)).toMatchObject({ waiting: 6, kvCacheRatio: 0.9, models: ['a', 'b'] });
});

test('parallel ranks of one engine repeat its requests and count once', () => {
  const rank = (tp: number, pp: number, dp: number, value: number) =>
    `sglang:num_queue_reqs{tp_rank="${tp}",pp_rank="${pp}",dp_rank="${dp}"} ${value}\n`;
  expect(reading(rank(0, 0, 0, 5) + rank(1, 0, 0, 5) + rank(0, 1, 0, 5) + rank(0, 0, 1, 7)).waiting).toBe(12);
});

test('under data parallel attention each group counts, though only one of its ranks is the first of all', () => {
  const rank = (dp: number, tp: number, value: number) =>
    `sglang:num_queue_reqs{dp_rank="${dp}",moe_ep_rank="${tp}",pp_rank="0",tp_rank="${tp}"} ${value}\n`;
  expect(reading(rank(0, 0, 5) + rank(0, 1, 5) + rank(1, 4, 7) + rank(1, 5, 7)).waiting).toBe(12);
});

test('the sum over priorities counts, not each again', () => {
  const page =
    'sglang:num_queue_reqs{priority=""} 5\nsglang:num_queue_reqs{priority="1"} 2\nsglang:num_queue_reqs{priority="9"} 3';
  expect(reading(page).waiting).toBe(5);
});

test('-1, NaN and infinity mean "not known", and not known is absent', () => {
  const page =
    'vllm:num_requests_waiting -1.0\nvllm:num_requests_waiting +Inf\nvllm:num_requests_running NaN\nvllm:kv_cache_usage_perc{e="0"} -1\nvllm:kv_cache_usage_perc{e="1"} 0.5';
  expect(reading(page)).not.toHaveProperty('waiting');
  expect(reading(page)).not.toHaveProperty('running');
  expect(reading(page).kvCacheRatio).toBe(0.5);
});

test('swapped requests wait, too', () => {
  expect(queueLengthOf(reading('vllm:num_requests_waiting 2\nvllm:num_requests_swapped 3'))).toBe(5);
  expect(queueLengthOf(reading('vllm:num_requests_running 2'))).toBeUndefined();
});

test('a brief reading has the same numbers, and histograms without buckets', () => {
  const page = [
    '# HELP vllm:num_requests_waiting _bucket{ in words',
    '# TYPE vllm:num_requests_waiting gauge',
    'vllm:num_requests_waiting{engine="0"} 2',
    'vllm:e2e_request_latency_seconds_bucket{le="1"} 1',
    'vllm:e2e_request_latency_seconds_bucket{le="+Inf"} 3',
    'vllm:e2e_request_latency_seconds_sum 6',
    'vllm:e2e_request_latency_seconds_count 3',
    'vllm:bucket_like{path="/x_bucket{"} 1',
    'no sample at all',
  ].join('\n');
  const brief = readEngine(page, { brief: true });
  if (!brief.ok) throw new Error(brief.reason);
  const whole = reading(page);
  expect(brief.value.requestLatency).toEqual({ count: 3, sum: 6, buckets: [] });
  expect(whole.requestLatency?.buckets).toEqual([{ atMost: 1, count: 1 }]);
  expect(brief.value).toEqual({ ...whole, requestLatency: brief.value.requestLatency });
  expect(brief.value.problems).toEqual([expect.stringContaining('line 9')]);
});

test.each([
  ['', 'NotMetrics'],
  ['<html>not found</html>', 'NotMetrics'],
  ['process_cpu_seconds_total 1\npython_info{version="3"} 1', 'UnknownEngine'],
  ['num_requests_running 4', 'UnknownEngine'],
])('%j gives no reading: %s', (page, reason) => {
  expect(readEngine(page)).toMatchObject({ ok: false, reason });
});

test('an answer of Prometheus is read like a page', () => {
  const answer = (result: unknown, resultType = 'vector') =>
    readPrometheusAnswer(JSON.stringify({ status: 'success', data: { resultType, result } }));
  const metric = { __name__: 'vllm:num_requests_waiting', pod: 'a' };
  const vector = answer([{ metric, value: [1774011473.784, '3'] }]);
  expect(vector).toMatchObject({ ok: true, atSeconds: 1774011473.784, problems: [] });
  expect(readEngine(vector)).toMatchObject({ ok: true, value: { waiting: 3 } });
  const range = answer(
    [
      {
        metric,
        values: [
          [1, '1'],
          [2, '7'],
        ],
      },
    ],
    'matrix',
  );
  expect(readEngine(range)).toMatchObject({ ok: true, value: { waiting: 7 } });
  expect(answer([5, 'NaN'], 'scalar').samples.get('')).toEqual([{ labels: {}, value: Number.NaN }]);
});

test.each([
  ['as it came', (answer: string) => answer],
  ['with a byte order mark', (answer: string) => `\uFEFF${answer}`],
  ['below the command that asked', (answer: string) => `$ curl -s localhost:9090/api/v1/query\n${answer}\n`],
  ['printed for people', (answer: string) => JSON.stringify(JSON.parse(answer), null, 2)],
])("Prometheus' answer %s is told from a page", (_how, around) => {
  const result = [{ metric: { __name__: 'vllm:num_requests_waiting' }, value: [1, '3'] }];
  const answer = JSON.stringify({ status: 'success', data: { resultType: 'vector', result } });
  expect(readEngine(readPage(around(answer)))).toMatchObject({ ok: true, value: { waiting: 3 } });
});

test('a page with quoted names is no answer of Prometheus', () => {
  expect(readEngine(readPage('{"vllm:num_requests_waiting",engine="0"} 3\n'))).toMatchObject({ value: { waiting: 3 } });
});

test.each([
  ['{', 'no JSON'],
  ['[]', 'status is missing'],
  ['{"status":"error","errorType":"bad_data","error":"parse error"}', 'bad_data: parse error'],
  ['{"status":"success"}', 'data is missing'],
  ['{"status":"error","error":{"toString":1}}', 'error: no message'],
])('%s is no answer of Prometheus', (text, problem) => {
  expect(readPrometheusAnswer(text)).toMatchObject({ ok: false, problems: [expect.stringContaining(problem)] });
});

test('more than a whole cache is a problem and no share, but a little over is not', () => {
  const { problems, ...rest } = reading('vllm:num_requests_running 1\nvllm:kv_cache_usage_perc 87.5');
  expect(rest).not.toHaveProperty('kvCacheRatio');
  expect(problems).toEqual(['87.5 is no share of a cache']);
  expect(reading('sglang:token_usage 1.01')).toMatchObject({ kvCacheRatio: 1.01, problems: [] });
});
