// Makes sample-chat.csv: arrivals of a small chat service with a quiet start, a morning that fills up in steps, and a quiet end.
// Everything follows from the seed, so the file can be made again byte for byte. Nothing in it was recorded anywhere.

/** Requests a second until so many seconds after the first request. */
const phases = [
  { untilSeconds: 10, rate: 0.6 },
  { untilSeconds: 20, rate: 4 },
  { untilSeconds: 30, rate: 8 },
  { untilSeconds: 40, rate: 12 },
  { untilSeconds: 50, rate: 16 },
  { untilSeconds: 80, rate: 20 },
  { untilSeconds: 110, rate: 0.6 },
] as const;

/** Log-normal lengths in tokens, cut at both ends. */
const promptTokens = { median: 600, sigma: 0.7, least: 16, most: 3_000 } as const;
const outputTokens = { median: 80, sigma: 0.9, least: 8, most: 400 } as const;

const seed = 2024;
const firstInstant = Date.UTC(2025, 0, 6, 9, 0, 0);

/** The whole file in Azure's format: `TIMESTAMP,ContextTokens,GeneratedTokens`. */
export function sampleChatCsv(): string {
  const chance = createChance(seed);
  const lines = ['TIMESTAMP,ContextTokens,GeneratedTokens'];
  for (const at of arrivals(chance)) {
    lines.push([timestamp(at), length(promptTokens, chance), length(outputTokens, chance)].join(','));
  }
  return `${lines.join('\n')}\n`;
}

/** A Poisson process whose rate is a staircase: gaps are drawn at the rate of the phase they begin in. */
function* arrivals(chance: () => number): Generator<number> {
  let at = 0;
  yield at; // a replay starts with the first request, so the phases begin with it too
  for (const { untilSeconds, rate } of phases) {
    for (;;) {
      const next = at - Math.log(1 - chance()) / rate;
      if (next >= untilSeconds) break;
      at = next;
      yield at;
    }
    // A gap that crosses into the next phase is drawn anew there: the process has no memory.
    at = untilSeconds;
  }
}

function length(
  { median, sigma, least, most }: { median: number; sigma: number; least: number; most: number },
  chance: () => number,
): number {
  // A standard normal number by Box and Muller.
  const normal = Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
  return Math.round(Math.min(most, Math.max(least, median * Math.exp(sigma * normal))));
}

/** `2025-01-06 09:00:01.2340000`: Azure writes steps of 100 ns, milliseconds are what this trace has. */
const timestamp = (seconds: number): string =>
  `${new Date(firstInstant + Math.round(seconds * 1_000)).toISOString().slice(0, -1).replace('T', ' ')}0000`;

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
function createChance(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
