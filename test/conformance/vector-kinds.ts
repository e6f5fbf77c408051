// One adapter per kind of vector: the fields of a case become the arguments of the rule it is about, and its answer
// becomes fields again. Nothing is decided here.
import {
  averageRatio,
  averageUsage,
  changeWithin,
  clampDefault,
  limitRate,
  noUsage,
  type PodUsage,
  type SizeChange,
  scaleDownLimit,
  scaleUpLimit,
  stabilize,
  stabilizeDefault,
  usagePerReplica,
  utilizationPercent,
  utilizationRatio,
  type Wish,
} from '@kubeai/decision';
import * as peers from '@kubeai/peers';

type Fields = Readonly<Record<string, unknown>>;
type Adapter = (input: Fields) => Fields;

// ---- Reading fields ----

const number = (value: unknown): number => Number(value);
const big = (value: unknown): bigint => BigInt(value as string | number);
const bigOrNull = (value: unknown): bigint | null => (value === null || value === undefined ? null : big(value));
const list = (value: unknown): readonly Fields[] => (value ?? []) as readonly Fields[];
const bigs = (value: unknown): readonly bigint[] => ((value ?? []) as readonly (string | number)[]).map(big);

const changes = (value: unknown): SizeChange[] =>
  list(value).map((event) => ({ change: number(event['change']), ageMs: 1_000 * number(event['ageSeconds']) }));

const bothChanges = (input: Fields) => ({
  up: changes(input['scaleUpEvents']),
  down: changes(input['scaleDownEvents']),
});

const wishes = (value: unknown): Wish[] =>
  list(value).map((wish) => ({ replicas: number(wish['replicas']), ageMs: 1_000 * number(wish['ageSeconds']) }));

const rules = (value: unknown) => value as peers.HpaRules | null;

const podsOf = (value: unknown): peers.HpaPod[] =>
  list(value).map((pod) => ({
    name: String(pod['name']),
    phase: String(pod['phase']),
    ready: pod['ready'] as boolean | null,
    startedSecondsAgo: pod['startedSecondsAgo'] as number | null,
    readyTransitionSecondsAgo: pod['readyTransitionSecondsAgo'] as number | null,
    deleting: pod['deleting'] === true,
    request: bigOrNull(pod['request']),
  }));

const podMetrics = (value: unknown): peers.HpaPodMetric[] =>
  list(value).map((metric) => ({
    pod: String(metric['pod']),
    value: big(metric['value']),
    ageSeconds: number(metric['ageSeconds']),
    windowSeconds: number(metric['windowSeconds']),
  }));

const readiness = (input: Fields): peers.ReadinessRules => ({
  resource: String(input['resource'] ?? ''),
  cpuInitializationSeconds: number(input['cpuInitializationSeconds']),
  initialReadinessDelaySeconds: number(input['initialReadinessDelaySeconds']),
});

const tolerance = (input: Fields) => input['tolerance'] as { readonly up: number; readonly down: number };

function usageOf(usage: Fields, requests?: Fields): PodUsage {
  const total = { ...noUsage };
  for (const [name, value] of Object.entries(usage)) {
    total.entries += 1;
    const request = requests?.[name];
    if (requests !== undefined && request === undefined) continue;
    total.usage += big(value);
    total.request += big(request ?? 0);
    total.count += 1;
  }
  return total;
}

// ---- HPA ----

const byPods =
  (targetOf: (target: bigint) => peers.PodTarget): Adapter =>
  (input) => {
    const metrics = podMetrics(input['metrics']);
    const target = targetOf(big(input['target']));
    return {
      ...peers.proposeByPods(
        number(input['currentReplicas']),
        podsOf(input['pods']),
        metrics,
        target,
        tolerance(input),
        readiness(input),
      ),
    };
  };

const byValue: Adapter = (input) => ({
  ...peers.proposeByValue(
    number(input['currentReplicas']),
    bigs(input['values']),
    big(input['target']),
    podsOf(input['pods']),
    tolerance(input),
  ),
});

const byAverage: Adapter = (input) => ({
  ...peers.proposeByAverage(
    number(input['statusReplicas']),
    bigs(input['values']),
    big(input['target']),
    tolerance(input),
  ),
});

