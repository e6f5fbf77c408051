// The words that pods, namespaces and we agree on. They are a promise to users: never change one.

export const names = {
  agentContainer: 'kubeai-agent',
  redirectContainer: 'kubeai-redirect',
  volume: 'kubeai-credentials',
  adminPort: 'kubeai-admin',
  namespaceLabel: 'kubeai.io/injection',
  mountPath: '/var/run/secrets/kubeai.io',
  tokenAudience: 'kubeai.io',
  bundleConfigMap: 'kubeai-ca',
  webhookConfiguration: 'kubeai-webhook',
  caSecret: 'kubeai-ca',
} as const;

export const annotations = {
  inject: 'kubeai.io/inject',
  status: 'kubeai.io/injection-status',
  port: 'kubeai.io/port',
  engine: 'kubeai.io/engine',
  gpuSource: 'kubeai.io/gpu-source',
  concurrencyLimit: 'kubeai.io/concurrency-limit',
  reach: 'kubeai.io/reach',
  logLevel: 'kubeai.io/log-level',
  agentCpu: 'kubeai.io/agent-cpu',
  agentMemory: 'kubeai.io/agent-memory',
  defaultContainer: 'kubectl.kubernetes.io/default-container',
} as const;
