// Made-up traffic, as lifelike as a page of code allows: users join, stay and ask again; how many come wanders from minute to
// minute; no day is as large as the one before; lengths have heavy tails. What is drawn once in a trace (when an outage
// comes, how large a job is) depends on the seed as all else does.
import { createRandom, logNormal, type Random, tokensAround } from '../random.ts';
import { createDraft, type Draft, type Workload } from '../workload.ts';
import { climbed, dayMs, wandered } from './office-days.ts';

/** Who asks for the same kind of thing. */
interface Stream {
  /** Requests a second, at a second of the trace. */
  readonly rate: (second: number) => number;
  /** Tokens on average. */
  readonly prompt: number;
  readonly output: number;
  /** How unlike lengths are: the deviation of their logarithm (0.8), or the exponent of Pareto's law where `pareto` is given. */
  readonly spread?: number;
  readonly pareto?: number;
  /** How often a user asks on average (once), and seconds from one question to the next. */
  readonly asks?: number;
  readonly pauseSeconds?: number;
  /** Each question carries what was said before. */
  readonly isGrowing?: boolean;
  /** Deviation of a minute (0.1), and how much of it the next minute has (0.9). */
  readonly wander?: number;
  readonly memory?: number;
}

interface Made {
  readonly kind: 'diurnal' | 'bursty' | 'smooth';
  readonly hours: number;
  readonly startUpSeconds: number;
  readonly streams: (random: Random, hours: number) => readonly Stream[];
}

const chat = { prompt: 1_000, output: 250, asks: 4, pauseSeconds: 60, isGrowing: true } as const;
const code = { prompt: 2_500, output: 60, spread: 1, asks: 8, pauseSeconds: 20 } as const;

const traffic = {
  'long answers': {
    kind: 'diurnal',
    hours: 24,
    startUpSeconds: 120,
    streams: (random, hours) => [
      {
        rate: days(random, hours, { low: 0.3, high: 3.5, climbMinutes: 150 }),
        prompt: 600,
        output: 3_000,
        spread: 0.7,
      },
    ],
  },
  'slow growth': {
    kind: 'diurnal',
    hours: 24,
    startUpSeconds: 180,
    streams: () => [{ ...chat, rate: (second) => 3.5 * 5 ** (second / 86_400), asks: 3 }],
  },
  'Sunday to Monday': {
    kind: 'diurnal',
    hours: 36,
    startUpSeconds: 300,
    // Two offices, six hours apart, of which the second one begins while it is still Sunday in the first.
    streams: (random, hours) =>
      [9, 15].map((from) => {
        const workday = days(random, hours, {
          low: 0.8,
          high: 16,
          from,
          until: from + 9,
          climbMinutes: 30,
          lunch: 0.35,
        });
        return { ...chat, rate: (second: number) => (second < 86_400 ? 1.2 : workday(second)), asks: 3 };
      }),
  },
  'code completions': {
    kind: 'diurnal',
    hours: 48,
    startUpSeconds: 60,
    streams: (random, hours) => [
      {
        ...code,
        rate: days(random, hours, { low: 0.3, high: 16, lunch: 0.4, climbMinutes: 60 }),
        wander: 0.3,
        memory: 0.5,
      },
    ],
  },
  launch: {
    kind: 'diurnal',
    hours: 12,
    startUpSeconds: 180,
    streams: (random) => {
      const [first, second] = [2.5 + random.uniform(), 7.5 + random.uniform()];
      const base = 6;
      const rate = (at: number) => base + rise(at, first, 15, 10 * base, 2) + rise(at, second, 15, 4 * base, 1.5);
      return [{ ...chat, rate, asks: 3, pauseSeconds: 40 }];
    },
  },
  'chat by day, documents at night': {
    kind: 'diurnal',
    hours: 24,
    startUpSeconds: 120,
    streams: (random, hours) => [
      { ...chat, rate: days(random, hours, { low: 0.5, high: 11, from: 8, until: 21, lunch: 0.15 }) },
      { rate: night(random, 1.5), prompt: 7_000, output: 500, wander: 0.2 },
      { ...code, rate: days(random, hours, { low: 0.1, high: 4, lunch: 0.4, climbMinutes: 40 }), wander: 0.25 },
    ],
  },
  'tool loops': {
    kind: 'diurnal',
    hours: 20,
    startUpSeconds: 180,
    streams: (random, hours) => [
      {
        rate: days(random, hours, { low: 0.6, high: 13, climbMinutes: 75 }),
        prompt: 900,
        output: 120,
        spread: 1,
        asks: 14,
        pauseSeconds: 9,
        isGrowing: true,
      },
    ],
  },
  'uneven clients': {
    kind: 'diurnal',
    hours: 24,
    startUpSeconds: 60,
    streams: (random, hours) => [{ rate: clients(random, hours, 140, 12), prompt: 1_200, output: 220, spread: 1.1 }],
  },
  outages: {
    kind: 'bursty',
    hours: 12,
    startUpSeconds: 60,
    streams: (random, hours) => [
      { rate: outages(random, hours, 9), prompt: 1_000, output: 220, asks: 2, pauseSeconds: 45 },
    ],
  },
  'lulls and scripts': {
    kind: 'bursty',
    hours: 12,
    startUpSeconds: 60,
    streams: (random, hours) => [
      { ...chat, rate: lulls(random, hours, 5) },
      // No two scripts are alike: each is a stream of its own.
      ...stretches(random, hours, 25, 4).map((script) => ({
        rate: within(script, 3 * 8 ** random.uniform()),
        prompt: 300 * 10 ** random.uniform(),
        output: 40 * 10 ** random.uniform(),
        spread: 0.4,
      })),
    ],
  },
  'jobs at full hours': {
    kind: 'bursty',
    hours: 12,
    startUpSeconds: 120,
    streams: (random, hours) => [
      { ...chat, rate: days(random, hours, { low: 4, high: 9, from: 2, until: 10, climbMinutes: 90 }) },
      ...Array.from({ length: hours }, (_, hour) => {
        const from = 3_600 * hour + 20 * random.uniform();
        return {
          rate: within({ from, until: from + 180 + 180 * random.uniform() }, 12 * Math.exp(0.3 * random.normal())),
          prompt: 1_800,
          output: 150,
        };
      }),
    ],
  },
  'code in fits': {
    kind: 'bursty',
    hours: 10,
    startUpSeconds: 30,
    streams: (random, hours) => {
      const fits = stretches(random, hours, 4, 0.5).map((fit) => within(fit, 6 * Math.min(12, pareto(random, 1.3))));
      return [{ ...code, rate: sum([() => 4, ...fits]), asks: 1 }];
    },
  },
  'very long prompts': {
    kind: 'smooth',
    hours: 12,
    startUpSeconds: 120,
    streams: () => [{ rate: () => 7, prompt: 7_600, output: 150, spread: 0.5 }],
  },
  'forty replicas': {
    kind: 'smooth',
    hours: 6,
    startUpSeconds: 300,
    streams: () => [{ rate: () => 32, prompt: 1_500, output: 900, wander: 0.04 }],
  },
  'Pareto lengths': {
    kind: 'smooth',
    hours: 12,
    startUpSeconds: 60,
    streams: () => [{ rate: () => 16, prompt: 900, output: 220, pareto: 1.6, wander: 0.06 }],
  },
  moderation: {
    kind: 'smooth',
    hours: 6,
    startUpSeconds: 30,
    streams: () => [{ rate: () => 40, prompt: 2_100, output: 5, wander: 0.08 }],
  },
} as const satisfies Record<string, Made>;

