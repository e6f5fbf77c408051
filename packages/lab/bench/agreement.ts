// How far two runs of the same traffic are apart, a real one and a simulated one.

/** The size from a moment on. */
export interface SizeAt {
  readonly atMs: number;
  readonly size: number;
}

export interface SizeChange {
  readonly atMs: number;
  readonly from: number;
  readonly to: number;
}

export const sizesOf = (changes: readonly SizeChange[], initial: number): readonly SizeAt[] => [
  { atMs: 0, size: initial },
  ...changes.map(({ atMs, to }) => ({ atMs, size: to })),
];

/** Replica-seconds that were asked for until a moment. */
export const areaOf = (sizes: readonly SizeAt[], untilMs: number): number =>
  sizes.reduce(
    (sum, { atMs, size }, index) =>
      sum + (size * Math.max(0, Math.min(untilMs, sizes[index + 1]?.atMs ?? untilMs) - atMs)) / 1_000,
    0,
  );

/** What each start took: the n-th replica that was asked for is the n-th that came to serve. Those that were taken back are left out. */
export function startsOf(
  changes: readonly SizeChange[],
  readiness: readonly { readonly atMs: number; readonly ready: number }[],
  initial: number,
): readonly number[] {
  const asked = changes.flatMap(({ atMs, from, to }) => new Array<number>(Math.max(0, to - from)).fill(atMs));
  let before = initial;
  const came = readiness.flatMap(({ atMs, ready }) => {
    const more = Math.max(0, ready - before);
    before = ready;
    return new Array<number>(more).fill(atMs);
  });
  return came.slice(0, asked.length).map((at, index) => at - asked[index]!);
}

export interface Side {
  readonly firstTokenP95Ms: number;
  readonly sizes: readonly SizeAt[];
}

export interface Agreement {
  readonly what: string;
  readonly value: string;
  readonly asked: string;
  readonly holds: boolean;
}

/** A decision may fall a few seconds earlier or later: reports of single agents come when they come. */
const slackMs = 5_000;

/** The one in the middle. */
export const middleOf = <Each>(all: readonly Each[], of: (each: Each) => number): Each =>
  all.toSorted((left, right) => of(left) - of(right))[Math.floor(all.length / 2)]!;

/**
 * A demonstration beside plays of the lab that differ by chance alone: when within a second each agent reports moves a
 * decision by some seconds, in the demonstration as in a play, and one of them says little.
 */
export function agreementOf(real: Side, plays: readonly Side[], spanMs: number): readonly Agreement[] {
  const off = middleOf(plays, (play) => play.firstTokenP95Ms).firstTokenP95Ms / real.firstTokenP95Ms - 1;
  const apart = plays.map(({ sizes }) => apartAtMost(sizes, real.sizes, spanMs));
  const worst = middleOf(apart, (each) => each);
  return [
    {
      what: 'P95 of the first token',
      value: `${(100 * off).toFixed(1)} %`,
      asked: 'within 20 %',
      holds: Math.abs(off) <= 0.2,
    },
    {
      what: `replicas apart at most (moments within ${slackMs / 1_000} s of one another are the same)`,
      value: plays.length === 1 ? String(worst) : `${worst} in the middle play of ${apart.toSorted().join(', ')}`,
      asked: 'within 1',
      holds: worst <= 1,
    },
  ];
}

function apartAtMost(sizes: readonly SizeAt[], others: readonly SizeAt[], spanMs: number): number {
  let worst = 0;
  for (let at = 0; at < spanMs; at += 500) {
    worst = Math.max(worst, distance(sizes, others, at), distance(others, sizes, at));
  }
  return worst;
}

/** From the size at a moment to the nearest that the other had within the slack. */
function distance(sizes: readonly SizeAt[], others: readonly SizeAt[], at: number): number {
  const size = sizeAt(sizes, at);
  const near = [
    sizeAt(others, at - slackMs),
    ...others.filter(({ atMs }) => Math.abs(atMs - at) <= slackMs).map((each) => each.size),
  ];
  return Math.min(...near.map((other) => Math.abs(size - other)));
}

const sizeAt = (sizes: readonly SizeAt[], at: number): number =>
  (sizes.findLast(({ atMs }) => atMs <= at) ?? sizes[0]!).size;
