// What a schema of single fields cannot say: rules between fields. Each rule stands here once, as the CEL text that the
// API server runs and as the predicate that our parser runs, side by side so that they are read and changed together.
// A predicate sees input that may be wrong anywhere, so that a policy with a bad field still hears of every other problem.

/** A JSON object whose fields nobody has checked. */
export type Unchecked = Readonly<Record<string, unknown>>;

export interface Rule {
  /** Where the problem is shown, relative to the object that carries the rule. */
  readonly field: string;
  /** What the API server evaluates with `self` as that object. */
  readonly cel: string;
  readonly message: string;
  readonly broken: (self: Unchecked) => boolean;
}

const has = (self: Unchecked, field: string): boolean => self[field] !== undefined && self[field] !== null;
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
export const asObject = (value: unknown): Unchecked | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Unchecked) : undefined;

const exceeds = (low: unknown, high: unknown): boolean => {
  const [least, most] = [number(low), number(high)];
  return least !== undefined && most !== undefined && least > most;
};

/** Metric blocks whose `enabled` is true when it is left out. */
export const enabledByDefault = [
  'latency',
  'timeToFirstToken',
  'interTokenLatency',
  'gpuUtilization',
  'concurrency',
  'tokensPerSecond',
  'work',
  'kvCacheUtilization',
  'gpuMemory',
  'cpuUtilization',
  'memoryUtilization',
] as const;
/** Off until asked for, as upstream has it. */
export const disabledByDefault = ['requestQueueDepth'] as const;

export const isEnabled = (name: string, block: Unchecked): boolean =>
  typeof block['enabled'] === 'boolean' ? block['enabled'] : !(disabledByDefault as readonly string[]).includes(name);

function namesNoMetric(self: Unchecked): boolean {
  if (has(self, 'preset')) return false;
  const metrics = asObject(self['metrics']);
  // What is no object at all is told by its type.
  if (metrics === undefined) return !has(self, 'metrics');
  const custom = metrics['custom'];
  if (Array.isArray(custom) && custom.length > 0) return false;
  return ![...enabledByDefault, ...disabledByDefault].some((name) => {
    const block = asObject(metrics[name]);
    return block !== undefined && isEnabled(name, block);
  });
}

// The schema's defaults are applied before CEL runs, so a present block always has `enabled` there.
const anyEnabled = [...enabledByDefault, ...disabledByDefault]
  .map((name) => `(has(self.metrics.${name}) && self.metrics.${name}.enabled)`)
  .join(' || ');

/** A block that is on must say what it aims at. */
const needsTarget = (field: string): readonly Rule[] => [
  {
    field: '',
    cel: `!self.enabled || has(self.${field})`,
    message: `must have ${field}, or be disabled with \`enabled: false\``,
    broken: (self) => self['enabled'] !== false && !has(self, field),
  },
];

export const rules = {
  perReplicaTarget: needsTarget('targetPerReplica'),
  percentageTarget: needsTarget('targetPercentage'),
  spec: [
    {
      field: 'minReplicas',
      cel: '!has(self.minReplicas) || self.minReplicas <= self.maxReplicas',
      message: 'must not exceed maxReplicas',
      broken: (self) => exceeds(self['minReplicas'] ?? 1, self['maxReplicas']),
    },
    {
      field: 'metrics',
      cel: `has(self.preset) || (has(self.metrics) && ((has(self.metrics.custom) && self.metrics.custom.size() > 0) || ${anyEnabled}))`,
      message: 'must enable at least one metric, or the policy must name a preset',
      broken: namesNoMetric,
    },
    {
      field: 'fallback.replicas',
      cel: '!has(self.fallback) || !has(self.fallback.replicas) || self.fallback.replicas <= self.maxReplicas',
      message: 'must not exceed maxReplicas',
      broken: (self) => exceeds(asObject(self['fallback'])?.['replicas'], self['maxReplicas']),
    },
  ],
  latencyTarget: [
    {
      field: '',
      cel: '!self.enabled || has(self.targetP99Ms) || has(self.targetP95Ms)',
      message: 'must have targetP99Ms or targetP95Ms, or be disabled with `enabled: false`',
      broken: (self) => self['enabled'] !== false && !has(self, 'targetP99Ms') && !has(self, 'targetP95Ms'),
    },
  ],
  customMetric: [
    {
      field: '',
      cel: 'has(self.prometheusQuery) != has(self.agentMetric)',
      message: 'must have either prometheusQuery or agentMetric',
      broken: (self) => has(self, 'prometheusQuery') === has(self, 'agentMetric'),
    },
  ],
  fallback: [
    {
      field: 'replicas',
      cel: "!has(self.behavior) || self.behavior == 'hold' || has(self.replicas)",
      message: 'is required when behavior is static or staticIfHigher',
      broken: (self) => ['static', 'staticIfHigher'].includes(self['behavior'] as string) && !has(self, 'replicas'),
    },
  ],
  scheduleEntry: [
    {
      field: '',
      cel: 'has(self.minReplicas) || has(self.maxReplicas)',
      message: 'must have minReplicas or maxReplicas',
      broken: (self) => !has(self, 'minReplicas') && !has(self, 'maxReplicas'),
    },
    {
      field: 'minReplicas',
      cel: '!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas',
      message: 'must not exceed maxReplicas of the same entry',
      broken: (self) => exceeds(self['minReplicas'], self['maxReplicas']),
    },
  ],
  plugin: [
    {
      field: '',
      cel: 'has(self.module) != has(self.url)',
      message: 'must have either module or url',
      broken: (self) => has(self, 'module') === has(self, 'url'),
    },
  ],
  prometheus: [
    {
      field: 'basicAuth',
      cel: '!(has(self.basicAuth) && has(self.bearerToken))',
      message: 'must not stand beside bearerToken: choose one way to sign in',
      broken: (self) => has(self, 'basicAuth') && has(self, 'bearerToken'),
    },
  ],
} as const satisfies Record<string, readonly Rule[]>;

export const celOf = (list: readonly Rule[]) =>
  list.map(({ cel, message, field }) => ({
    rule: cel,
    message: field === '' ? message : `${field} ${message}`,
  }));
