// What the forecast is worth: the same policy with prediction off and on, on climbs that repeat, on one that nobody has seen,
// and on a walk that does not repeat.
import { join } from 'node:path';
import { milliseconds } from '@kubeai/units';
import { defaultPolicy, ours } from '../ours.ts';
import { createRandom } from '../random.ts';
import { readWorkload } from '../read-workload.ts';
import { scoreOf } from '../score.ts';
import { worldOf } from '../setting.ts';
import { shapeOf } from '../shapes.ts';
import { type Outcome, simulate } from '../simulation.ts';
import { createDraft, type Workload } from '../workload.ts';
import { addMinute, dayMs, officeDays } from './office-days.ts';
import { setting } from './setting.ts';

/** Twelve hours of a rate that moves by chance each minute and knows no tomorrow. */
function randomWalk(seed: number): Workload {
  const random = createRandom(seed);
  const draft = createDraft();
  const minutes = 12 * 60;
  let rate = 8;
  for (let minute = 0; minute < minutes; minute += 1) {
    rate = Math.min(20, Math.max(2, rate + random.normal() * 0.4));
    addMinute(draft, minute * 60_000, rate, random);
  }
  return draft.workload('random walk', minutes * 60_000);
}

interface Case {
  readonly workload: Workload;
  readonly startUpSeconds: number;
  /** What went before and is not judged. */
  readonly seenMs: number;
}

/** @param traces directory of the recorded traces; without it only what is drawn is played */
async function casesOf(traces: string | undefined): Promise<readonly Case[]> {
  const diurnal = shapeOf('diurnal', 1).workload;
  const cases: Case[] = [
    { workload: shapeOf('ramp', 1).workload, startUpSeconds: 180, seenMs: 0 },
    { workload: randomWalk(1), startUpSeconds: 180, seenMs: 0 },
    { workload: diurnal, startUpSeconds: 180, seenMs: diurnal.spanMs / 2 },
    // The second day after one that was seen, and the third after two.
    { workload: officeDays(2, 60, 1), startUpSeconds: 300, seenMs: dayMs },
    ...[1, 2, 3].map((seed) => ({ workload: officeDays(3, 20, seed), startUpSeconds: 180, seenMs: 2 * dayMs })),
  ];
  if (traces === undefined) return cases;
  for (const first of [2, 8]) {
    const read = await readWorkload(join(traces, 'servegen_m-large_rates.csv.gz'), {
      seed: 1,
      thin: 0.05,
      speed: 1,
      copies: 1,
      fromSecond: (first * dayMs) / 1_000,
      duration: milliseconds(2 * dayMs),
    });
    if (!read.ok) throw new Error(read.problems.map(({ field, message }) => `${field} ${message}`).join('; '));
    const workload = { ...read.value.workload, name: `ServeGen day ${first + 1} after day ${first}` };
    cases.push({ workload, startUpSeconds: 180, seenMs: dayMs });
  }
  return cases;
}

const bin = 600_000;
/** Ten minutes that brought so much more than those before, and the twenty after them, are a climb. */
const steep = 1.15;

/** Whether a moment is in a climb. */
function climbsOf({ at, spanMs }: Workload): (at: number) => boolean {
  const came = new Float64Array(Math.ceil(spanMs / bin) + 1);
  for (const each of at) came[Math.floor(each / bin)]! += 1;
  const rises = came.map((count, index) => (index > 0 && count > steep * came[index - 1]! ? 1 : 0));
  return (moment) => {
    const index = Math.floor(moment / bin);
    return rises.subarray(Math.max(0, index - 2), index + 1).includes(1);
  };
}

function missesAtClimbs(workload: Workload, { firstAt, doneAt }: Outcome, fromMs: number): number {
  const { firstTokenMs, perTokenMs } = setting.promise;
  const isClimb = climbsOf(workload);
  let misses = 0;
  for (let index = 0; index < workload.at.length; index += 1) {
    const at = workload.at[index]!;
    if (at < fromMs || at > workload.spanMs - firstTokenMs) continue;
    const rest = (doneAt[index]! - firstAt[index]!) / Math.max(1, workload.output[index]! - 1);
    if (!(firstAt[index]! - at <= firstTokenMs) || rest > perTokenMs) misses += isClimb(at) ? 1 : 0;
  }
  return misses;
}

/** A Markdown section: misses and GPU-hours with the forecast off and on. `progress` is told what is played. */
export async function forecastSection(traces?: string, progress?: (what: string) => void): Promise<string> {
  const cases = await casesOf(traces);
  const rows = cases.map(({ workload, startUpSeconds, seenMs }) => {
    const played = {
      ...setting,
      workload,
      incidents: [],
      startUpMs: 1_000 * startUpSeconds,
      warmUpMs: seenMs,
      seed: 1,
    };
    const { world } = worldOf(played);
    const [off, on] = (['Off', 'On'] as const).map((mode) => {
      progress?.(`${workload.name}, ${mode}`);
      const outcome = simulate(workload, world, ours(mode, { ...defaultPolicy(), prediction: { mode } }));
      const { misses, gpuHours } = scoreOf(workload, outcome, setting.promise, setting.hardware.tensorParallel);
      return { misses, gpuHours, climbs: missesAtClimbs(workload, outcome, seenMs) };
    });
    const cells = [
      workload.name,
      `${startUpSeconds} s`,
      off!.misses,
      on!.misses,
      off!.climbs,
      on!.climbs,
      off!.gpuHours.toFixed(1),
      on!.gpuHours.toFixed(1),
      `${(100 * (on!.gpuHours / off!.gpuHours - 1)).toFixed(1)} %`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '## The forecast, off and on',
    '',
    '| traffic | starts | misses off | on | of them at climbs off | on | GPU-hours off | on | more |',
    '|---|---:|---:|---:|---:|---:|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}
