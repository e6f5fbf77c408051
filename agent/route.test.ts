import { expect, test } from '@jest/globals';
import { isLoad, routeOf } from './route.ts';

test.each([
  ['POST', '/v1/chat/completions', '', 'chat'],
  ['POST', '/openai/v1/chat/completions?api-version=1', '', 'chat'],
  ['POST', '/api/chat', '', 'chat'],
  ['POST', '/v1/messages', '', 'chat'],
  ['POST', '/v1/completions', '', 'completions'],
  ['POST', '/completion', '', 'completions'],
  ['POST', '/v1/responses', '', 'responses'],
  ['POST', '/v1/embeddings', '', 'embeddings'],
  ['POST', '/embed', '', 'embeddings'],
  ['POST', '/rerank', '', 'embeddings'],
  ['POST', '/generate', '', 'generate'],
  ['POST', '/generate_stream', '', 'generate'],
  ['POST', '/v2/models/llama/generate_stream', '', 'generate'],
  ['POST', '/v2/models/resnet/infer', '', 'infer'],
  ['POST', '/v1/models/resnet:predict', '', 'infer'],
  ['POST', '/predictions/resnet', '', 'infer'],
  ['POST', '/my/own/path', '', 'other'],
  ['GET', '/', '', 'other'],
  ['GET', '/metrics', '', 'probe'],
  ['GET', '/health', '', 'probe'],
  ['GET', '/healthz', '', 'probe'],
  ['GET', '/health_generate', '', 'probe'],
  ['GET', '/v1/health/ready', '', 'probe'],
  ['GET', '/v2/health/live', '', 'probe'],
  ['GET', '/v2/models/resnet/ready', '', 'probe'],
  ['GET', '/ping', '', 'probe'],
  ['HEAD', '/health', '', 'probe'],
  ['GET', '/anything', 'kube-probe/1.31', 'probe'],
  ['GET', '/anything', 'Prometheus/2.50', 'probe'],
  ['POST', '/health', '', 'other'],
  ['POST', '/ping', '', 'other'],
  ['GET', '/v1/models', '', 'metadata'],
  ['GET', '/v1/models/llama', '', 'metadata'],
  ['GET', '/get_model_info', '', 'metadata'],
])('%s %s (%s) is %s', (method, path, userAgent, route) => {
  expect(routeOf(method, path, userAgent)).toBe(route);
  expect(isLoad(routeOf(method, path, userAgent))).toBe(route !== 'probe' && route !== 'metadata');
});
