// Chance with a seed: the same seed draws the same numbers on every machine, so a result can be run again.

export interface Random {
  /** In [0, 1). */
  uniform(): number;
  /** Mean 0, deviation 1. */
  normal(): number;
  /** Mean 1. */
  exponential(): number;
  gamma(shape: number, scale: number): number;
  weibull(shape: number, scale: number): number;
}

/** What a normal number makes of something by which it is multiplied: log-normal, 1 on average. */
export const logNormal = (normal: number, spread: number): number => Math.exp(spread * normal - spread ** 2 / 2);

/** Tokens, log-normal around their mean, at least one. */
export const tokensAround = (mean: number, spread: number, random: Random): number =>
  Math.max(1, Math.round(mean * logNormal(random.normal(), spread)));

export function createRandom(seed: number): Random {
  let state = seed | 0;
  // mulberry32: small, seeded, and good enough for arrivals.
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const positive = (): number => 1 - uniform();
  const normal = (): number => Math.sqrt(-2 * Math.log(positive())) * Math.cos(2 * Math.PI * uniform());
  const exponential = (): number => -Math.log(positive());
  // Marsaglia and Tsang; shapes below 1 by way of the next shape up.
  const standardGamma = (shape: number): number => {
    if (shape < 1) return standardGamma(shape + 1) * positive() ** (1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = normal();
      const v = (1 + c * x) ** 3;
      if (v > 0 && Math.log(positive()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  };
  return {
    uniform,
    normal,
    exponential,
    gamma: (shape, scale) => scale * standardGamma(shape),
    weibull: (shape, scale) => scale * exponential() ** (1 / shape),
  };
}