const hpa: Readonly<Record<string, Adapter>> = {
  resource_utilization: byPods((percent) => ({ kind: 'utilization', percent })),
  pods_average: byPods((value) => ({ kind: 'average', value })),
  object_value: byValue,
  external_value: byValue,
  object_average: byAverage,
  external_average: byAverage,
  group_pods: (input) => ({
    ...peers.groupPods(podsOf(input['pods']), podMetrics(input['metrics']), readiness(input)),
  }),
  pod_requests: (input) => {
    const containers = (value: unknown): peers.ContainerRequest[] =>
      list(value).map((each) => ({
        name: String(each['name']),
        request: bigOrNull(each['request']),
        restartable: each['restartable'] === true,
      }));
    const pods = list(input['pods']).map((pod) => ({
      name: String(pod['name']),
      containers: containers(pod['containers']),
      initContainers: containers(pod['initContainers']),
      podLevelRequest: bigOrNull(pod['podLevelRequest']),
    }));
    const requests = peers.requestsOf(pods, String(input['container']), input['podLevelRequestsEnabled'] === true);
    return requests instanceof Map ? { requests: Object.fromEntries(requests) } : { ...requests };
  },
  per_pod_usage: (input) => ({ averageUsage: usagePerReplica(big(input['totalUsage']), number(input['replicas'])) }),
  utilization_ratio: (input) => {
    const pods = usageOf(input['usage'] as Fields, input['requests'] as Fields);
    const percent = utilizationPercent(pods);
    if (percent === undefined) return { error: 'NoMetricsMatchPods' };
    return {
      ratio: utilizationRatio(big(input['target']))(pods),
      utilizationPercent: percent,
      averageUsage: averageUsage(pods),
    };
  },
  usage_ratio: (input) => {
    const pods = usageOf(input['usage'] as Fields);
    return { ratio: averageRatio(big(input['target']))(pods), averageUsage: averageUsage(pods) };
  },
  reconcile: (input) => {
    const metrics = list(input['metrics']).map((metric) => ({
      kind: metric['kind'] as peers.HpaMetric['kind'],
      resource: String(metric['resource'] ?? ''),
      target: big(metric['target'] ?? 1),
      podValues: podMetrics(metric['podValues']),
      values: bigs(metric['values']),
      error: metric['error'] === true,
    }));
    const { recommendations } = input;
    return {
      ...peers.reconcileHpa({
        ...(input as unknown as peers.HpaPass),
        recommendations: recommendations === null || recommendations === undefined ? null : wishes(recommendations),
        changes: bothChanges(input),
        readScaleError: input['readScaleError'] === true,
        writeScaleError: input['writeScaleError'] === true,
        pods: podsOf(input['pods']),
        metrics,
      }),
    };
  },
  rate_limit: (input) => {
    const limits = {
      up: peers.rulesOf('up', rules(input['scaleUp'])),
      down: peers.rulesOf('down', rules(input['scaleDown'])),
    };
    const bounds = { min: number(input['minReplicas']), max: number(input['maxReplicas']) };
    return {
      ...limitRate(
        number(input['currentReplicas']),
        number(input['desiredReplicas']),
        bounds,
        limits,
        bothChanges(input),
      ),
    };
  },
  scale_up_limit: (input) => ({
    limit: scaleUpLimit(
      number(input['currentReplicas']),
      peers.rulesOf('up', rules(input['rules'])),
      bothChanges(input),
    ),
  }),
  scale_down_limit: (input) => ({
    limit: scaleDownLimit(
      number(input['currentReplicas']),
      peers.rulesOf('down', rules(input['rules'])),
      bothChanges(input),
    ),
  }),
  clamp_default: (input) => {
    const bounds = { min: number(input['minReplicas']), max: number(input['maxReplicas']) };
    const growth = { factor: number(input['scaleUpLimitFactor']), minimum: number(input['scaleUpLimitMinimum']) };
    return { ...clampDefault(number(input['currentReplicas']), number(input['desiredReplicas']), bounds, growth) };
  },
  stabilize_default: (input) => {
    const earlier = wishes(input['recommendations']);
    const windowMs = 1_000 * number(input['windowSeconds']);
    const proposal = number(input['desiredReplicas']);
    const log = peers.storeRecommendation(earlier, proposal, ({ ageMs }) => ageMs > windowMs);
    return { replicas: stabilizeDefault(proposal, earlier, windowMs), logLength: log.length };
  },
  stabilize_behavior: (input) => {
    const earlier = wishes(input['recommendations']);
    const windows = {
      upMs: 1_000 * number(input['scaleUpWindowSeconds']),
      downMs: 1_000 * number(input['scaleDownWindowSeconds']),
    };
    const proposal = number(input['desiredReplicas']);
    const log = peers.storeRecommendation(
      earlier,
      proposal,
      ({ ageMs }) => ageMs > windows.upMs && ageMs > windows.downMs,
    );
    return {
      replicas: stabilize(number(input['currentReplicas']), proposal, earlier, windows),
      log: log.map(({ replicas }) => replicas),
    };
  },
  store_event: (input) => {
    const events = changes(input['events']);
    const policies = input['policies'] as peers.HpaRules['policies'];
    const limits = policies === null ? undefined : peers.rulesOf('up', { policies: policies ?? null });
    return {
      changeInLast60s: changeWithin(events, 60_000),
      eventsAfter: peers.storeEvent(events, number(input['replicaChange']), limits),
    };
  },
  target_conflict: (input) => {
    const labels = input['podLabels'] as Readonly<Record<string, string>>;
    const reason = peers.targetConflict(input['selector'] as string | null, labels, input['otherPolicies'] as string[]);
    return { valid: reason === undefined, reason };
  },
};

