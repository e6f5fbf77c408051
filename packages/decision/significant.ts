// Rounding to six significant digits: more than any measurement holds, and short in a record. Done once, before anything
// is decided, so that a recorded number is the very number that was decided on. Arithmetic, because a text and back
// (`toPrecision`) was a tenth of the cost of a decision.

const digits = 6;
const wholeBelow = 10 ** digits;
const powers = Array.from({ length: 40 }, (_, exponent) => 10 ** exponent);

export function significant(value: number): number {
  // Whole numbers of six digits are themselves, and many are counts.
  if (value === (value | 0) && value < wholeBelow && value > -wholeBelow) return value;
  if (!Number.isFinite(value)) return value;
  const exponent = digits - 1 - Math.floor(Math.log10(Math.abs(value)));
  if (exponent >= powers.length) return 0;
  if (exponent >= 0) {
    const scale = powers[exponent]!;
    return Math.round(value * scale) / scale;
  }
  const scale = powers[Math.min(-exponent, powers.length - 1)]!;
  return Math.round(value / scale) * scale;
}
