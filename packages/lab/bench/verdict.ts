// Each case against what the project asks of itself on such traffic.
import { tuned } from '../compare.ts';
import { against } from '../report.ts';
import type { Standing } from '../study.ts';
import type { Traffic } from './cases.ts';

export interface Verdict {
  readonly what: string;
  readonly value: number;
  /** What the clairvoyant, who knows the trace, gets in our place and at our misses: nobody comes below it. GPU-hours only. */
  readonly bound?: number;
  readonly must: number;
  readonly excellent: number;
  readonly word: 'excellent' | 'must' | 'missed';
}

const judged = (what: string, value: number, must: number, excellent: number, bound?: number): Verdict => ({
  what,
  value,
  ...(bound === undefined ? {} : { bound }),
  must,
  excellent,
  word: value <= excellent ? 'excellent' : value <= must ? 'must' : 'missed',
});

/** The rows that a kind of traffic is asked for; the shapes are shown and not asked. */
export function verdictsOf(kind: Traffic, standings: readonly Standing[]): readonly Verdict[] {
  const ours = standings[0]!.chosen;
  const scoresOf = (name: string) => standings.find((standing) => standing.name === name)!.scores;
  const hpas = standings.filter(({ name }) => name.startsWith('hpa-')).flatMap(({ scores }) => scores);
  const fixed = scoresOf('static');
  const bound = scoresOf('clairvoyant');
  const versusHpa = against(ours, hpas);
  const chosenHpa = tuned(hpas);
  const starts = judged(
    'starts a replica-hour vs tuned HPA',
    ours.startsPerReplicaHour / Math.max(0.01, chosenHpa.startsPerReplicaHour),
    1,
    0.6,
  );
  if (kind === 'diurnal') {
    const { gpuHours: fixedHours } = tuned(fixed, 0.99);
    return [
      judged('misses vs HPA at no more GPU-hours', versusHpa.misses, 0.7, 0.45),
      judged(
        'GPU-hours vs HPA at no more misses',
        versusHpa.hours,
        0.85,
        0.7,
        versusHpa.hours / against(ours, bound).hours,
      ),
      judged(
        'GPU-hours vs smallest static with 99 %',
        ours.gpuHours / fixedHours,
        0.75,
        0.6,
        tuned(bound, 0.99).gpuHours / fixedHours,
      ),
      starts,
    ];
  }
  if (kind === 'bursty') {
    return [
      judged('misses vs HPA at no more GPU-hours', versusHpa.misses, 0.75, 0.4),
      judged('misses vs KPA at no more GPU-hours', against(ours, scoresOf('kpa')).misses, 0.75, 0.4),
      judged('misses vs static of equal cost', against(ours, fixed).misses, 1.5, 1),
      starts,
    ];
  }
  if (kind === 'smooth') {
    const { gpuHours: fixedHours } = tuned(fixed, 0.999);
    return [
      judged(
        'GPU-hours vs static at 99.9 %',
        ours.gpuHours / fixedHours,
        1.25,
        1.15,
        tuned(bound, 0.999).gpuHours / fixedHours,
      ),
      starts,
    ];
  }
  return [];
}