// ---- KPA ----

const kpaSpec = (value: unknown) => value as peers.KpaSpec;

const averages =
  (create: (window: number, granularity: number) => peers.AverageWindow): Adapter =>
  (input) => {
    const window = create(number(input['windowSeconds']), number(input['granularitySeconds']));
    const found: number[] = [];
    for (const step of list(input['ops'])) {
      if (step['read'] === true) found.push(window.average(number(step['t'])));
      else window.record(number(step['t']), number(step['record']));
    }
    return { averages: found };
  };

const kpa: Readonly<Record<string, Adapter>> = {
  decide: (input) => {
    const before = input['initialState'] as { panickingForSeconds?: number; maxPanicPods?: number } | undefined;
    const scaler = peers.createKpa(kpaSpec(input['spec']), input['readyAtStart'] as number | null, 0, before);
    const steps = list(input['steps']).map((step) => {
      if (step['spec'] !== undefined) scaler.update(kpaSpec(step['spec']));
      const hasData = step['metricsError'] !== true;
      return scaler.decide({
        at: number(step['t']),
        readyPods: step['podCountError'] === true ? null : (step['readyPods'] as number | null),
        ...(hasData ? { stable: number(step['stable']), panic: number(step['panic']) } : {}),
      });
    });
    return { steps };
  },
  start_mode: (input) => {
    const idle = {
      target: 1,
      total: 1,
      targetBurstCapacity: 0,
      panicThreshold: 2,
      maxScaleUpRate: 10,
      maxScaleDownRate: 2,
      stableWindowSeconds: 60,
      scaleDownDelaySeconds: 0,
      activationScale: 1,
      reachable: true,
    };
    return { ...peers.createKpa(idle, input['readyAtStart'] as number | null, 0).state() };
  },
  scale_apply: (input) => {
    const config = input['config'] as Fields;
    const own = (name: string) => number(input[name] ?? config[name]);
    return {
      ...peers.applyKpaScale({
        ...(input as unknown as peers.KpaScene),
        stableWindowSeconds: own('stableWindowSeconds'),
        podRetentionSeconds: own('podRetentionSeconds'),
        progressDeadlineSeconds: own('progressDeadlineSeconds'),
        gracePeriodSeconds: number(config['gracePeriodSeconds']),
        scaleToZeroEnabled: config['scaleToZeroEnabled'] === true,
        proxyAnswers: input['proxyProbe'] === 'ok',
      }),
    };
  },
  metric_target: (input) => ({
    ...peers.kpaTarget(
      String(input['metric']),
      number(input['containerConcurrency']),
      input['targetOverride'] as number | null,
      input['utilizationOverride'] as number | null,
      input['config'] as peers.KpaTargetConfig,
    ),
  }),
  scale_bounds: (input) => ({
    ...peers.kpaBounds(
      input['minOverride'] as string | null,
      input['maxOverride'] as string | null,
      input['config'] as { minScale: number; maxScale: number },
      input['reachability'] as peers.Reachability,
    ),
  }),
  windows: (input) => {
    const config = input['config'] as Fields;
    const stable = number(input['windowOverrideSeconds'] ?? config['stableWindowSeconds']);
    const percent = number(input['panicWindowPercentOverride'] ?? config['panicWindowPercent']);
    return { ...peers.kpaWindows(stable, percent, number(input['bucketSeconds'])) };
  },
  initial_scale: (input) => ({
    initialScale: peers.kpaInitialScale(
      input['override'] as number | null,
      input['config'] as { initialScale: number; allowZeroInitialScale: boolean },
    ),
  }),
  panic_threshold: (input) => ({
    panicThreshold:
      number(input['panicThresholdPercentOverride'] ?? (input['config'] as Fields)['panicThresholdPercent']) / 100,
  }),
  scale_down_delay: (input) => ({ scaleDownDelaySeconds: number(input['overrideSeconds'] ?? input['configSeconds']) }),
  sliding_max: (input) => {
    const maximum = peers.createSlidingMaximum(number(input['buckets']));
    return {
      maxAfterEach: list(input['records']).map((record) =>
        maximum.record(number(record['index']), number(record['value'])),
      ),
    };
  },
  timed_sliding_max: (input) => {
    const maximum = peers.createTimedMaximum(number(input['durationSeconds']), number(input['granularitySeconds']));
    const found = list(input['records']).map((record) => maximum.record(number(record['t']), number(record['value'])));
    return { max: found.at(-1) };
  },
  window_average: averages(peers.createAverageWindow),
  weighted_window_average: averages(peers.createWeightedWindow),
  smoothing_coefficient: (input) => ({
    coefficient: peers.smoothingCoefficient(
      number(input['buckets']),
      number(input['weightPrecision']),
      number(input['minimum']),
    ),
  }),
};

