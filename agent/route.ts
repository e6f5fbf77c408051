// What a request is for, by its method and path. Only what a user waits for is load: probes and scrapes come at a steady
// rate however much the server has to do, and would make every percentile look better than it is.

export const routes = [
  'chat',
  'completions',
  'responses',
  'embeddings',
  'generate',
  'infer',
  'other',
  'stream',
  'metadata',
  'probe',
] as const;
/** The class of a request; `stream` is an HTTP/2 stream with a path of none of the others, such as any gRPC method. */
export type Route = (typeof routes)[number];

const probeAgent = /^(?:kube-probe|GoogleHC|ELB-HealthChecker|Prometheus|vm_promscrape|Envoy\/HC|curl-healthcheck)\b/i;

// Order matters: the first pattern that fits names the route.
const patterns: readonly (readonly [Route, RegExp])[] = [
  ['probe', /^\/(?:metrics|v1\/metrics|prometheus\/metrics|ping|-\/(?:healthy|ready))$/],
  ['probe', /^\/(?:(?:v[12]|api)\/)?(?:health|live|ready)(?:z|ness|_generate)?(?:\/.*)?$/],
  ['probe', /^\/v2\/models\/[^/]+(?:\/versions\/[^/]+)?\/ready$/],
  [
    'metadata',
    /^\/(?:v1\/models(?:\/.*)?|version|info|docs|openapi\.json|favicon\.ico|api\/(?:tags|ps|version|show))$/,
  ],
  ['metadata', /^\/(?:get_model_info|get_server_info|server_info|props|slots)$/],
  ['chat', /\/chat\/completions$|^\/api\/chat$|^\/v1\/messages$/],
  ['completions', /\/completions?$/],
  ['responses', /\/responses$/],
  ['embeddings', /\/embed(?:dings?)?$|\/(?:rerank|score|pooling|classify)$/],
  ['generate', /\/generate(?:_stream)?$/],
  ['infer', /^\/v2\/models\/.*\/infer$|^\/v1\/models\/.*:predict$|^\/predictions?\//],
];

/** Methods of gRPC are all called by POST. */
const rpcs: readonly (readonly [Route, RegExp])[] = [
  ['probe', /^\/grpc\.health\.v1\.Health\//],
  ['probe', /^\/inference\.GRPCInferenceService\/(?:ServerLive|ServerReady|ModelReady)$/],
  ['infer', /^\/inference\.GRPCInferenceService\/Model(?:Stream)?Infer$/],
  ['metadata', /^\/(?:inference\.GRPCInferenceService|grpc\.reflection\.v1(?:alpha)?\.ServerReflection)\//],
];

/** The route of a request; `path` may carry a query. */
export function routeOf(method: string, path: string, userAgent: string): Route {
  if (userAgent !== '' && probeAgent.test(userAgent)) return 'probe';
  const query = path.indexOf('?');
  const plain = query === -1 ? path : path.slice(0, query);
  const reads = method === 'GET' || method === 'HEAD' || method === 'OPTIONS';
  for (const [route, pattern] of patterns) {
    if ((route === 'probe' || route === 'metadata') && !reads) continue;
    if (pattern.test(plain)) return route;
  }
  return rpcs.find(([, pattern]) => pattern.test(plain))?.[0] ?? 'other';
}

/** Load counts as demand; the rest is only listed on /metrics. */
export const isLoad = (route: Route): boolean => route !== 'probe' && route !== 'metadata';