export type MadeName = keyof typeof traffic;
export const madeNames = Object.keys(traffic) as readonly MadeName[];
export const isMade = (name: string): name is MadeName => Object.hasOwn(traffic, name);
/** What it is judged as, and how long a replica takes to start. */
export const madeAs = (name: MadeName): Pick<Made, 'kind' | 'startUpSeconds'> => traffic[name];

/** @param hours  its first hours alone, if fewer are asked for than it has */
export function madeTraffic(name: MadeName, seed: number, hours: number = traffic[name].hours): Workload {
  const { streams }: Made = traffic[name];
  const random = createRandom(seed);
  const draft = createDraft();
  for (const stream of streams(random, hours)) addStream(draft, stream, hours, random);
  return draft.workload(name, 3_600_000 * hours);
}

/** Rates are looked up so often; shorter than the shortest burst. */
const slotSeconds = 10;
const minuteSeconds = 60;

function addStream(draft: Draft, stream: Stream, hours: number, random: Random): void {
  const { rate, asks = 1, wander = 0.1, memory = 0.9 } = stream;
  let noise = random.normal();
  for (let from = 0; from < 3_600 * hours; from += slotSeconds) {
    if (from % minuteSeconds === 0) noise = wandered(noise, memory, random);
    const joining = (rate(from) * logNormal(noise, wander)) / asks;
    if (joining <= 0) continue;
    for (let at = from; ; ) {
      at += random.exponential() / joining;
      if (at >= from + slotSeconds) break;
      addUser(draft, stream, at, 3_600 * hours, random);
    }
  }
}

/** A user asks, and again with a chance that makes `asks` of it on average; none after the end. */
function addUser(draft: Draft, stream: Stream, joined: number, end: number, random: Random): void {
  const { asks = 1, pauseSeconds = 0, isGrowing = false } = stream;
  let before = 0;
  for (let at = joined; at < end; at += pauseSeconds * random.exponential()) {
    const prompt = before + lengthOf(stream.prompt, stream, random);
    const output = lengthOf(stream.output, stream, random);
    draft.add(1_000 * at, prompt, output);
    if (isGrowing) before = prompt + output;
    if (random.uniform() * asks < 1) return;
  }
}

function lengthOf(mean: number, { spread = 0.8, pareto: exponent }: Stream, random: Random): number {
  if (exponent === undefined) return tokensAround(mean, spread, random);
  return Math.max(1, Math.round(mean * ((pareto(random, exponent) * (exponent - 1)) / exponent)));
}

