// The autoscalers that people run today, each through the pipeline it really has: HPA looks every 15 s and scrapes lag,
// KEDA polls and hands on to HPA, Knative scrapes each second and decides every two, AIBrix every ten. Their rules are
// those of @kubeai/peers, which published vectors hold; only AIBrix's, MaxRatio's and the bounds are written here.
import {
  createAverageWindow,
  createKpa,
  type HpaMetric,
  type HpaPod,
  type HpaPodMetric,
  type HpaRules,
  hpaDefaults,
  reconcileHpa,
} from '@kubeai/peers';
import type { Answer, Autoscaler, Contender, PodView, View } from './contender.ts';

type Gauge = (pod: PodView) => number;

/** Load of a pod by what an operator could have HPA look at. Utilisation in percent. */
const gauges = {
  queue: (pod) => pod.waiting,
  concurrency: (pod) => pod.concurrency,
  gpu: (pod) => 100 * pod.busy,
  cpu: (pod) => 100 * pod.busy,
} as const satisfies Record<string, Gauge>;
type GaugeName = keyof typeof gauges;

/** Scrape interval of the metrics pipeline, and how old a value is before HPA sees it, in looks of 15 s. */
const lagOf: Record<GaugeName, number> = { queue: 1, concurrency: 1, gpu: 2, cpu: 2 };

const syncMs = 15_000;
const milli = (value: number): bigint => BigInt(Math.round(value * 1_000));

interface Memory {
  wishes: { readonly at: number; readonly replicas: number }[];
  changes: { readonly at: number; readonly change: number }[];
}

/** One pass of HPA over metrics, with the memory that the controller keeps. */
function passOf(
  view: View,
  bounds: { readonly min: number; readonly max: number },
  memory: Memory,
  metric: HpaMetric,
): Answer {
  const { now, replicas, pods } = view;
  // A size that HPA finds counts as its first wish, so that nothing shrinks before the window.
  if (memory.wishes.length === 0) memory.wishes.push({ at: now, replicas });
  memory.wishes = memory.wishes.filter(({ at }) => now - at < 600_000);
  memory.changes = memory.changes.filter(({ at }) => now - at < 600_000);
  const changes = (sign: number) =>
    memory.changes
      .filter(({ change }) => Math.sign(change) === sign)
      .map(({ at, change }) => ({ change: Math.abs(change), ageMs: now - at }));
  const behavior: { readonly scaleUp: HpaRules; readonly scaleDown: HpaRules } = {
    scaleUp: hpaDefaults.scaleUp,
    scaleDown: { ...hpaDefaults.scaleDown, stabilizationWindowSeconds: 300 },
  };
  const outcome = reconcileHpa({
    minReplicas: bounds.min,
    maxReplicas: bounds.max,
    specReplicas: replicas,
    statusReplicas: replicas,
    tolerance: { up: 0.1, down: 0.1 },
    cpuInitializationSeconds: 300,
    initialReadinessDelaySeconds: 30,
    behavior,
    defaultScaleUpLimit: { factor: 2, minimum: 4 },
    downscaleStabilizationSeconds: 300,
    recommendations: memory.wishes.map(({ at, replicas }) => ({ replicas, ageMs: now - at })),
    changes: { up: changes(1), down: changes(-1) },
    scaleToZeroEnabled: false,
    scaledToZeroBefore: false,
    readScaleError: false,
    writeScaleError: false,
    pods: pods.map((pod) => hpaPod(pod, now)),
    metrics: [metric],
  });
  if (outcome.proposal !== undefined) memory.wishes.push({ at: now, replicas: outcome.proposal });
  if (outcome.desiredReplicas !== replicas)
    memory.changes.push({ at: now, change: outcome.desiredReplicas - replicas });
  return { replicas: outcome.desiredReplicas, why: outcome.error ?? `proposal ${outcome.proposal ?? 'none'}` };
}

const hpaPod = ({ uid, ready, deleting, createdAt, readyAt }: PodView, now: number): HpaPod => ({
  name: uid,
  phase: 'Running',
  ready,
  startedSecondsAgo: (now - createdAt) / 1_000,
  readyTransitionSecondsAgo: (now - (readyAt ?? createdAt)) / 1_000,
  deleting,
  request: 100_000n,
});

/** HPA on a gauge of single pods: queue and concurrency as pods metrics, GPU and CPU against what was requested. */
export function hpa(gauge: GaugeName, target: number): Contender {
  const isResource = gauge === 'cpu' || gauge === 'gpu';
  return {
    name: `hpa-${gauge}`,
    knob: isResource ? '%' : `${gauge} a replica`,
    value: target,
    everyMs: syncMs,
    sees: 'pods',
    create(bounds) {
      const memory: Memory = { wishes: [], changes: [] };
      const scrapes: HpaPodMetric[][] = [];
      return {
        look(view) {
          // A pod that is not ready yet serves no metric of its own; its CPU would be seen, and is nothing.
          const seen = view.pods.filter(({ ready, deleting }) => ready && !deleting);
          scrapes.push(
            seen.map((pod) => ({
              pod: pod.uid,
              value: milli(gauges[gauge](pod)),
              ageSeconds: 15 * (lagOf[gauge] - 1),
              windowSeconds: 15,
            })),
          );
          if (scrapes.length > lagOf[gauge]) scrapes.shift();
          return passOf(view, bounds, memory, {
            kind: gauge === 'cpu' ? 'resource_utilization' : 'pods_average',
            ...(gauge === 'cpu' ? { resource: 'cpu' } : {}),
            target: gauge === 'cpu' ? BigInt(Math.round(target)) : milli(target),
            podValues: scrapes[0]!,
            values: [],
            error: view.blind || seen.length === 0,
          });
        },
      };
    },
  };
}

