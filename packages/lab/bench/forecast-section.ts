// What the forecast is worth: the same policy with prediction off and on, on climbs that repeat and on a walk that does not.
import { defaultPolicy } from '../ours.ts';
import { createRandom } from '../random.ts';
import { shapeOf } from '../shapes.ts';
import { study } from '../study.ts';
import { type Workload, workloadOf } from '../workload.ts';
import { setting } from './setting.ts';

/** Twelve hours of a rate that moves by chance each minute and knows no tomorrow. */
function randomWalk(seed: number): Workload {
  const random = createRandom(seed);
  const rows: { at: number; promptTokens: number; outputTokens: number }[] = [];
  const span = 12 * 3_600_000;
  let rate = 8;
  for (let minute = 0; minute * 60_000 < span; minute += 1) {
    rate = Math.min(20, Math.max(2, rate + random.normal() * 0.4));
    for (let at = minute * 60_000; ; ) {
      at += (1_000 * random.exponential()) / rate;
      if (at >= (minute + 1) * 60_000) break;
      const length = (mean: number) => Math.max(1, Math.round(mean * Math.exp(0.8 * random.normal() - 0.32)));
      rows.push({ at, promptTokens: length(1_000), outputTokens: length(200) });
    }
  }
  return workloadOf('random walk', rows, span);
}

/** A Markdown section: misses and GPU-hours with the forecast off and on, starts of three minutes. */
export function forecastSection(): string {
  const workloads = [shapeOf('ramp', 1).workload, shapeOf('diurnal', 1).workload, randomWalk(1)];
  const rows = workloads.map((workload) => {
    const [off, on] = (['Off', 'On'] as const).map((mode) => {
      const policy = { ...defaultPolicy(), prediction: { mode } };
      const { results } = study({
        ...setting,
        workload,
        incidents: [],
        startUpMs: 180_000,
        // The second of two days, of which the first was seen; the others come as they come.
        warmUpMs: workload.name === 'diurnal' ? workload.spanMs / 2 : 0,
        seed: 1,
        policies: [{ name: mode, policy }],
        rivals: [],
        isSearching: false,
      });
      return results[0]!.chosen;
    });
    const more = (100 * (on!.gpuHours / off!.gpuHours - 1)).toFixed(1);
    const cells = [
      workload.name,
      off!.misses,
      on!.misses,
      off!.gpuHours.toFixed(1),
      on!.gpuHours.toFixed(1),
      `${more} %`,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '## The forecast, off and on (starts of 180 s)',
    '',
    '| traffic | misses off | on | GPU-hours off | on | more |',
    '|---|---:|---:|---:|---:|---:|',
    ...rows,
    '',
  ].join('\n');
}
