// What the default policy is judged on. Nothing was chosen with the validation cases in sight: other days, other seeds.
import { createRandom } from '../random.ts';
import { type MadeName, madeAs, madeNames } from './made-traffic.ts';

export type Traffic = 'diurnal' | 'bursty' | 'smooth' | 'shape';

export interface BenchCase {
  readonly name: string;
  readonly kind: Traffic;
  readonly split: 'train' | 'validation';
  /** A shape, made-up traffic, or a file of the directory of traces. */
  readonly trace: string;
  readonly thin: number;
  readonly copies: number;
  readonly startUpSeconds: number;
  readonly fromSecond: number;
  /** Nobody is judged so early: whoever learns a target does so once in its life, and rivals are told everything before. */
  readonly warmUpSeconds: number;
  readonly seed: number;
}

const day = 86_400;
const servegen = 'servegen_m-large_rates.csv.gz';
const plain = { thin: 1, copies: 1, fromSecond: 0, startUpSeconds: 60, warmUpSeconds: 3_600 } as const;

/** A day thinned so that its busiest ten minutes need about 40 replicas: six million requests. */
const serveGenDay = (number: number, startUpSeconds: number, split: BenchCase['split']): BenchCase => ({
  name: `ServeGen day ${number}, start ${startUpSeconds} s`,
  kind: 'diurnal',
  split,
  trace: servegen,
  thin: 0.35,
  copies: 1,
  startUpSeconds,
  fromSecond: number * day,
  warmUpSeconds: 3_600,
  seed: 1,
});

/** A tenth of the rates: a fleet of four to twelve, where one replica more is a large share. */
const serveGenTenth = (...day: Parameters<typeof serveGenDay>): BenchCase => {
  const bench = serveGenDay(...day);
  return { ...bench, name: bench.name.replace('ServeGen', 'ServeGen tenth'), thin: 0.1 };
};

const shape = (name: string): BenchCase => ({
  ...plain,
  name,
  kind: 'shape',
  split: 'train',
  trace: name,
  warmUpSeconds: 0,
  seed: 1,
});

const lots = createRandom(2_026);
/** Half of each kind, drawn by lot before anything was played. */
const keptApart: ReadonlySet<MadeName> = new Set(
  ['diurnal', 'bursty', 'smooth'].flatMap((kind) => {
    const drawn = madeNames
      .filter((name) => madeAs(name).kind === kind)
      .map((name) => ({ name, lot: lots.uniform() }))
      .sort((left, right) => left.lot - right.lot);
    return drawn.slice(0, drawn.length / 2).map(({ name }) => name);
  }),
);

const made = (name: MadeName): BenchCase => {
  const { kind, startUpSeconds } = madeAs(name);
  const split = keptApart.has(name) ? 'validation' : 'train';
  return {
    ...plain,
    name: `made: ${name}, start ${startUpSeconds} s`,
    kind,
    split,
    trace: name,
    startUpSeconds,
    seed: 1,
  };
};

export const cases: readonly BenchCase[] = [
  {
    ...plain,
    name: 'Azure chat × 8, start 60 s',
    kind: 'smooth',
    split: 'train',
    trace: 'azure_2023_conv.csv.gz',
    copies: 8,
    // The trace is an hour long.
    warmUpSeconds: 600,
    seed: 1,
  },
  { ...plain, name: 'bursty, start 60 s', kind: 'bursty', split: 'train', trace: 'bursty', seed: 1 },
  { ...plain, name: 'bursty, other seed', kind: 'bursty', split: 'validation', trace: 'bursty', seed: 22 },
  { ...plain, name: 'spikes, start 60 s', kind: 'bursty', split: 'train', trace: 'spikes', seed: 1 },
  { ...plain, name: 'diurnal shape', kind: 'diurnal', split: 'train', trace: 'diurnal', seed: 1 },
  serveGenDay(2, 60, 'train'),
  serveGenDay(4, 60, 'train'),
  serveGenDay(4, 180, 'train'),
  serveGenDay(8, 180, 'validation'),
  serveGenDay(9, 180, 'validation'),
  serveGenTenth(4, 60, 'train'),
  serveGenTenth(4, 180, 'train'),
  shape('step'),
  shape('ramp'),
  shape('long-output-shift'),
  shape('trickle-to-zero'),
  shape('metric-outage'),
  shape('no-free-gpus'),
  shape('rollout'),
  ...madeNames.map(made),
];