/** At least 1, and the larger the exponent the seldomer much more. */
const pareto = (random: Random, exponent: number): number => (1 - random.uniform()) ** (-1 / exponent);

const sum =
  (rates: readonly Stream['rate'][]): Stream['rate'] =>
  (second) =>
    rates.reduce((total, rate) => total + rate(second), 0);

interface Workday {
  /** Requests a second at night and by day. */
  readonly low: number;
  readonly high: number;
  /** Hours. */
  readonly from?: number;
  readonly until?: number;
  readonly climbMinutes?: number;
  /** The share that is away at one o'clock, as the offices' day goes. */
  readonly lunch?: number;
}

/** Days of which each has its size and its beginning. */
function days(random: Random, hours: number, day: Workday): Stream['rate'] {
  const { low, high, from = 9, until = 18, climbMinutes = 60, lunch = 0 } = day;
  const drawn = Array.from({ length: Math.ceil(hours / 24) }, () => ({
    size: Math.exp(0.15 * random.normal()),
    late: 0.15 * random.normal(),
  }));
  return (second) => {
    const { size, late } = drawn[Math.floor((1_000 * second) / dayMs)]!;
    const between = (first: number, last: number) => {
      const at = (second % 86_400) - 3_600 * late;
      return climbed(at / 60 - 60 * first, climbMinutes) * (1 - climbed(at / 60 - 60 * last, climbMinutes));
    };
    const noon = (from + until) / 2;
    return size * (low + (high - low) * Math.max(0, between(from, until) - lunch * between(noon - 0.5, noon + 0.5)));
  };
}

/** Documents that are read when nobody is at work: until some hour of the morning, and from some hour of the evening. */
function night(random: Random, high: number): Stream['rate'] {
  const [until, from] = [5 + random.uniform(), 21 + random.uniform()];
  return (second) => high * (1 - climbed(second / 60 - 60 * until, 20) + climbed(second / 60 - 60 * from, 20));
}

/** Nothing until an hour, all of it after so many minutes, then less, by half in so many hours. */
function rise(second: number, hour: number, minutes: number, height: number, halfHours: number): number {
  const past = second / 3_600 - hour;
  if (past <= 0) return 0;
  const top = minutes / 60;
  return past < top ? (height * past) / top : height * 2 ** (-(past - top) / halfHours);
}

interface Stretch {
  /** Seconds. */
  readonly from: number;
  readonly until: number;
}

/** Stretches of chance, so many minutes apart and long on average; they may overlap. */
function stretches(random: Random, hours: number, apartMinutes: number, longMinutes: number): readonly Stretch[] {
  const drawn: Stretch[] = [];
  for (let from = 0; ; ) {
    from += 60 * apartMinutes * random.exponential();
    if (from >= 3_600 * hours) return drawn;
    drawn.push({ from, until: from + 60 * longMinutes * (0.4 + 0.6 * random.exponential()) });
  }
}

const covers = ({ from, until }: Stretch, second: number): boolean => second >= from && second < until;

const within =
  (stretch: Stretch, rate: number): Stream['rate'] =>
  (second) =>
    covers(stretch, second) ? rate : 0;

/** Half an hour of hardly anybody, now and then. */
function lulls(random: Random, hours: number, rate: number): Stream['rate'] {
  const quiet = stretches(random, hours, 120, 30).map((lull) => within(lull, 1));
  return (second) => rate * (sum(quiet)(second) > 0 ? 0.1 : 1);
}

/** Nobody gets through for some minutes; then half of those come at once, within a minute or two, beside the usual ones. */
function outages(random: Random, hours: number, rate: number): Stream['rate'] {
  const drawn = stretches(random, hours, 90, 6);
  const backSeconds = 75;
  return (second) => {
    if (drawn.some((outage) => covers(outage, second))) return 0;
    const returning = drawn
      .filter(({ until }) => second >= until)
      .map(({ from, until }) => ((until - from) / 2 / backSeconds) * Math.exp(-(second - until) / backSeconds));
    return rate * returning.reduce((total, share) => total + share, 1);
  };
}

/** Few clients of which some are large; each is away for half an hour now and then, and most of them come in the evening. */
function clients(random: Random, hours: number, count: number, mean: number): Stream['rate'] {
  const drawn = Array.from({ length: count }, () => ({
    weight: Math.min(30, pareto(random, 1.1)),
    away: stretches(random, hours, 60, 30),
    peak: 20 + 1.5 * random.normal(),
  }));
  const total = drawn.reduce((all, { weight }) => all + weight, 0);
  const levels = Float64Array.from({ length: 60 * hours }, (_, minute) =>
    drawn.reduce((all, { weight, away, peak }) => {
      if (away.some((stretch) => covers(stretch, 60 * minute))) return all;
      return all + weight * (0.5 + 2.5 * Math.exp(-(((minute / 60 - peak) / 3) ** 2)));
    }, 0),
  );
  return (second) => (mean * levels[Math.floor(second / 60)]!) / total;
}
