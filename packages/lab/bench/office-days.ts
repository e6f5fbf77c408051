// Days of people at work, none quite like the one before: a steep morning, lunch, an evening hump. How much comes, when it
// begins and how it wanders from minute to minute differ by chance, as days do.
import { createRandom, logNormal, type Random, tokensAround } from '../random.ts';
import { createDraft, type Draft, type Workload } from '../workload.ts';

export const dayMs = 86_400_000;

/** Requests a second at night and at noon. */
const lowest = 1;
const highest = 14;
/** Standard deviations: of a day's size, of its beginning in minutes, and of a minute beside its neighbours. */
const sizeSpread = 0.1;
const shiftSpread = 5;
const wander = 0.1;

/** So many requests a second within a minute, at random; about 1,000 tokens to read and 200 to write. */
export function addMinute(draft: Draft, from: number, rate: number, random: Random): void {
  for (let at = from; ; ) {
    at += (1_000 * random.exponential()) / rate;
    if (at >= from + 60_000) return;
    draft.add(at, tokensAround(1_000, 0.8, random), tokensAround(200, 0.8, random));
  }
}

/** From 0 to 1 around a moment, so many minutes after it; from a tenth to nine tenths within `climbMinutes`. */
export const climbed = (minutesAfter: number, climbMinutes: number): number =>
  1 / (1 + Math.exp((-4 * minutesAfter) / climbMinutes));

/** The next of numbers that are normal each and keep so much of the one before. */
export const wandered = (noise: number, memory: number, random: Random): number =>
  memory * noise + Math.sqrt(1 - memory ** 2) * random.normal();

/** @param climbMinutes  what the morning takes from a tenth to nine tenths */
export function officeDays(days: number, climbMinutes: number, seed: number): Workload {
  const random = createRandom(seed);
  const draft = createDraft();
  let noise = 0;
  for (let day = 0; day < days; day += 1) {
    const size = Math.exp(sizeSpread * random.normal());
    const shift = shiftSpread * random.normal();
    for (let minute = 0; minute < 1_440; minute += 1) {
      noise = wandered(noise, 0.9, random);
      const between = (from: number, until: number) =>
        climbed(minute - shift - 60 * from, climbMinutes) * (1 - climbed(minute - shift - 60 * until, climbMinutes));
      const level = Math.max(0, between(9, 18) - 0.35 * between(12, 13) + 0.3 * between(20, 22.5));
      const rate = (lowest + (highest - lowest) * level) * size * logNormal(noise, wander);
      addMinute(draft, day * dayMs + minute * 60_000, rate, random);
    }
  }
  return draft.workload(`office days, mornings of ${climbMinutes} min, seed ${seed}`, days * dayMs);
}