// ---- KEDA ----

const fallback = (value: unknown) => (value ?? null) as peers.KedaFallback | null;

const keda: Readonly<Record<string, Adapter>> = {
  fallback_metric: (input) => {
    const { failuresBefore, statusBefore } = input;
    const known = statusBefore !== 'none' || (failuresBefore !== null && failuresBefore !== undefined);
    const healthBefore = known
      ? {
          failures: number(failuresBefore ?? 0),
          status: statusBefore === 'Failing' ? ('Failing' as const) : ('Happy' as const),
        }
      : undefined;
    return {
      ...peers.pollTrigger({
        ...(input as unknown as peers.TriggerPoll),
        fallback: fallback(input['fallback']),
        healthBefore,
        failed: input['pollFailed'] === true,
      }),
    };
  },
  fallback_condition: (input) => ({
    fallbackConditionTrue: peers.isInFallback(
      input['healthAfter'] as peers.TriggerHealth[],
      number(input['failureThreshold']),
    ),
  }),
  modifier_trigger_value: (input) => ({
    value: peers.valueInFormula(
      input['value'] as number | null,
      fallback(input['fallback']),
      input['failures'] as number | null,
    ),
  }),
  modifier_formula: (input) => {
    const values = (input['values'] ?? {}) as Readonly<Record<string, number | null>>;
    const value = peers.valueOfFormula(
      input['formula'] as string | null,
      values,
      fallback(input['fallback']),
      input['target'] as number | null,
    );
    return value === undefined ? { error: true } : { value };
  },
  activation: (input) => ({
    ...peers.activate({ ...(input as unknown as peers.Activation), fallback: fallback(input['fallback']) }),
  }),
  idle_or_min: (input) => ({
    ...peers.idleOrMinimum(input['idleReplicas'] as number | null, input['minReplicas'] as number | null),
  }),
  hpa_bounds: (input) => ({
    ...peers.replicaLoopBounds(input['minReplicas'] as number | null, input['maxReplicas'] as number | null),
  }),
  bounds_validation: (input) => ({
    valid: peers.areBoundsValid(
      input['minReplicas'] as number | null,
      input['maxReplicas'] as number | null,
      input['idleReplicas'] as number | null,
    ),
  }),
  fallback_validation: (input) => ({
    valid: peers.isFallbackValid(
      fallback(input['fallback']),
      input['triggers'] as { type: string }[],
      input['usesModifiers'] === true,
    ),
  }),
  paused: (input) => ({
    paused: peers.isPaused(input['paused'] as string | null, input['pausedReplicas'] as string | null),
  }),
  paused_replicas: (input) => {
    const replicas = peers.pausedSize(input['pausedReplicas'] as string | null);
    return replicas === undefined ? { error: true } : { replicas };
  },
  triggers_activity: (input) => ({
    activity: peers.triggersActivity(
      input['triggers'] as string[],
      input['activeNow'] as string[],
      input['pushTrigger'] as string | null,
      (input['before'] ?? {}) as Readonly<Record<string, boolean>>,
    ),
  }),
  object_state: (input) => {
    const triggers = list(input['triggers']).map((trigger) => ({
      type: String(trigger['type']),
      active: trigger['active'] === true,
      error: trigger['error'] === true,
      inFallback: trigger['inFallback'] === true,
    }));
    return {
      ...peers.objectState(
        triggers,
        (input['modifiers'] ?? null) as { value: number; activationTarget: number } | null,
      ),
    };
  },
  hpa_health: (input) => ({
    ...peers.replicaLoopHealth(
      String(input['hpaName'] ?? ''),
      input['readError'] === true,
      input['conditions'] as { type: string; status: string; reason: string }[],
    ),
  }),
  job_strategy: (input) => ({ ...peers.jobsToStart(input as unknown as peers.JobScene) }),
  job_decision: (input) => ({ ...peers.decideJobs(input as unknown as peers.JobScene & { minReplicas: number }) }),
  job_multi_trigger: (input) => ({
    ...peers.combineQueues(
      (input['combine'] ?? '') as 'max',
      input['triggers'] as peers.QueueTrigger[],
      number(input['minReplicas']),
      number(input['maxReplicas']),
    ),
  }),
  pending_job: (input) => ({
    pendingJobs: peers.isJobPending(input['pods'] as peers.JobPod[], (input['requiredConditions'] ?? []) as string[])
      ? 1
      : 0,
  }),
};

export const adapters: ReadonlyMap<string, Adapter> = new Map(Object.entries({ ...hpa, ...kpa, ...keda }));
