// Which values of a knob must be played. A day of millions of requests is dear to play, and most values of a grid tell
// nothing: along a knob costs fall and misses rise, so that for every question only the two values matter between which the
// answer changes. They are found by halving.
import type { Score } from './score.ts';

/** True of the values at the dear end of a knob, false of those at the cheap end. */
export type Question = (score: Score) => boolean;

/**
 * Plays the values of a grid, dearest first, that lie beside the change of each question's answer.
 * @returns what was played, by index; no value is played twice
 */
export function searched<Played extends { readonly score: Score }>(
  count: number,
  play: (index: number) => Played,
  questions: readonly Question[],
): ReadonlyMap<number, Played> {
  const played = new Map<number, Played>();
  const look = (index: number): Score => {
    const known = played.get(index) ?? play(index);
    played.set(index, known);
    return known.score;
  };
  for (const isDear of questions) {
    let [dear, cheap] = [-1, count];
    while (cheap - dear > 1) {
      const middle = (dear + cheap) >> 1;
      if (isDear(look(middle))) dear = middle;
      else cheap = middle;
    }
  }
  return played;
}