/** KEDA polls the requests in flight over all pods every 15 s and serves them to HPA as an average per replica. */
export function keda(target: number): Contender {
  return {
    name: 'keda',
    knob: 'in flight a replica',
    value: target,
    everyMs: syncMs,
    sees: 'pods',
    create(bounds) {
      const memory: Memory = { wishes: [], changes: [] };
      let polled = 0;
      let failed = true;
      return {
        look(view) {
          // The poll of 15 s ago is what HPA finds now.
          const [value, error] = [polled, failed];
          polled = view.pods.reduce((sum, { inFlight }) => sum + inFlight, 0);
          failed = view.blind;
          return passOf(view, bounds, memory, {
            kind: 'external_average',
            target: milli(target),
            podValues: [],
            values: [milli(value)],
            error,
          });
        },
      };
    },
  };
}

/** Knative: concurrency scraped each second, a stable window of 60 s and a panic window of 6. */
export function kpa(target: number): Contender {
  return {
    name: 'kpa',
    knob: 'concurrency',
    value: target,
    everyMs: 1_000,
    sees: 'pods',
    create({ min, max, initial }) {
      const stable = createAverageWindow(60, 1);
      const panic = createAverageWindow(6, 1);
      const scaler = createKpa(
        {
          target: 0.7 * target,
          total: target,
          targetBurstCapacity: 211,
          panicThreshold: 2,
          maxScaleUpRate: 1_000,
          maxScaleDownRate: 2,
          stableWindowSeconds: 60,
          scaleDownDelaySeconds: 0,
          activationScale: 1,
          reachable: true,
        },
        initial,
        0,
      );
      return {
        look({ now, pods, blind }) {
          const at = now / 1_000;
          if (!blind) {
            const total = pods.reduce((sum, { concurrency }) => sum + concurrency, 0);
            stable.record(at, total);
            panic.record(at, total);
          }
          if (at % 2 !== 0) return undefined;
          const readyPods = pods.filter(({ ready, deleting }) => ready && !deleting).length;
          const decision = scaler.decide({ at, readyPods, stable: stable.average(at), panic: panic.average(at) });
          if (!decision.valid || blind) return undefined;
          return {
            replicas: Math.max(min, Math.min(max, decision.desired)),
            why: decision.panicking ? 'panic window' : 'stable window',
          };
        },
      };
    },
  };
}

/** AIBrix APA: every ten seconds, a mean over a minute, no change within 10 % above and 20 % below, at most doubled and halved. */
export function apa(target: number): Contender {
  return {
    name: 'apa',
    knob: 'in flight a replica',
    value: target,
    everyMs: 10_000,
    sees: 'pods',
    create({ min, max }) {
      const past: number[] = [];
      return {
        look({ replicas, pods, blind }) {
          if (blind) return undefined;
          past.push(pods.reduce((sum, { inFlight }) => sum + inFlight, 0));
          if (past.length > 6) past.shift();
          const total = past.reduce((sum, each) => sum + each, 0) / past.length;
          const wanted = Math.ceil(total / target);
          const ratio = total / target / Math.max(1, replicas);
          const desired =
            ratio > 1.1
              ? Math.min(wanted, Math.ceil(2 * replicas))
              : ratio < 0.8
                ? Math.max(wanted, Math.floor(replicas / 2))
                : replicas;
          return { replicas: Math.max(min, Math.min(max, desired)), why: `load ${ratio.toFixed(2)} of target` };
        },
      };
    },
  };
}

/** The published MaxRatio rule: size × the largest ratio of a metric to its target, and no second change within a cooldown. */
export function maxRatio(queueTarget: number): Contender {
  return {
    name: 'max-ratio',
    knob: 'queue a replica',
    value: queueTarget,
    everyMs: 15_000,
    sees: 'pods',
    create({ min, max }) {
      let changedAt = Number.NEGATIVE_INFINITY;
      return {
        look({ now, replicas, pods, blind }) {
          const serving = pods.filter(({ ready, deleting }) => ready && !deleting);
          if (blind || serving.length === 0) return undefined;
          const mean = (gauge: Gauge) => serving.reduce((sum, pod) => sum + gauge(pod), 0) / serving.length;
          const ratio = Math.max(mean(gauges.queue) / queueTarget, mean(gauges.gpu) / 80);
          const desired = Math.max(min, Math.min(max, Math.ceil(replicas * ratio)));
          if (Math.abs(ratio - 1) <= 0.1 || desired === replicas || now - changedAt < 300_000) return undefined;
          changedAt = now;
          return { replicas: desired, why: `ratio ${ratio.toFixed(2)}` };
        },
      };
    },
  };
}

/** A fleet of one size. */
export function fixed(size: number): Contender {
  const scaler: Autoscaler = { look: () => ({ replicas: size, why: 'static' }) };
  return { name: 'static', knob: 'replicas', value: size, everyMs: 1_000, sees: 'time', create: () => scaler };
}
