// Each case against what the project asks of itself on such traffic.
import { tuned } from '../compare.ts';
import { against } from '../report.ts';
import type { Standing } from '../study.ts';
import type { Traffic } from './cases.ts';

export interface Verdict {
  readonly what: string;
  readonly value: number;
  readonly must: number;
  readonly excellent: number;
  readonly word: 'excellent' | 'must' | 'missed';
}

const judged = (what: string, value: number, must: number, excellent: number): Verdict => ({
  what,
  value,
  must,
  excellent,
  word: value <= excellent ? 'excellent' : value <= must ? 'must' : 'missed',
});

/** The rows that a kind of traffic is asked for; the shapes are shown and not asked. */
export function verdictsOf(kind: Traffic, standings: readonly Standing[]): readonly Verdict[] {
  const ours = standings[0]!.chosen;
  const rival = (name: string): Standing => standings.find((standing) => standing.name === name)!;
  const hpas = standings.filter(({ name }) => name.startsWith('hpa-')).flatMap(({ scores }) => scores);
  const fixed = rival('static').scores;
  const versusHpa = against(ours, hpas);
  const chosenHpa = tuned(hpas);
  const starts = judged(
    'starts a replica-hour vs tuned HPA',
    ours.startsPerReplicaHour / Math.max(0.01, chosenHpa.startsPerReplicaHour),
    1,
    0.6,
  );
  if (kind === 'diurnal') {
    return [
      judged('misses vs HPA at no more GPU-hours', versusHpa.misses, 0.7, 0.45),
      judged('GPU-hours vs HPA at no more misses', versusHpa.hours, 0.85, 0.7),
      judged('GPU-hours vs smallest static with 99 %', ours.gpuHours / tuned(fixed, 0.99).gpuHours, 0.75, 0.6),
      starts,
    ];
  }
  if (kind === 'bursty') {
    return [
      judged('misses vs HPA at no more GPU-hours', versusHpa.misses, 0.75, 0.4),
      judged('misses vs KPA at no more GPU-hours', against(ours, rival('kpa').scores).misses, 0.75, 0.4),
      judged('misses vs static of equal cost', against(ours, fixed).misses, 1.5, 1),
      starts,
    ];
  }
  if (kind === 'smooth') {
    return [judged('GPU-hours vs static at 99.9 %', ours.gpuHours / tuned(fixed, 0.999).gpuHours, 1.25, 1.15), starts];
  }
  return [];
}
