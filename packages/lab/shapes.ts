// Traffic that nobody recorded but everybody meets, by name. Requests arrive at random (Poisson) around a rate; prompts and
// answers are log-normal, about 1,000 and 200 tokens. `scale` multiplies every rate: 1 takes a handful of replicas.
import { createRandom, tokensAround } from './random.ts';
import { createDraft, type Workload } from './workload.ts';
import type { Incident } from './world.ts';

interface Shape {
  readonly minutes: number;
  /** Requests a second. */
  readonly rate: (minute: number, chance: () => number) => number;
  /** Tokens of an answer on average. */
  readonly output?: (minute: number) => number;
  readonly incidents?: readonly Incident[];
  /** Minutes at which the load jumps up. */
  readonly steps?: readonly number[];
}

const minute = 60_000;
const daily = (at: number) => 6 + 5 * Math.sin(2 * Math.PI * (at / 360 - 0.25));

const shapes = {
  step: { minutes: 60, rate: (at) => (at < 20 ? 4 : 14), steps: [20] },
  ramp: { minutes: 90, rate: (at) => 3 + 15 * Math.min(1, Math.max(0, (at - 15) / 45)) },
  // A day in six hours: faster than life, so every climb is steeper than it would be.
  diurnal: { minutes: 720, rate: daily },
  spikes: {
    minutes: 180,
    rate: (at) => (at % 30 >= 10 && at % 30 < 12 ? 24 : 5),
    steps: [10, 40, 70, 100, 130, 160],
  },
  'long-output-shift': { minutes: 90, rate: () => 6, output: (at) => (at < 30 ? 150 : 600), steps: [30] },
  'trickle-to-zero': { minutes: 120, rate: (at) => (at < 30 ? 6 : at < 60 ? 0.05 : 0) },
  'metric-outage': {
    minutes: 90,
    rate: (at) => (at < 40 ? 6 : 12),
    steps: [40],
    incidents: [{ kind: 'metricOutage', from: 30 * minute, until: 36 * minute }],
  },
  'no-free-gpus': {
    minutes: 90,
    rate: (at) => (at < 20 ? 4 : 14),
    steps: [20],
    incidents: [{ kind: 'noFreeGpus', from: 18 * minute, until: 40 * minute }],
  },
  rollout: { minutes: 60, rate: () => 10, incidents: [{ kind: 'rollout', from: 20 * minute, until: 21 * minute }] },
  // Bursts of any length, at any time: lulls and storms of half a minute to some minutes, heavy-tailed in height.
  bursty: { minutes: 240, rate: (_, chance) => 3 + 3 * Math.min(8, chance() ** -0.7 - 1) },
} as const satisfies Record<string, Shape>;

export type ShapeName = keyof typeof shapes;
export const shapeNames = Object.keys(shapes) as readonly ShapeName[];
export const isShape = (name: string): name is ShapeName => name in shapes;

export function shapeOf(
  name: ShapeName,
  seed: number,
  scale = 1,
): { readonly workload: Workload; readonly incidents: readonly Incident[] } {
  const shape: Shape = shapes[name];
  const random = createRandom(seed);
  const draft = createDraft();
  const span = shape.minutes * minute;
  let at = 0;
  let rate = 0;
  let ratedUntil = -1;
  while (at < span) {
    if (at > ratedUntil) {
      // Rates are looked up each ten seconds; chance changes them every half minute to two minutes.
      rate = scale * shape.rate(at / minute, () => Math.max(1e-3, random.uniform()));
      ratedUntil = at + (name === 'bursty' ? 30_000 + 90_000 * random.uniform() : 10_000);
    }
    if (rate <= 0) {
      at = ratedUntil + 1;
      continue;
    }
    const gap = (1_000 * random.exponential()) / rate;
    if (at + gap > ratedUntil) {
      at = ratedUntil + 1e-3;
      continue;
    }
    at += gap;
    const length = (mean: number) => tokensAround(mean, 0.8, random);
    draft.add(at, length(1_000), length(shape.output?.(at / minute) ?? 200));
  }
  const steps = (shape.steps ?? []).map((at) => at * minute);
  return { workload: { ...draft.workload(name, span), steps }, incidents: shape.incidents ?? [] };
}
